"""Plants known drift of every kind between the desk, the gateway and the robots of a DriftSite.

Each fault takes one untouched case (or opens a record) and gives the key under which reconcile
has to count it; its name says side and kind.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, time
from itertools import cycle
from typing import TypeVar

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change
from dragoman.domain.order import AssignmentState
from dragoman.testing.robots.misbehaviour import Misbehaviour
from tests.flow.drift import DriftSite

Fault = Callable[[DriftSite, Case], str]
S = TypeVar("S", bound=DriftSite)


def _key(case: Case) -> str:
    return f"{case.desk}/{case.external_id}"


def opened_unseen(site: DriftSite, case: Case) -> str:
    return f"sim/{site.records.open_secretly('look', location='dock', priority='3')}"


def edited_unseen(site: DriftSite, case: Case) -> str:
    site.records.secretly(case.external_id, priority="1")
    return _key(case)


def cancelled_unseen(site: DriftSite, case: Case) -> str:
    site.records.secretly(case.external_id, state="cancelled")
    return _key(case)


def restored(site: DriftSite, case: Case) -> str:
    """The desk was restored from a backup of before our last write."""
    raw = site.records.records[case.external_id]
    early = case.received_at.replace(year=2025).isoformat()
    raw.update(state="new", robot="", version="0", updated=early)
    return _key(case)


def altered_in_place(site: DriftSite, case: Case) -> str:
    """A script wrote into the desk's database: other values in the same version."""
    site.records.records[case.external_id]["state"] = "odd"
    return _key(case)


def retitled_in_place(site: DriftSite, case: Case) -> str:
    site.records.records[case.external_id]["title"] = "something else"
    return _key(case)


def taken_over(site: DriftSite, case: Case) -> str:
    """Somebody else wrote into a field that by rule is ours."""
    site.records.edit(case.external_id, author="script", robot="somebody/else")
    return _key(case)


def deleted(site: DriftSite, case: Case) -> str:
    site.records.gone.add(case.external_id)
    return _key(case)


def filtered_out(site: DriftSite, case: Case) -> str:
    site.records.hidden.add(case.external_id)
    return _key(case)


def opened_twice(site: DriftSite, case: Case) -> str:
    place, number = case.location, case.number
    return f"sim/{site.records.open('look', location=place, priority='3', result=number)}"


def unshown(site: DriftSite, case: Case) -> str:
    site.records.broken.add(case.external_id)
    return _key(case)


AT_DESK: dict[str, tuple[Fault, ...]] = {
    "desk missing": (opened_unseen,),
    "desk stale": (edited_unseen, cancelled_unseen, restored),
    "desk conflicting": (altered_in_place, retitled_in_place, taken_over),
    "desk orphan": (deleted, filtered_out),
    "desk duplicate": (opened_twice,),
    "desk unreachable": (unshown,),
}


def unheard(site: DriftSite, case: Case) -> str:
    """The robot is at work, and the gateway has only drawn the conclusion that it got the order."""
    attempt = site.kit.site.assignments[case.order_id]
    site.deaf.add(attempt.robot_id)
    older = replace(attempt, state=AssignmentState.ACCEPTED, started_at=None)
    back = replace(case, state=CaseState.ACCEPTED, since=site.clock.now())
    site.commit(Change(cases=(back,), assignments=(older,)))
    return _key(case)


def forgotten_by_robot(site: DriftSite, case: Case) -> str:
    """The robot restarted without its order, and the gateway drew no conclusion from it."""
    robot_id = site.kit.site.assignments[case.order_id].robot_id
    site.deaf.add(robot_id)
    site.fleet.up[robot_id].clear()
    site.reboot(robot_id)
    return _key(case)


def unbound(site: DriftSite, case: Case) -> str:
    robot = site.kit.site.robots[site.kit.site.assignments[case.order_id].robot_id]
    site.commit(Change(robots=(replace(robot, bound="", banned="so that it gets no work"),)))
    return _key(case)


def abandoned(site: DriftSite, case: Case) -> str:
    """The gateway has lost the case, and the robot works on."""
    attempt = site.kit.site.assignments[case.order_id]
    robot = site.kit.site.robots[attempt.robot_id]
    over = replace(attempt, state=AssignmentState.STOPPED)
    waits = replace(case, state=CaseState.HELD, order_id="", since=site.clock.now())
    free = replace(robot, bound="", banned="so that it gets no work")
    site.commit(Change(cases=(waits,), assignments=(over,), robots=(free,)))
    return robot.id


def ordered_twice(site: DriftSite, case: Case) -> str:
    attempt = site.kit.site.assignments[case.order_id]
    double = replace(attempt, order_id=f"{case.id}-9", robot_id="nobody/there")
    site.commit(Change(assignments=(double,)))
    return _key(case)


def silent(site: DriftSite, case: Case) -> str:
    site.misbehave(site.kit.site.assignments[case.order_id].robot_id, Misbehaviour(silent=True))
    return _key(case)


AT_ROBOT: dict[str, tuple[Fault, ...]] = {
    "robot stale": (unheard,),
    "robot missing": (forgotten_by_robot,),
    "robot conflicting": (unbound,),
    "robot orphan": (abandoned,),
    "robot duplicate": (ordered_twice,),
    "robot unreachable": (silent,),
}


def plant(
    site: S,
    kinds: Mapping[str, Sequence[Callable[[S, Case], str]]],
    cases: Iterator[Case],
    each: int,
) -> dict[str, str]:
    """So many faults of each kind, on fresh cases; key → `side kind`."""
    planted: dict[str, str] = {}
    for kind, faults in kinds.items():
        for fault, _ in zip(cycle(faults), range(each), strict=False):
            case = next(cases)
            site.reserved.add(_key(case))
            planted[fault(site, case)] = kind
    return planted


SHIFTS = ((time(6), time(14), time(22)), UTC)
"""When shifts start, and by which clock."""
