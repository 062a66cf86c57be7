"""Scenes that matter by name, over a simulated site: one fault each, and what must come of it."""

from dataclasses import replace

import pytest

from dragoman.domain.case import Case, CaseState
from dragoman.domain.reopening import Reopened
from dragoman.flow.intake import Taken
from dragoman.testing.robots.misbehaviour import BEHAVED, Misbehaviour
from dragoman.testing.sim import World, broken, unfinished
from dragoman.testing.sim import gateway as sim
from dragoman.testing.sim.stores import run


def working_world(world: World | None = None) -> World:
    """A site with one ticket whose order has just left for its robot, r1, and no time passed."""
    world = world or World()
    world.settle()
    world.desk.open("dock")
    world.poll()
    world.assign()
    world.sync()
    return world


def only_case(world: World) -> Case:
    (case,) = world.kit.site.cases.values()
    return case


def robot_of(world: World) -> str:
    return world.kit.site.assignments[only_case(world).order_id].robot_id


def actions(world: World) -> list[str]:
    world.sync()
    return [entry.action for entry in world.journal.store.entries]


def go_on(world: World, seconds: float) -> None:
    """Everything works, for so long, without mending anything."""
    for _ in range(int(seconds)):
        world.settle()
        world.pass_time(1.0)
        world.fire()
    world.settle()


def forget_everything(world: World) -> None:
    """The robot does the work unheard, and restarts."""
    robot = robot_of(world)
    world.settle()
    world.pass_time(30)
    assert not world.is_running(only_case(world).order_id)
    world.fleet.up[robot].clear()
    world.reboot(robot)
    go_on(world, 30)


def test_a_robot_that_may_have_done_it_and_forgot_is_not_replaced() -> None:
    world = working_world()
    forget_everything(world)
    assert only_case(world).state is CaseState.HELD
    assert "may have done it" in only_case(world).reason
    assert not list(broken(world))


def test_repeatable_work_is_given_to_another_robot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim, "MISSION", replace(sim.MISSION, repeatable=True))
    world = working_world()
    forget_everything(world)
    assert world.desk.tickets["1"].told[-1][1] == "done"


def test_an_order_that_was_denied_and_shows_up_later_is_stopped() -> None:
    world = working_world()
    robot = robot_of(world)
    world.misbehave(robot, Misbehaviour(slow_acceptance_s=11.0))
    go_on(world, 11)
    assert world.kit.site.robots[robot].bound == ""
    go_on(world, 20)
    assert world.kit.site.robots[robot].quarantined
    outcomes = [e.outcome.value for e in world.vehicles[robot].ledger.executions]
    assert outcomes == ["cancelled"]


@pytest.mark.parametrize("phase", ["cancelled", "closed"])
def test_a_ticket_closed_mid_work_frees_the_robot(phase: str) -> None:
    world = working_world()
    robot = robot_of(world)
    go_on(world, 1)
    world.desk.change("1", phase=phase)
    go_on(world, 5)
    assert world.kit.site.robots[robot].bound == ""
    assert not world.kit.site.cases
    assert [e.outcome.value for e in world.vehicles[robot].ledger.executions] == ["cancelled"]


def test_a_ticket_moved_mid_work_is_done_at_the_new_place() -> None:
    world = working_world()
    go_on(world, 1)
    world.desk.change("1", location="lab")
    go_on(world, 40)
    assert world.desk.tickets["1"].told[-1][1] == "done"
    outcomes = [
        (e.outcome.value, e.order_id[-1])
        for vehicle in world.vehicles.values()
        for e in vehicle.ledger.executions
    ]
    assert sorted(outcomes) == [("cancelled", "1"), ("finished", "2")]


