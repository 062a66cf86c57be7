"""A site with one vehicle: what it says is read, and held against what it really did.

The vehicle is the pure state machine of dragoman.testing.robots (VDA 5050 2.0 or 2.1), its bytes
go through the fleet adapter's own reading, and the attempt moves by the real lifecycle.
"""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dragoman.domain import events as on
from dragoman.domain.case import CaseDraft
from dragoman.domain.evidence import read
from dragoman.domain.lifecycle import Job, advance, open_case
from dragoman.domain.lifecycle.step import Note, queue
from dragoman.domain.order import Action, Assignment, Order, Place, Stop
from dragoman.domain.policy import Policy
from dragoman.domain.robot import Robot, RobotReport
from dragoman.domain.status import Told
from dragoman.fleets.vda5050.compose import instant_message, order_message
from dragoman.fleets.vda5050.inbound import decode_state
from dragoman.fleets.vda5050.reports import state_report
from dragoman.testing.robots import (
    BEHAVED,
    Execution,
    Misbehaviour,
    Outcome,
    Outgoing,
    Pose,
    Vehicle,
    VehicleProfile,
)
from dragoman.testing.robots.profile import Version

START = datetime(2026, 5, 4, 10, tzinfo=UTC)
POLICY = Policy()
MOODS = {
    "behaves": BEHAVED,
    "rejects": Misbehaviour(reject="orderError"),
    "finds no route": Misbehaviour(reject="noRouteError"),
    "fails": Misbehaviour(fail_actions=True),
    "breaks down": Misbehaviour(fatal="motorFault"),
    "is stopped": Misbehaviour(e_stop="MANUAL"),
    "is driven by hand": Misbehaviour(mode="MANUAL"),
    "hangs": Misbehaviour(frozen=True),
    "is mute": Misbehaviour(silent=True),
}


