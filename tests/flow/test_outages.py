"""The gateway was away for long: robots went on, and no deadline may blame them for its absence."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from dragoman.domain.case import CaseState
from dragoman.domain.policy import Policy
from dragoman.testing.robots.ledger import Outcome
from dragoman.testing.robots.misbehaviour import Misbehaviour
from dragoman.testing.robots.vehicle import Vehicle
from dragoman.testing.sim import World, broken, unfinished
from dragoman.testing.sim import gateway as sim
from dragoman.testing.sim.storm import Storm
from tests.flow.test_scenes import actions, go_on, only_case, robot_of, working_world

POLICY = Policy()
BLAMED = {"case.stopping", "case.held", "case.uncertain", "case.reminder", "case.requeued"}


class LongWork(World):
    """Robots whose one action takes longer than the grace, and less than a window of progress."""

    def _vehicles(self, count: int) -> Sequence[Vehicle]:
        now = self.clock.now()
        return [Vehicle(replace(v.profile, action_s=100.0), now) for v in super()._vehicles(count)]


def away(world: World, seconds: float) -> None:
    """The gateway is away; what robots say meanwhile, nobody hears. Then the timer is first."""
    world.sync()
    for _ in range(int(seconds)):
        world.pass_time(1.0)
        for robot_id in world.vehicles:
            while world.fleet.down[robot_id]:
                world.robot_reads(robot_id)
            world.fleet.up[robot_id].clear()
    world.crash()
    world.fire()


def outcomes(world: World) -> list[Outcome]:
    return [e.outcome for vehicle in world.vehicles.values() for e in vehicle.ledger.executions]


def test_a_robot_that_went_on_with_its_work_is_not_stopped() -> None:
    """Its first word comes late; what it got done meanwhile gives it a whole window again."""
    world = working_world(LongWork(2))
    go_on(world, 1)
    case = only_case(world)
    assert case.state is CaseState.EXECUTING
    away(world, 70)
    assert case.due_at is not None
    assert case.due_at < world.clock.now()
    go_on(world, 60)
    assert outcomes(world) == [Outcome.FINISHED]
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert not BLAMED & set(actions(world))


def test_a_robot_that_got_nothing_done_meanwhile_has_had_its_time() -> None:
    world = working_world()
    go_on(world, 1)
    world.misbehave(robot_of(world), Misbehaviour(frozen=True))
    away(world, 3600)
    assert only_case(world).state is CaseState.EXECUTING
    go_on(world, POLICY.start_grace + POLICY.stop_within + 5)
    assert only_case(world).state is CaseState.UNCERTAIN
    assert not list(broken(world))


def test_work_done_unheard_while_the_gateway_was_away_is_done() -> None:
    """The order's mark was lost, too: as far as the journal goes, it has never left."""
    world = working_world()
    (key,) = [key for key in world.lanes() if key[0].startswith("fleet:")]
    world.carry(key, die_after=True)
    away(world, 600)
    assert only_case(world).state is CaseState.ASSIGNED
    go_on(world, 5)
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert outcomes(world) == [Outcome.FINISHED]


def test_an_order_that_may_have_left_is_taken_back_once_its_robot_was_heard() -> None:
    """It never did, but the journal can't tell; so only a person says that it may be done again."""
    world = working_world()
    away(world, 600)
    go_on(world, 100)
    case = only_case(world)
    assert case.state is CaseState.HELD
    assert "may have done it" in case.reason
    assert outcomes(world) == []
    world.act(case.id, "release")
    go_on(world, 60)
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert outcomes(world) == [Outcome.FINISHED]


def done_and_forgotten(world: World, seconds: float) -> None:
    """The order's robot does the work and restarts; of all that, nobody hears for so long."""
    robot = robot_of(world)
    (key,) = [key for key in world.lanes() if key[0].startswith("fleet:")]
    world.carry(key, die_after=True)
    world.robot_reads(robot)
    unheard(world, 30)
    assert outcomes(world) == [Outcome.FINISHED]
    world.reboot(robot)
    unheard(world, seconds)


def unheard(world: World, seconds: float) -> None:
    for _ in range(int(seconds)):
        world.pass_time(1.0)
        for wire in world.fleet.up.values():
            wire.clear()


@pytest.mark.parametrize("counted_on", [1, 1200])
def test_work_done_and_forgotten_in_the_outage_is_not_done_again(counted_on: float) -> None:
    """However far the robot's header has counted on since, past the last one journalled."""
    world = working_world()
    done_and_forgotten(world, counted_on)
    world.crash()
    go_on(world, 300)
    assert outcomes(world) == [Outcome.FINISHED]
    assert only_case(world).state is CaseState.HELD
    assert "may have done it" in only_case(world).reason
    assert not list(broken(world))


def test_work_forgotten_while_a_robot_was_not_heard_after_a_start_is_not_done_again() -> None:
    """The outage was short, but the robot's states came through only long after it."""
    world = working_world()
    (key,) = [key for key in world.lanes() if key[0].startswith("fleet:")]
    world.carry(key)
    world.robot_reads(robot_of(world))
    world.crash()
    assert "order.doubtful" not in actions(world)
    unheard(world, 30)
    world.reboot(robot_of(world))
    unheard(world, 10)
    go_on(world, 300)
    assert "order.doubtful" in actions(world)
    assert outcomes(world) == [Outcome.FINISHED]
    assert only_case(world).state is CaseState.HELD