@pytest.mark.parametrize(
    ("edit", "outcome"), [({"location": "lab"}, "done"), ({"phase": "cancelled"}, "cancelled")]
)
def test_an_edit_between_a_poll_and_our_own_write_is_noticed(
    edit: dict[str, str], outcome: str
) -> None:
    world = World(1)
    world.settle()
    world.desk.open("dock")
    world.poll()
    world.sync()
    world.desk.change("1", **edit)
    for key in world.lanes():
        world.carry(key)  # "queued" is written over the edit, whose version is ours from then on
    go_on(world, 40)
    assert world.desk.tickets["1"].told[-1][1] == outcome
    done = [e for v in world.vehicles.values() for e in v.ledger.executions]
    assert [e.outcome.value for e in done] == (["finished"] if outcome == "done" else [])
    received = next(iter(world.journal.store.tables[Case].values()))
    assert isinstance(received, Case)
    assert received.location == edit.get("location", "dock")


@pytest.mark.parametrize("soon", [False, True])
def test_a_ticket_cancelled_by_mistake_and_reopened_is_done(soon: bool) -> None:
    """soon: before its robot has stopped, so that the desk was never told of the end."""
    world = working_world()
    go_on(world, 1)
    world.desk.change("1", phase="cancelled")
    if soon:
        world.poll()
        world.pass_time(1)
        world.desk.change("1", phase="open")
        world.desk.keeps_open.add("1")
    else:
        go_on(world, 60)
        assert not world.kit.site.cases
        world.desk.change("1", phase="open")
    go_on(world, 90)
    outcomes = [e.outcome.value for v in world.vehicles.values() for e in v.ledger.executions]
    assert sorted(outcomes) == ["cancelled", "finished"]
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert actions(world).count("intake.reopened") == 1
    assert not list(broken(world))


def test_a_case_that_an_operator_cancelled_is_not_done_because_its_ticket_is_open() -> None:
    world = working_world()
    go_on(world, 1)
    world.desk.keeps_open.add("1")
    world.act(only_case(world).id, "cancel")
    go_on(world, 30)
    assert not world.kit.site.cases
    world.desk.change("1", title="thanks")
    go_on(world, 60)
    assert "intake.reopened" not in actions(world)
    outcomes = [e.outcome.value for v in world.vehicles.values() for e in v.ledger.executions]
    assert outcomes == ["cancelled"]


@pytest.mark.parametrize("policy", list(Reopened))
def test_a_ticket_reopened_after_the_work_was_done_waits_for_a_person(policy: Reopened) -> None:
    world = working_world()
    world.intake = replace(world.intake, reopened=policy)
    go_on(world, 60)
    world.desk.change("1", phase="open")
    go_on(world, 60)
    world.desk.change("1", title="and still waiting")
    go_on(world, 60)
    assert actions(world).count("intake.reopened") == 1
    letters = [d for d in world.kit.site.deliveries() if d.target == "intake:sim"]
    assert len(letters) == (0 if policy is Reopened.IGNORE else 1)
    assert not world.kit.site.cases
    for letter in letters:
        taken, change = run(world.intake.record(world.desk.tickets["1"].record(), again=True))
        assert taken is Taken.NEW
        assert {d.id: d.state.value for d in change.deliveries}[letter.id] == "failed"


def test_the_more_urgent_ticket_goes_first() -> None:
    world = World(1)
    world.settle()
    for place in ("dock", "hall", "lab"):
        world.desk.open(place)
    world.desk.change("3", priority="1")
    go_on(world, 60)
    done = sorted(
        (e.started_at, e.case_ref)
        for vehicle in world.vehicles.values()
        for e in vehicle.ledger.executions
    )
    assert done[0][1] == "SIM3"


def test_a_frozen_robot_makes_the_case_uncertain_and_no_other_gets_it() -> None:
    world = working_world()
    robot = robot_of(world)
    world.misbehave(robot, Misbehaviour(frozen=True))
    go_on(world, 60)
    assert only_case(world).state is CaseState.UNCERTAIN
    assert "uncertain" in [status for _, status in world.desk.tickets["1"].told]
    world.misbehave(robot, BEHAVED)
    go_on(world, 120)
    assert not list(unfinished(world))
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert not list(broken(world))


