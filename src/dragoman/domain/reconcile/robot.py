"""The cases at robots, and what the robots' own last states say of them.

The gateway's side is the case with its attempt and the robot's binding; the robot's side is its
newest state. The same reading of a state that moves a case (domain/evidence.py) tells here whether
a conclusion was missed. Called by flow/reconcile/robots.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from dragoman.domain import events as on
from dragoman.domain.case import WORKING, Case
from dragoman.domain.evidence import read
from dragoman.domain.lifecycle import Job, advance
from dragoman.domain.order import LIVE, Assignment
from dragoman.domain.policy import Policy
from dragoman.domain.reconcile.desk import key_of
from dragoman.domain.reconcile.mismatch import Kind, Mend, Mismatch, Side, digest
from dragoman.domain.robot import Presence, Robot, RobotReport

_BEHIND = (on.Accepted, on.Started, on.Finished, on.WorkFailed, on.Stopped)
"""What a robot's state may say that the case should know by then; other news: the order is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Both sides at one moment. cases: all open ones. reports: robot id → its newest state."""

    cases: Mapping[str, Case]
    assignments: Mapping[str, Assignment]
    robots: Mapping[str, Robot]
    reports: Mapping[str, RobotReport]

    @property
    def live(self) -> dict[str, Assignment]:
        """Order id → attempt whose order may be out."""
        return {a.order_id: a for a in self.assignments.values() if a.state in LIVE}

    def said(self, robot: Robot) -> RobotReport | None:
        """The robot's newest state, None if it is silent."""
        return None if robot.presence is Presence.SILENT else self.reports.get(robot.id)


def at_robots(fleet: Fleet) -> list[Case]:
    """The cases that have a robot now."""
    return [case for case in fleet.cases.values() if case.state in WORKING]


def compare_fleet(fleet: Fleet, now: datetime, policy: Policy) -> list[Mismatch]:
    """Every mismatch between cases and robots that one look shows, at most one a key."""
    found: dict[str, Mismatch] = {}
    live = fleet.live
    for mismatch in (
        *_doubles(fleet, live.values()),
        *(m for case in at_robots(fleet) for m in _of_case(fleet, case, live, now, policy)),
        *(m for robot in fleet.robots.values() for m in _of_robot(fleet, robot, live)),
    ):
        found.setdefault(mismatch.key, mismatch)
    return list(found.values())


def _of_case(
    fleet: Fleet, case: Case, live: Mapping[str, Assignment], now: datetime, policy: Policy
) -> Iterator[Mismatch]:
    attempt = live.get(case.order_id)
    robot = fleet.robots.get(attempt.robot_id) if attempt is not None else None
    if attempt is None or robot is None:
        what = "its order is over" if attempt is None else f"robot {attempt.robot_id} is unknown"
        text = f"{case.number} is {case.state.value}, and {what}."
        yield _about(case, None, Kind.ORPHAN, Mend.PERSON, text)
        return
    if robot.bound != attempt.order_id:
        bound = f"bound to {robot.bound}" if robot.bound else "not bound"
        text = f"{case.number} is with robot {robot.id}, which is {bound}."
        yield _about(case, attempt, Kind.CONFLICTING, Mend.PERSON, text)
        return
    report = fleet.said(robot)
    if report is None:
        text = f"{case.number} is {case.state.value}, and its robot {robot.id} is silent."
        yield _about(case, attempt, Kind.UNREACHABLE, Mend.NONE, text)
        return
    missed = _missed(case, attempt, robot, report)
    if missed is None or not advance(Job(case=case, assignment=attempt), missed, now, policy):
        return
    behind = isinstance(missed, _BEHIND)
    kind = Kind.STALE if behind else Kind.MISSING
    says = type(missed).__name__.lower() if behind else "doesn't have the order"
    text = f"{case.number} is {case.state.value}; robot {robot.id}: {says}."
    pair = {"order": (attempt.order_id, report.order_id), "state": (case.state.value, says)}
    yield _about(case, attempt, kind, Mend.EVIDENCE, text, pair)


