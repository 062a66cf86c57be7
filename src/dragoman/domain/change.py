"""What one step of the flow commits: entries, new values, outbox rows. All or nothing.

Made by the steps, applied to the `Site` (domain/site.py) and made durable by the journal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dragoman.domain.case import Case
from dragoman.domain.delivery import Delivery
from dragoman.domain.fault import Fault
from dragoman.domain.order import Assignment
from dragoman.domain.robot import Robot, RobotReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal: what happened, append-only and gapless per site.

    action: a stable dotted name (`case.assigned`), listed in docs/reference/entries.md.
    text: a sentence for people. data: JSON-ready details. actor: `gateway`, `desk:NAME`,
    `robot:ID` or `operator:NAME`. seq: given by the journal, 0 before that.
    """

    action: str
    at: datetime
    text: str
    case_id: str = ""
    order_id: str = ""
    robot_id: str = ""
    desk: str = ""
    trace_id: str = ""
    actor: str = "gateway"
    data: Mapping[str, object] = field(default_factory=dict)
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A transaction. Values replace the stored ones of the same id; entries are appended.

    reports: last states of robots worth keeping. cursors: feed position per desk. seen: webhook
    delivery ids with the time until which they are remembered.
    """

    entries: tuple[Entry, ...] = ()
    cases: tuple[Case, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    robots: tuple[Robot, ...] = ()
    reports: tuple[RobotReport, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    faults: tuple[Fault, ...] = ()
    cursors: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[str, datetime] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """False when there is nothing to commit."""
        return bool(
            self.entries
            or self.cases
            or self.assignments
            or self.robots
            or self.reports
            or self.deliveries
            or self.faults
            or self.cursors
            or self.seen
        )


def merged(*changes: Change) -> Change:
    """One transaction of several, later values last (so that they win)."""
    cursors: dict[str, str] = {}
    seen: dict[str, datetime] = {}
    for change in changes:
        cursors.update(change.cursors)
        seen.update(change.seen)
    return Change(
        entries=tuple(e for c in changes for e in c.entries),
        cases=tuple(v for c in changes for v in c.cases),
        assignments=tuple(v for c in changes for v in c.assignments),
        robots=tuple(v for c in changes for v in c.robots),
        reports=tuple(v for c in changes for v in c.reports),
        deliveries=tuple(v for c in changes for v in c.deliveries),
        faults=tuple(v for c in changes for v in c.faults),
        cursors=cursors,
        seen=seen,
    )
