"""The gateway of a simulated site: the real flow, one step at a time, without an event loop.

The same steps that runtime/ makes in its loops. world.py adds what lies outside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from dragoman.domain.case import Case
from dragoman.domain.change import Change, merged
from dragoman.domain.delivery import (
    Delivery,
    DeliveryState,
    RetryPolicy,
    delivered,
    dropped,
    settle,
    turn,
)
from dragoman.domain.errors import DragomanError, Permanent
from dragoman.domain.mapping import Incoming, Rule
from dragoman.domain.order import Order, Place
from dragoman.domain.outbox import Composed
from dragoman.domain.policy import ActionTemplate, Mission, Policy, Weights
from dragoman.domain.robot import Robot
from dragoman.domain.status import Status
from dragoman.flow import dispatch, operate, recover, writeback
from dragoman.flow.assign import Assign
from dragoman.flow.intake import Intake
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile.reading import Reader
from dragoman.flow.track import Track
from dragoman.ports.fleet import AskState, CancelOrder, Command, SendOrder
from dragoman.testing.sim.stores import CrashingJournal, VirtualClock, run
from dragoman.testing.sim.wires import SimDesk, SimFleet

PLACES = {
    name: Place(node_id=name, x=float(10 * n), y=5.0, map_id="map")
    for n, name in enumerate(("dock", "hall", "lab"), start=1)
}
MISSION = Mission(
    kind="look",
    actions=(ActionTemplate(type="inspect", parameters={"case": "{number}"}),),
    expected_s=20.0,
)


@dataclass(frozen=True, slots=True)
class SimOutlets:
    """Every status is written to the desk; robots get the real adapter's bytes."""

    fleet: SimFleet

    def order(self, order: Order, robot: Robot, now: datetime) -> Composed:
        """The order's bytes."""
        return self._composed(SendOrder(order=order), robot, now)

    def cancel(self, order_id: str, action_id: str, robot: Robot, now: datetime) -> Composed:
        """The cancellation's bytes."""
        return self._composed(CancelOrder(order_id=order_id, action_id=action_id), robot, now)

    def ask_state(self, action_id: str, robot: Robot, now: datetime) -> Composed:
        """The question's bytes."""
        return self._composed(AskState(action_id=action_id), robot, now)

    def desk(self, status: Status) -> Mapping[str, object] | None:
        """The status itself."""
        return {"fields": {"status": status.told.value}}

    def feeds(self, _status: Status, _event_id: str) -> Sequence[tuple[str, Mapping[str, object]]]:
        """No feeds."""
        return ()

    def _composed(self, command: Command, robot: Robot, now: datetime) -> Composed:
        parcel = self.fleet.compose(command, robot, now)
        return Composed(payload={"topic": parcel.topic, "body": parcel.body}, header=parcel.header)