def test_a_robot_that_reads_the_stop_after_it_was_found_at_work_is_no_failure() -> None:
    """As a vehicle does that was frozen: its state goes out before it reads what waits for it."""
    world = working_world()
    robot = robot_of(world)
    go_on(world, 1)
    world.misbehave(robot, Misbehaviour(frozen=True))
    for _ in range(120):  # what the gateway sends waits at the robot
        world.pass_time(1.0)
        world.fire()
        world.sync()
        for lane in world.lanes():
            world.carry(lane)
    assert only_case(world).state is CaseState.UNCERTAIN
    wire = list(world.fleet.down[robot])
    world.fleet.down[robot].clear()
    world.misbehave(robot, BEHAVED)
    world.pass_time(0.1)
    while world.fleet.up[robot]:
        world.hear(robot)
    assert only_case(world).state is CaseState.EXECUTING
    world.fleet.down[robot].extend(wire)
    go_on(world, 60)
    assert "case.failed" not in actions(world)
    assert only_case(world).state is CaseState.HELD  # by the reason of the stop: no progress
    assert world.kit.site.robots[robot].bound == ""
    assert not list(broken(world))


def test_a_robot_that_rejects_is_excluded_and_the_next_one_does_it() -> None:
    world = working_world()
    robot = robot_of(world)
    world.misbehave(robot, Misbehaviour(reject="orderError"))
    go_on(world, 40)
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert "case.requeued" in actions(world)
    assert not world.vehicles[robot].ledger.executions


def test_a_robot_that_refuses_the_second_copy_may_still_take_the_first() -> None:
    world = working_world()
    robot = robot_of(world)
    world.misbehave(robot, Misbehaviour(slow_acceptance_s=3.5))
    world.settle()
    world.misbehave(robot, Misbehaviour(reject="orderUpdateError", rejects=1))
    go_on(world, 40)
    assert "order.copy_refused" in actions(world)
    assert "case.requeued" not in actions(world)
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert not list(broken(world))


def test_when_all_robots_reject_a_person_is_asked_with_every_reason() -> None:
    world = working_world()
    for robot in world.vehicles:
        world.misbehave(robot, Misbehaviour(reject="orderError"))
    go_on(world, 1000)
    case = only_case(world)
    assert case.state is CaseState.HELD
    for robot in world.vehicles:
        assert robot in case.reason or case.excluded[robot]


def test_an_unknown_place_is_held_and_an_edit_at_the_desk_releases_it() -> None:
    world = World(1)
    world.settle()
    world.desk.open("nowhere")
    go_on(world, 2)
    assert only_case(world).state is CaseState.HELD
    assert "'nowhere'" in only_case(world).reason
    world.desk.change("1", location="dock")
    go_on(world, 30)
    assert world.desk.tickets["1"].told[-1][1] == "done"


def test_a_refused_write_is_a_dead_letter_and_keeps_the_order_behind_it() -> None:
    world = working_world()
    world.desk.refuse.append("refuse")
    go_on(world, 60)
    (lane,) = [lane for key, lane in world.kit.site.lanes.items() if key[0] == "desk:sim"]
    states = [delivery.state.value for delivery in lane.values()]
    assert states[0] == "dead"
    assert set(states[1:]) == {"queued"}
    assert world.kit.site.robots[next(iter(world.vehicles))].bound == ""
    assert only_case(world).state is CaseState.DONE


def test_a_robot_that_fails_fails_the_case_and_a_person_takes_over() -> None:
    world = working_world()
    world.misbehave(robot_of(world), Misbehaviour(fail_actions=True))
    go_on(world, 60)
    assert world.desk.tickets["1"].told[-1][1] == "failed"
    assert not world.kit.site.cases


def test_a_kill_between_sending_and_marking_sends_the_same_bytes_again() -> None:
    world = working_world()
    robot = robot_of(world)
    (key,) = [key for key in world.lanes() if key[0].startswith("fleet:")]
    world.carry(key, die_after=True)
    go_on(world, 60)
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert [e.outcome.value for e in world.vehicles[robot].ledger.executions] == ["finished"]
