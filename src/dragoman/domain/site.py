"""The working set of one site: everything that is still open, in memory, as the journal has it.

Steps of the flow read it; only a journal writes to it, by `apply`, in the order of its commits.
It holds open cases, their latest assignments, all robots, and unsettled deliveries, so its size
follows the work at hand and not the history.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change
from dragoman.domain.delivery import SETTLED, Delivery, DeliveryState
from dragoman.domain.fault import Fault
from dragoman.domain.order import LIVE, Assignment
from dragoman.domain.robot import Robot, RobotReport

Lane = tuple[str, str]
"""(target, lane): deliveries with the same pair leave in order."""


class Site:
    """Open state, by id. Read-only to all but the journal that owns it.

    epoch: grows when the journal lost a change and took the state of its disk instead; on_taken is
    called then, before anything else can be committed. sound: False while the journal has lost
    changes and can't read its disk: what is here then may never have been, so nothing may leave.
    out: ids of deliveries that are under way or may have been, kept by the couriers, in memory
    only.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.sound = True
        self.on_taken: Callable[[], None] = _nothing
        self.cases: dict[str, Case] = {}
        self.by_key: dict[tuple[str, str], str] = {}
        self.assignments: dict[str, Assignment] = {}
        self.robots: dict[str, Robot] = {}
        self.reports: dict[str, RobotReport] = {}
        self.lanes: dict[Lane, dict[str, Delivery]] = {}
        self.faults: dict[str, Fault] = {}
        self.cursors: dict[str, str] = {}
        self.seen: dict[str, datetime] = {}
        self.queued: dict[str, Case] = {}
        self.touched_lanes: set[Lane] = set()
        self.out: set[str] = set()

    def apply(self, change: Change) -> None:
        """Take over the values of a change. Called by the journal only."""
        for case in change.cases:
            self._apply_case(case)
        for assignment in change.assignments:
            self._apply_assignment(assignment)
        for robot in change.robots:
            self.robots[robot.id] = robot
        for report in change.reports:
            known = self.reports.get(report.robot_id)
            if known is None or known.received_at <= report.received_at:
                self.reports[report.robot_id] = report
        for delivery in change.deliveries:
            self._apply_delivery(delivery)
        for fault in change.faults:
            if fault.is_over:
                self.faults.pop(fault.id, None)
            else:
                self.faults[fault.id] = fault
        self.cursors.update(change.cursors)
        self.seen.update(change.seen)

    def take(self, other: "Site") -> None:
        """Become what `other` is, in place. Called by the journal only, after a lost change."""
        self.epoch += 1
        self.sound = True
        for name, mine in vars(self).items():
            if name not in {"epoch", "sound", "on_taken"}:
                mine.clear()
                mine.update(vars(other)[name])
        self.touched_lanes.update(self.lanes)
        self.on_taken()

    def forget_seen(self, now: datetime) -> None:
        """Drop webhook ids that need not be remembered any longer. Called by the journal only."""
        for expired in [key for key, until in self.seen.items() if until < now]:
            del self.seen[expired]

    def _apply_case(self, case: Case) -> None:
        if case.state is CaseState.QUEUED:
            self.queued[case.id] = case
        else:
            self.queued.pop(case.id, None)
        if case.state is CaseState.CLOSED:
            old = self.cases.pop(case.id, None)
            self.by_key.pop(case.key, None)
            if old is not None and old.order_id:
                self._forget(old.order_id)
            return
        old = self.cases.get(case.id)
        self.cases[case.id] = case
        self.by_key[case.key] = case.id
        if old is not None and old.order_id and old.order_id != case.order_id:
            self._forget(old.order_id)

    def _forget(self, order_id: str) -> None:
        assignment = self.assignments.get(order_id)
        if assignment is not None and assignment.state not in LIVE:
            del self.assignments[order_id]

    def _apply_assignment(self, assignment: Assignment) -> None:
        case = self.cases.get(assignment.case_id)
        current = case is not None and case.order_id == assignment.order_id
        if current or assignment.state in LIVE:
            self.assignments[assignment.order_id] = assignment
        else:
            self.assignments.pop(assignment.order_id, None)

    def _apply_delivery(self, delivery: Delivery) -> None:
        key = (delivery.target, delivery.lane)
        lane = self.lanes.setdefault(key, {})
        if delivery.state in SETTLED:
            lane.pop(delivery.id, None)
        else:
            lane[delivery.id] = delivery
        if not lane:
            del self.lanes[key]
        self.touched_lanes.add(key)

    def case_of(self, desk: str, external_id: str) -> Case | None:
        """The open case with this identity at a desk."""
        case_id = self.by_key.get((desk, external_id))
        return None if case_id is None else self.cases[case_id]

    def deliveries(self) -> Iterator[Delivery]:
        """All unsettled deliveries, lane by lane in order."""
        for lane in self.lanes.values():
            yield from lane.values()

    def pending(self, order_id: str, target_kind: str = "fleet:") -> Iterable[Delivery]:
        """Queued deliveries of an order towards targets of a kind."""
        assignment = self.assignments.get(order_id)
        if assignment is None:
            return ()
        robot = self.robots.get(assignment.robot_id)
        lane = self.lanes.get((target_kind + (robot.fleet if robot else ""), assignment.robot_id))
        return tuple(
            d
            for d in (lane or {}).values()
            if d.order_id == order_id and d.state is DeliveryState.QUEUED
        )

    def tally(self) -> dict[str, Counter[DeliveryState]]:
        """Unsettled deliveries per target, counted by state."""
        counts: dict[str, Counter[DeliveryState]] = {}
        for delivery in self.deliveries():
            counts.setdefault(delivery.target, Counter())[delivery.state] += 1
        return counts


def _nothing() -> None:
    """Nobody has to be told."""
