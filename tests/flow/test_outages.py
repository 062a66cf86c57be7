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


def test_an_order_that_never_left_is_taken_back_once_its_robot_was_heard() -> None:
    world = working_world()
    away(world, 600)
    go_on(world, 100)
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert outcomes(world) == [Outcome.FINISHED]


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
