"""Do both sides agree? What is compared, what counts as a mismatch, and what the figures mean.

    mismatch.py  what a mismatch is: its kind, its side, its mend, and the rules for all of them
    desk.py      a case and the desk's record of it, each as one canonical projection
    robot.py     the cases at robots and what the robots' own last states say
    report.py    shifts, and the figures of one
    bound.py     how sure a rate is (Clopper-Pearson)

Pure. Called by flow/reconcile, which reads both sides and commits. What counts as an error, and
why, is decided in docs/adr/0008-what-counts-as-an-error.md.
"""
