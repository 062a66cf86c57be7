"""The steps by which a case goes from a desk to a robot and back. This is the map.

    1. intake     a desk's record becomes a case, an edit, or a calling-off
    2. assign     waiting cases get robots, all at once
    3. dispatch   orders and cancellations leave for the robots
    4. track      what robots say becomes progress, outcome or doubt
    5. writeback  what happened is written to the desk's fields and published to feeds
    6. faults     a robot's own fault opens a case at a desk, and closes it when it clears
    7. operate    what people decide: hold, release, cancel, reassign, confirm, replay, drop
    8. recover    deadlines that have passed, and what to do after a start
    9. reconcile  do desk, gateway and robots agree? counted, and mended by rule or by a person

Each step loads from a port, calls the pure domain, and commits one change. Steps don't know
each other; `kit.py` is what all of them are given. runtime/ decides when a step runs.
"""