class SimGateway:
    """The gateway's steps. Every one may be the last before a crash."""

    def __init__(self, policy: Policy) -> None:
        self.clock = VirtualClock()
        self.journal = CrashingJournal(self.clock.now)
        self.desk = SimDesk(self.clock.now)
        self.fleet = SimFleet(self.clock.now)
        self.policy = policy
        self._build()

    def _build(self) -> None:
        """The gateway, from what the journal has."""
        self.kit = Kit(
            journal=self.journal,
            clock=self.clock,
            outlets=SimOutlets(self.fleet),
            policy=self.policy,
        )
        names = ("number", "title", "location", "phase", "priority")
        rules = {name: Rule(path=name, read=itemgetter(name)) for name in names}
        rules["opened_at"] = Rule(path="opened", read=itemgetter("opened"))
        rules["kind"] = Rule(const="look")
        self.intake = Intake(
            kit=self.kit, desk="sim", mapping=Incoming(rules=rules), kinds=frozenset({"look"})
        )
        self.read_back = Reader(desk=self.desk, mapping=self.intake.mapping)
        self.track = Track(kit=self.kit)
        self.assigner = Assign(
            kit=self.kit,
            missions={"look": MISSION},
            locations=PLACES,
            weights=Weights(),
            solver=greedy,
            away=lambda: () if self.fleet.connected else ("sim",),
        )
        self.commit(recover.started(self.kit, "sim"))

    def poll(self) -> None:
        """Read the desk."""
        run(self.intake.page(run(self.desk.changes("", 100))))

    def assign(self) -> None:
        """One pass."""
        self.commit(self.assigner.run(self.track.latest))

    def hear(self, robot_id: str) -> None:
        """Take in one message of a robot."""
        if not self.fleet.up[robot_id]:
            return
        for report in self.fleet.hear(robot_id, robot_id in self.kit.site.robots):
            self.commit(self.track.observe(report))

    def fire(self) -> None:
        """Deadlines, and silence."""
        self.commit(recover.overdue(self.kit, self._why_waiting))
        self.commit(self.track.sweep())

    def _why_waiting(self, case: Case) -> str:
        return self.assigner.why_waiting(case, self.track.latest)

    def lanes(self) -> Sequence[tuple[str, str]]:
        """Lanes whose head is durable and may leave now. What reconcile keeps never leaves."""
        lanes = (key for key in self.kit.site.lanes if not key[0].startswith("reconcile."))
        return [key for key in lanes if self._head(key) is not None]

    def carry(self, key: tuple[str, str], *, die_after: bool = False) -> None:
        """Make the delivery at the head of a lane; with die_after its mark is lost in a crash."""
        delivery = self._head(key)
        if delivery is None:
            return
        now = self.clock.now()
        if delivery.not_after is not None and now >= delivery.not_after:
            self.commit(Change(deliveries=(dropped(delivery, "too late", now),)))
            return
        try:
            change = run(self._handled(delivery))
        except DragomanError as error:
            settled = settle(delivery, error, now, RetryPolicy(cap_s=5.0), 0.5)
            change = Change(deliveries=(settled,))
        else:
            current = self.kit.site.lanes.get(key, {}).get(delivery.id)
            if current is not None:
                change = merged(Change(deliveries=(delivered(current, now),)), change)
        if die_after:
            self.crash()
        else:
            self.commit(change)

    def act(self, case_id: str, action: str) -> None:
        """A person decides; what means nothing now is refused."""
        try:
            self.commit(
                operate.act(
                    self.kit, case_id, action, operate.Decision(actor="operator:x", reason="so")
                )
            )
        except Permanent:
            return

    def sync(self) -> None:
        """The disk catches up."""
        self.journal.sync()

    def crash(self) -> None:
        """kill -9, and a new start, after which the first of each lane may have been made."""
        self.journal.crash()
        self._build()
        first = (turn(lane) for lane in self.kit.site.lanes.values())
        self.kit.site.out.update(delivery.id for delivery in first if delivery is not None)

    def _head(self, key: tuple[str, str]) -> Delivery | None:
        head = turn(self.kit.site.lanes.get(key, {}))
        if head is None:
            return None
        durable = self.journal.store.tables[Delivery].get(head.id) == head
        due = head.next_at is None or head.next_at <= self.clock.now()
        return head if durable and due and head.state is DeliveryState.QUEUED else None

    async def _handled(self, delivery: Delivery) -> Change:
        if delivery.target.startswith("fleet:"):
            return await dispatch.send(self.kit, self.fleet, delivery)
        if delivery.verb == "fetch":
            record = await self.desk.read(str(delivery.payload["external_id"]))
            return (await self.intake.record(record))[1]
        return await writeback.write(self.kit, self.desk, delivery, self.read_back)

    def commit(self, change: Change) -> None:
        """Commit a change, if there is one."""
        if change:
            self.journal.commit(change)


def greedy(costs: Sequence[Sequence[float]]) -> Sequence[tuple[int, int]]:
    """The cheapest pair first: good enough here, and without a library."""
    pairs = sorted(
        (cost, row, column)
        for row, line in enumerate(costs)
        for column, cost in enumerate(line)
        if cost != float("inf")
    )
    rows: set[int] = set()
    columns: set[int] = set()
    chosen = []
    for _, row, column in pairs:
        if row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
            chosen.append((row, column))
    return chosen
