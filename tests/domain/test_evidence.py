"""What states mean for an order: held against a vehicle whose ledger knows what really happened."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from dragoman.domain import events as on
from dragoman.domain.evidence import forgetful, read
from dragoman.domain.order import Action, Assignment, AssignmentState, Order, Place, Stop
from dragoman.domain.policy import Policy
from dragoman.domain.robot import ActionReport, RobotError, RobotReport
from dragoman.testing.fakes.fleet import standing
from dragoman.testing.robots import (
    BEHAVED,
)
from dragoman.testing.robots.profile import Version
from tests.domain.one_vehicle import MOODS, START, Site


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
        self.site.move(on.CalledOff(reason="no longer needed", actor="desk:desk"))

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
    return replace(standing("acme/r1", START), **{"header_id": 7, "order_id": "o1", **more})


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
    just_started = read(with_it, None, SENT, 0)  # of the gateway: the error may be an old one
    assert isinstance(just_started, on.Unshown)


@pytest.mark.parametrize("error_type", ["validationError", "instantActionError", "lowBattery"])
def test_an_error_that_may_be_about_anything_does_not_refuse(error_type: str) -> None:
    error = RobotError(type=error_type, level="WARNING")
    event = read(report_of(order_id="", errors=(error,)), report_of(order_id=""), SENT, 0)
    assert event is None


def test_a_robot_that_has_restarted_does_not_refuse_by_an_error() -> None:
    error = RobotError(type="orderError", level="WARNING", references=(("orderId", "o1"),))
    refusing = report_of(order_id="", errors=(error,))
    # it may have begun the order before
    assert not isinstance(read(refusing, None, SENT, 1), on.Refused)
    assert isinstance(read(refusing, None, SENT, 0), on.Refused)


def test_an_error_about_this_order_refuses_whatever_its_type() -> None:
    error = RobotError(type="validationError", level="WARNING", references=(("orderId", "o1"),))
    refusing = report_of(order_id="other", errors=(error,))
    assert isinstance(read(refusing, None, SENT, 0), on.Refused)
    failed = replace(error, type="actionError", references=(*error.references, ("actionId", "a1")))
    failing = report_of(order_id="", errors=(failed,))
    assert not isinstance(read(failing, None, SENT, 0), on.Refused)


def test_a_cancel_that_found_nothing_after_a_restart_does_not_prove_undone() -> None:
    word = (ActionReport(id="x", type="cancelOrder", status="FAILED"),)
    sent = attempt_of(AssignmentState.STOPPING, cancel_id="x")
    event = read(report_of(order_id="", actions=word), None, sent, 1)
    assert isinstance(event, on.Stopped)
    assert not event.undone
    event = read(report_of(order_id="", actions=word), None, sent, 0)
    assert isinstance(event, on.Stopped)
    assert event.undone


@pytest.mark.parametrize(
    ("heard_s", "header", "order", "state", "doubted"),
    [
        (60, 5, "", "sent", True),
        (19, 5, "", "sent", False),  # too soon for an order and a restart
        (60, 3001, "", "sent", False),  # a counter that started anew could not be so high
        (60, 5, "o1", "sent", False),
        (60, 5, "", "accepted", False),  # dealt with as an order that was taken
    ],
)
def test_a_robot_first_heard_long_after_its_order_may_have_forgotten_it(
    heard_s: float, header: int, order: str, state: str, doubted: bool
) -> None:
    at = START + timedelta(seconds=heard_s)
    report = report_of(order_id=order, header_id=header, received_at=at)
    attempt = SENT if state == "sent" else EXECUTING
    assert forgetful(report, None, attempt, Policy()) is doubted


def test_a_state_of_the_journal_shortens_the_time_in_which_a_robot_was_not_heard() -> None:
    at = START + timedelta(seconds=60)
    report = report_of(order_id="", received_at=at)
    kept = replace(report, received_at=at - timedelta(seconds=19))
    assert not forgetful(report, kept, SENT, Policy())
