"""What states mean for an order: held against a vehicle whose ledger knows what really happened.

The vehicle is the pure state machine of dragoman.testing.robots (VDA 5050 2.0 or 2.1), its bytes
go through the fleet adapter's own reading, and the attempt moves by the real lifecycle.
"""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from dragoman.domain import events as on
from dragoman.domain.case import CaseDraft
from dragoman.domain.evidence import read
from dragoman.domain.lifecycle import Job, advance, open_case
from dragoman.domain.lifecycle.step import Note, queue
from dragoman.domain.order import Action, Assignment, AssignmentState, Order, Place, Stop
from dragoman.domain.policy import Policy
from dragoman.domain.robot import ActionReport, Robot, RobotError, RobotReport
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
        order = self._order(f"case-{self.count}-1", legs, count)
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

    def _order(self, order_id: str, legs: int, count: int) -> Order:
        before = self.before
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
            id=order_id, case_id=f"case-{self.count}", robot_id="acme/r1", stops=tuple(stops)
        )

    def send_order(self) -> None:
        """The broker takes the order; it may be lost behind it."""
        assert self.attempt is not None
        self.move(on.OrderOut(order_id=self.attempt.order_id))
        if not self._lost():
            self.hear(self.vehicle.received("order", self.parcel, self.now))

    def call_off(self) -> None:
        """The desk doesn't want it any more."""
        self.move(on.CalledOff(reason="no longer needed", actor="desk:desk"))

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
        self.check(report, attempt, event)
        if event is not None:
            self.events.append(event)
            self.move(event)

    def check(self, report: RobotReport, attempt: Assignment, event: on.Event | None) -> None:
        """The promise: what is read is what the ledger says."""
        really = self.execution(attempt.order_id)
        outcome = None if really is None else really.outcome
        if self.present:
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
                assert outcome is Outcome.RUNNING or (outcome is not None and not self.present)

    def _count(self, kind: str) -> None:
        headers = {**self.robot.headers, kind: self.robot.headers.get(kind, 0) + 1}
        self.robot = replace(self.robot, headers=headers)

    def _lost(self) -> bool:
        return self.lossy and self.chance.random() < 0.25


class EvidenceMachine(RuleBasedStateMachine):
    """Orders, refusals, cancels, breakdowns and restarts in any order."""

    @initialize(
        version=st.sampled_from(["2.0.0", "2.1.0"]), chance=st.randoms(use_true_random=False)
    )
    def begin(self, version: Version, chance: random.Random) -> None:
        self.site = Site(version, chance)

    @precondition(lambda self: self.site.attempt is None)
    @rule(legs=st.integers(0, 2), count=st.integers(1, 2))
    def assign(self, legs: int, count: int) -> None:
        self.site.assign(legs, count)
        self.site.send_order()

    @precondition(lambda self: self._sent())
    @rule()
    def send_again(self) -> None:
        self.site.send_order()

    @precondition(lambda self: self.site.attempt is not None)
    @rule()
    def call_off(self) -> None:
        self.site.call_off()

    @precondition(lambda self: self._stopping())
    @rule()
    def cancel(self) -> None:
        self.site.send_cancel()

    @rule(seconds=st.sampled_from([0.5, 2.0, 5.0, 12.0]))
    def wait(self, seconds: float) -> None:
        self.site.wait(seconds)

    @rule()
    def ask(self) -> None:
        self.site.ask()

    @rule(mood=st.sampled_from(sorted(MOODS)))
    def change_mood(self, mood: str) -> None:
        self.site.feel(MOODS[mood])

    @rule()
    def reboot(self) -> None:
        self.site.reboot()

    def teardown(self) -> None:
        """In a world that is well again, every attempt ends, and rightly."""
        site = getattr(self, "site", None)
        if site is None:
            return
        site.lossy = False
        site.feel(BEHAVED)
        for _ in range(200):
            attempt = site.attempt
            if attempt is None:
                return
            if attempt.state in {AssignmentState.STOPPING, AssignmentState.UNCERTAIN}:
                site.send_cancel()
            elif attempt.accepted_at is None:
                site.send_order()
            site.wait(5.0)
            site.ask()
        pytest.fail(f"never ended: {site.attempt}")

    def _sent(self) -> bool:
        attempt = self.site.attempt
        return attempt is not None and attempt.state is AssignmentState.SENT

    def _stopping(self) -> bool:
        attempt = self.site.attempt
        return attempt is not None and bool(attempt.cancel_id)


TestEvidence = EvidenceMachine.TestCase
TestEvidence.settings = settings(max_examples=80, stateful_step_count=25)


# Single states, such as real vehicles and the simulated one never send, or seldom.


