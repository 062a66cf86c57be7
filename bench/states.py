"""Robot states: decoded, read in the gateway's terms, and taken in by flow/track, per core.

The limit in the same run is decoding the same bytes as plain JSON.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import msgspec

from dragoman.fleets.vda5050.inbound import decode_state
from dragoman.fleets.vda5050.reports import state_report
from dragoman.testing.sim import World

STATES = 20_000
SIZE = 2_000


def per_second(work: Callable[[], object], count: int) -> float:
    """Units a second of processor time."""
    start = time.process_time()
    work()
    return count / (time.process_time() - start)


def messages(world: World, count: int) -> list[bytes]:
    """States of one robot that rise in their headerId and change nothing else; 2 kB each."""
    vehicle = next(iter(world.vehicles.values()))
    said = [m for m in vehicle.connected(world.clock.now()) if m.kind == "state"][-1]
    state = msgspec.json.decode(said.payload)
    state["information"] = [
        {"infoType": "filler", "infoLevel": "INFO", "infoDescription": "x" * 60} for _ in range(8)
    ]
    state["loads"] = [{"loadId": "y" * (SIZE - len(msgspec.json.encode(state)))}]
    made = []
    for number in range(count):
        state["headerId"] = 1_000 + number
        made.append(msgspec.json.encode(state))
    return made


def run() -> dict[str, float]:
    """States a second, and the share of plain decoding."""
    world = World(1)
    world.settle()
    robot_id, now = next(iter(world.vehicles)), world.clock.now()
    sent = messages(world, STATES)

    def take() -> None:
        for payload in sent:
            change = world.track.observe(state_report(robot_id, decode_state(payload), now))
            if change:
                world.commit(change)

    plain = per_second(lambda: [msgspec.json.decode(m) for m in sent], STATES)
    whole = per_second(take, STATES)
    reports = [state_report(robot_id, decode_state(m), now) for m in sent]
    later = [replace(r, header_id=r.header_id + STATES) for r in reports]
    taken = per_second(lambda: [world.track.observe(r) for r in later], STATES)
    return {
        "bytes_per_state": float(len(sent[0])),
        "plain_json_per_s": plain,
        "states_per_s": whole,
        "states_per_plain_json": whole / plain,
        "observed_per_s": taken,
    }