def _missed(case: Case, attempt: Assignment, robot: Robot, report: RobotReport) -> on.Event | None:
    """What the newest state says, if it is more than that the robot got further."""
    if report.received_at < case.since:
        return None  # it was said before the case came to its present state
    event = read(report, report, attempt, robot.boots)
    return None if isinstance(event, on.Progressed) else event


def conclusion(fleet: Fleet, case: Case) -> on.Event | None:
    """The event to draw from the robot's newest state: the mend EVIDENCE."""
    attempt = fleet.live.get(case.order_id)
    robot = fleet.robots.get(attempt.robot_id) if attempt is not None else None
    report = fleet.said(robot) if robot is not None else None
    if attempt is None or robot is None or report is None:
        return None
    return _missed(case, attempt, robot, report)


def _of_robot(fleet: Fleet, robot: Robot, live: Mapping[str, Assignment]) -> Iterator[Mismatch]:
    if robot.bound and robot.bound not in live:
        text = f"Robot {robot.id} is bound to {robot.bound}, which is over."
        yield _with(robot, robot.bound, Kind.ORPHAN, Mend.PERSON, text)
        return
    report = fleet.said(robot)
    if report is None or not report.order_id or report.idle:
        return
    attempt = live.get(report.order_id)
    if attempt is None:
        text = f"Robot {robot.id} works on order {report.order_id}, which no case has."
        yield _with(robot, report.order_id, Kind.ORPHAN, Mend.STOP, text)
    elif attempt.robot_id != robot.id:
        text = f"Robot {robot.id} works on order {report.order_id} of robot {attempt.robot_id}."
        yield _with(robot, report.order_id, Kind.DUPLICATE, Mend.STOP, text)


def _doubles(fleet: Fleet, live: Iterable[Assignment]) -> Iterator[Mismatch]:
    """Two orders that may be out for one case."""
    first: dict[str, Assignment] = {}
    for attempt in live:
        other = first.setdefault(attempt.case_id, attempt)
        case = fleet.cases.get(attempt.case_id)
        if other is not attempt and case is not None:
            text = f"{case.number} has two live orders: {other.order_id} and {attempt.order_id}."
            yield _about(case, attempt, Kind.DUPLICATE, Mend.PERSON, text)


def _about(
    case: Case,
    attempt: Assignment | None,
    kind: Kind,
    mend: Mend,
    text: str,
    fields: Mapping[str, tuple[str, str]] | None = None,
) -> Mismatch:
    """A mismatch that belongs to a case."""
    ours = {
        "state": case.state.value,
        "since": case.since.isoformat(),
        "order": case.order_id,
        "robot": "" if attempt is None else attempt.robot_id,
    }
    return Mismatch(
        side=Side.ROBOT,
        kind=kind,
        mend=mend,
        target=f"desk:{case.desk}",
        key=key_of(case.desk, case.external_id),
        text=text,
        ours=digest(ours),
        theirs=digest({name: there for name, (_, there) in (fields or {}).items()}),
        external_id=case.external_id,
        case_id=case.id,
        order_id=case.order_id,
        robot_id="" if attempt is None else attempt.robot_id,
        trace_id=case.trace_id,
        fields=fields or {},
        since=case.since,
    )


def _with(robot: Robot, order_id: str, kind: Kind, mend: Mend, text: str) -> Mismatch:
    """A mismatch that belongs to a robot."""
    return Mismatch(
        side=Side.ROBOT,
        kind=kind,
        mend=mend,
        target=f"fleet:{robot.fleet}",
        key=robot.id,
        text=text,
        ours=digest({"bound": robot.bound, "order": order_id}),
        theirs=digest({"order": order_id}),
        order_id=order_id,
        robot_id=robot.id,
        since=robot.bound_since,
    )