def attempt_of(state: AssignmentState, **more: Any) -> Assignment:
    place = Place(node_id="goal", x=0.0, y=0.0, map_id="m")
    home = Stop(place=replace(place, node_id="home"))
    goal = Stop(place=place, actions=(Action(id="a1", type="pick"), Action(id="a2", type="drop")))
    order = Order(id="o1", case_id="c1", robot_id="acme/r1", stops=(home, goal))
    return Assignment(
        order_id="o1",
        case_id="c1",
        attempt=1,
        robot_id="acme/r1",
        state=state,
        order=order,
        assigned_at=START,
        **more,
    )


def report_of(**more: Any) -> RobotReport:
    whole = RobotReport(
        robot_id="acme/r1",
        received_at=START,
        reported_at=START,
        header_id=7,
        order_id="o1",
        order_update_id=0,
        last_node_id="home",
        last_sequence_id=0,
        nodes_left=0,
        edges_left=0,
        driving=False,
        paused=False,
        mode="AUTOMATIC",
        e_stop=False,
        battery=50.0,
        charging=False,
        position=None,
    )
    return replace(whole, **more)


def actions(*statuses: str) -> tuple[ActionReport, ...]:
    return tuple(
        ActionReport(id=f"a{n}", type="pick", status=status)
        for n, status in enumerate(statuses, start=1)
    )


EXECUTING = attempt_of(AssignmentState.EXECUTING, accepted_at=START)
SENT = attempt_of(AssignmentState.SENT)
STOPPING = attempt_of(AssignmentState.STOPPING, accepted_at=START, cancel_id="x")


def test_done_actions_need_no_sequence_id() -> None:
    done = report_of(actions=actions("FINISHED", "FINISHED"))
    assert isinstance(read(done, None, EXECUTING, 0), on.Finished)


def test_actions_that_are_no_longer_told_prove_nothing() -> None:
    cleared = report_of(last_sequence_id=2, last_node_id="goal")
    assert read(cleared, None, EXECUTING, 0) is None
    assert isinstance(read(cleared, None, SENT, 0), on.Accepted)
    stopped = read(cleared, None, STOPPING, 0)
    assert isinstance(stopped, on.Stopped)
    assert not stopped.undone


def test_a_robot_that_tells_one_action_as_failed_has_failed() -> None:
    assert isinstance(read(report_of(actions=actions("FAILED")), None, EXECUTING, 0), on.WorkFailed)


def test_the_sequence_id_of_an_earlier_order_is_no_start() -> None:
    fresh = report_of(
        last_sequence_id=8, nodes_left=1, edges_left=1, actions=actions("WAITING", "WAITING")
    )
    assert isinstance(read(fresh, None, SENT, 0), on.Accepted)
    assert isinstance(read(replace(fresh, driving=True), None, SENT, 0), on.Started)


def test_an_error_that_names_no_order_refuses_only_when_it_is_new() -> None:
    error = RobotError(type="orderError", level="WARNING")
    with_it = report_of(order_id="", errors=(error,))
    without = report_of(order_id="")
    assert isinstance(read(with_it, without, SENT, 0), on.Refused)
    assert read(with_it, with_it, SENT, 0) is None
    assert read(with_it, None, SENT, 0) is None  # the gateway has just started


@pytest.mark.parametrize("error_type", ["validationError", "instantActionError", "lowBattery"])
def test_an_error_that_may_be_about_anything_does_not_refuse(error_type: str) -> None:
    error = RobotError(type=error_type, level="WARNING")
    event = read(report_of(order_id="", errors=(error,)), report_of(order_id=""), SENT, 0)
    assert event is None


def test_a_robot_that_has_restarted_does_not_refuse_by_an_error() -> None:
    error = RobotError(type="orderError", level="WARNING", references=(("orderId", "o1"),))
    refusing = report_of(order_id="", errors=(error,))
    assert read(refusing, None, SENT, 1) is None  # it may have begun the order before
    assert isinstance(read(refusing, None, SENT, 0), on.Refused)


def test_an_error_about_this_order_refuses_whatever_its_type() -> None:
    error = RobotError(type="validationError", level="WARNING", references=(("orderId", "o1"),))
    refusing = report_of(order_id="other", errors=(error,))
    assert isinstance(read(refusing, None, SENT, 0), on.Refused)
    failed = replace(error, type="actionError", references=(*error.references, ("actionId", "a1")))
    assert read(report_of(order_id="", errors=(failed,)), None, SENT, 0) is None


def test_a_cancel_that_found_nothing_after_a_restart_does_not_prove_undone() -> None:
    word = (ActionReport(id="x", type="cancelOrder", status="FAILED"),)
    sent = attempt_of(AssignmentState.STOPPING, cancel_id="x")
    event = read(report_of(order_id="", actions=word), None, sent, 1)
    assert isinstance(event, on.Stopped)
    assert not event.undone
    event = read(report_of(order_id="", actions=word), None, sent, 0)
    assert isinstance(event, on.Stopped)
    assert event.undone