class Site:
    """One vehicle, one case at a time, and a network that loses and doubles messages."""

    def __init__(self, version: Version, chance: random.Random) -> None:
        profile = VehicleProfile(
            serial="r1",
            manufacturer="acme",
            version=version,
            node_id="n0",
            pose=Pose(map_id="m"),
            speed_mps=1.0,
            action_s=4.0,
            state_interval_s=10.0,
            stops_between_nodes=chance.random() < 0.5,
        )
        self.now = START
        self.vehicle = Vehicle(profile, self.now)
        self.chance = chance
        self.lossy = True
        self.renewed = False
        self.present = True  # no later state is on its way: the ledger is at the same moment
        self.robot = Robot(
            id="acme/r1", fleet="agvs", manufacturer="acme", serial="r1", dialect=version
        )
        self.before: RobotReport | None = None
        self.job: Job | None = None
        self.parcel = b""
        self.count = 0
        self.events: list[on.Event] = []
        self.hear(self.vehicle.connected(self.now))

    @property
    def attempt(self) -> Assignment | None:
        """The attempt, while its order may be out."""
        if self.job is None or self.job.assignment is None:
            return None
        return self.job.live(self.job.assignment.order_id)

    def execution(self, order_id: str) -> Execution | None:
        """What the vehicle really did of an order."""
        done = [e for e in self.vehicle.ledger.executions if e.order_id == order_id]
        return done[-1] if done else None

    def assign(self, legs: int, count: int) -> None:
        """A new case goes to this vehicle, from where it says that it is."""
        self.count += 1
        order = order_from(self.before, f"case-{self.count}-1", legs, count)
        draft = CaseDraft(
            external_id=f"{self.count}",
            number=f"INC{self.count}",
            version="1",
            kind="fetch",
            title="",
            priority=3,
            location="L",
            opened_at=self.now,
            updated_at=self.now,
        )
        case = open_case(order.case_id, "desk", draft, "1" * 32, self.now)
        note = Note(action="case.queued", text="queued")
        self.job = queue(Job(case=case), self.now, POLICY, note, Told.QUEUED).job
        self.move(on.Chosen(order=order, expected_s=60.0, boots=self.robot.boots))
        self._count("order")
        self.parcel = order_message(order, self.robot, self.now, 2.0).encode()

    def send_order(self) -> None:
        """The broker takes the order; it may be lost behind it."""
        assert self.attempt is not None
        self.move(on.OrderOut(order_id=self.attempt.order_id))
        if not self._lost():
            self.hear(self.vehicle.received("order", self.parcel, self.now))

    def send_cancel(self) -> None:
        """cancelOrder goes out, and may be lost."""
        assert self.attempt is not None
        self._count("instantActions")
        payload = instant_message(
            "cancelOrder", self.attempt.cancel_id, {}, self.robot, self.now, "actions"
        )
        if not self._lost():
            self.hear(self.vehicle.received("instantActions", payload.encode(), self.now))

    def ask(self) -> None:
        """Ask for the state."""
        self._count("instantActions")
        sent = self.robot.headers["instantActions"]
        payload = instant_message(
            "stateRequest", f"ask-{sent}", {}, self.robot, self.now, "actions"
        )
        self.hear(self.vehicle.received("instantActions", payload.encode(), self.now))

    def wait(self, seconds: float) -> None:
        """Time passes for the vehicle."""
        until = self.now + timedelta(seconds=seconds)
        while (due := self.vehicle.next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.hear(self.vehicle.advance(self.now))
        self.now = until
        self.move(on.Due())  # takes an order back, and gives up on a cancel, in its time

    def reboot(self) -> None:
        """The vehicle restarts and forgets."""
        self.vehicle.reboot(self.now)
        self.hear(self.vehicle.connected(self.now))

    def feel(self, mood: Misbehaviour) -> None:
        """The vehicle changes its ways."""
        self.hear(self.vehicle.misbehave(mood, self.now))

    def hear(self, messages: list[Outgoing]) -> None:
        """The network delivers what the vehicle says, or not, or twice."""
        for message in messages:
            self.present = message is messages[-1]
            self.renewed = self.renewed or message.kind == "connection"
            if message.kind == "state" and not self._lost():
                for _ in range(2 if self.lossy and self.chance.random() < 0.2 else 1):
                    self._state(message.payload)

    def move(self, event: on.Event) -> None:
        """The lifecycle takes an event."""
        if self.job is not None:
            self.job = advance(self.job, event, self.now, POLICY).job

    def _state(self, payload: bytes) -> None:
        report = state_report("acme/r1", decode_state(payload), self.now)
        before, self.before = self.before, report
        if before is not None:
            again = report.header_id == before.header_id and self.renewed
            restarted = again or report.header_id < before.header_id  # as flow/track sees it
            self.robot = replace(self.robot, boots=self.robot.boots + restarted)
        self.renewed = False
        attempt = self.attempt
        if attempt is None:
            return
        event = read(report, before, attempt, self.robot.boots)
        check(self, report, attempt, event)
        if event is not None:
            self.events.append(event)
            self.move(event)

    def _count(self, kind: str) -> None:
        headers = {**self.robot.headers, kind: self.robot.headers.get(kind, 0) + 1}
        self.robot = replace(self.robot, headers=headers)

    def _lost(self) -> bool:
        return self.lossy and self.chance.random() < 0.25


def order_from(before: RobotReport | None, order_id: str, legs: int, count: int) -> Order:
    """Over so many legs from where the robot says it stands, with so many actions at the end."""
    here = before.position if before is not None else None
    x, y = (here.x, here.y) if here is not None else (0.0, 0.0)
    node = before.last_node_id if before is not None else "n0"
    stops = [Stop(place=Place(node_id=node, x=x, y=y, map_id="m"))]
    for leg in range(1, legs + 1):
        place = Place(node_id=f"{order_id}-n{leg}", x=x + 3.0 * leg, y=y, map_id="m")
        stops.append(Stop(place=place))
    actions = tuple(Action(id=f"{order_id}-a{n}", type="inspect") for n in range(count))
    stops[-1] = replace(stops[-1], actions=actions)
    return Order(
        id=order_id, case_id=order_id.rpartition("-")[0], robot_id="acme/r1", stops=tuple(stops)
    )


def check(site: Site, report: RobotReport, attempt: Assignment, event: on.Event | None) -> None:
    """The promise: what is read is what the ledger says."""
    really = site.execution(attempt.order_id)
    outcome = None if really is None else really.outcome
    if site.present:
        shown = report.order_id == attempt.order_id
        assert isinstance(event, on.Finished) == (shown and outcome is Outcome.FINISHED), event
    match event:
        case on.Finished():
            assert outcome is Outcome.FINISHED
        case on.WorkFailed(over=True):
            assert outcome in {Outcome.FAILED, Outcome.LOST, Outcome.CANCELLED}
        case on.Refused():
            assert outcome is None
        case on.Stopped():
            assert outcome is not Outcome.RUNNING
            assert not (event.undone and outcome is Outcome.FINISHED)
        case on.Lost() | on.Returned():
            assert outcome is not Outcome.RUNNING
        case on.Accepted() | on.Started() | on.Progressed() | on.WorkFailed(over=False):
            assert outcome is Outcome.RUNNING or (outcome is not None and not site.present)