def test_repeatable_work_needs_no_person_after_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim, "MISSION", replace(sim.MISSION, repeatable=True))
    world = working_world()
    away(world, 600)
    go_on(world, 150)
    assert world.desk.tickets["1"].told[-1][1] == "done"


def test_a_short_outage_leaves_no_doubt() -> None:
    world = working_world()
    (key,) = [key for key in world.lanes() if key[0].startswith("fleet:")]
    world.carry(key)
    world.fleet.down[robot_of(world)].clear()
    away(world, 3)
    go_on(world, 120)
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert not {"order.doubtful", "case.held"} & set(actions(world))


@pytest.mark.parametrize(("seconds", "again"), [(1, True), (600, False)])
def test_only_a_young_order_goes_out_again(seconds: float, again: bool) -> None:
    """A robot that did it long ago, and restarted since, would do it twice."""
    world = working_world()
    robot = robot_of(world)
    (key,) = [key for key in world.lanes() if key[0].startswith("fleet:")]
    world.carry(key)
    assert only_case(world).state is CaseState.ORDERED
    world.fleet.down[robot].clear()
    away(world, seconds)
    world.sync()
    for lane in world.lanes():
        world.carry(lane)
    assert ("order" in [kind for kind, _ in world.fleet.down[robot]]) is again
    assert "case.stopping" not in actions(world)


def test_an_order_that_a_robot_does_not_show_waits_no_longer_than_usual() -> None:
    """The grace is for robots that are not heard yet; this one speaks at once."""
    world = working_world()
    (key,) = [key for key in world.lanes() if key[0].startswith("fleet:")]
    world.carry(key)
    world.fleet.down[robot_of(world)].clear()
    away(world, POLICY.accept_within + 2)
    go_on(world, POLICY.accept_within + 15)
    assert world.desk.tickets["1"].told[-1][1] == "done"


def test_a_case_that_waits_for_a_robot_waits_anew() -> None:
    world = World(0)
    world.desk.open("dock")
    world.settle()
    away(world, 3600)
    case = only_case(world)
    assert case.state is CaseState.QUEUED
    assert case.due_at == world.clock.now() + timedelta(seconds=POLICY.assign_within)
    go_on(world, POLICY.assign_within + 1)
    assert only_case(world).state is CaseState.HELD


def test_a_robot_that_is_being_stopped_is_asked_anew() -> None:
    world = working_world(LongWork(2))
    go_on(world, 1)
    robot = robot_of(world)
    world.act(only_case(world).id, "cancel")
    world.fleet.down[robot].clear()
    away(world, 600)
    assert only_case(world).state is CaseState.STOPPING
    go_on(world, 5)
    assert not world.kit.site.cases
    assert "case.uncertain" not in actions(world)
    assert not list(unfinished(world))


@pytest.mark.parametrize("seed", range(24))
def test_no_start_blames_anybody_before_robots_were_heard(seed: int) -> None:
    """From any state of a site, after any outage; and each wait still has its end (G3)."""
    storm = Storm(seed)
    assert not storm.blow(80)
    world = storm.world
    world.sync()
    known = len(world.journal.store.entries)
    before = {case.id: case.due_at for case in world.kit.site.cases.values()}
    away(world, 20 * seed * seed)
    world.sync()
    told = [entry.action for entry in world.journal.store.entries[known:]]
    assert not BLAMED & set(told)
    assert not list(broken(world))
    for case in world.kit.site.cases.values():
        was = before[case.id]
        assert was is not None
        assert case.due_at is not None
        assert case.due_at >= was
        assert case.due_at > world.clock.now()
    assert storm.calm() == []


def test_an_order_that_may_have_been_forgotten_is_never_sent_again() -> None:
    """The patience with the broker is longer than a robot needs to do the order and restart."""
    world = working_world(World(2, policy=replace(Policy(), publish_within=300.0)))
    done_and_forgotten(world, 1)
    world.crash()
    world.fleet.broker_up = False  # so that the order waits in the outbox
    go_on(world, 60)
    world.fleet.broker_up = True
    go_on(world, 200)
    assert "case.ordered" not in actions(world)
    assert outcomes(world) == [Outcome.FINISHED]


def test_an_order_that_becomes_doubtful_while_it_waits_is_never_sent_again() -> None:
    """It was young at the start, and the robot is heard only later, before the broker takes it."""
    world = working_world(World(2, policy=replace(Policy(), publish_within=300.0)))
    robot = robot_of(world)
    (key,) = [key for key in world.lanes() if key[0].startswith("fleet:")]
    world.carry(key, die_after=True)
    world.robot_reads(robot)
    world.fleet.broker_up = False
    unheard(world, 30)
    world.reboot(robot)
    unheard(world, 1)
    go_on(world, 60)
    assert "order.doubtful" in actions(world)
    world.fleet.broker_up = True
    go_on(world, 400)
    assert "case.ordered" not in actions(world)
    assert outcomes(world) == [Outcome.FINISHED]
    assert only_case(world).state is CaseState.HELD
