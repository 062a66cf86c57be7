"""The broker is away: no robot is bound for it, and no person is asked about what never left."""

from dataclasses import replace

from dragoman.domain.case import CaseState
from dragoman.domain.policy import Policy
from dragoman.testing.sim import World, broken
from tests.flow.test_outages import outcomes
from tests.flow.test_scenes import actions, go_on, only_case, robot_of, working_world


def bound(world: World) -> list[str]:
    return [robot.id for robot in world.kit.site.robots.values() if robot.bound]


def test_no_robot_of_a_fleet_that_is_not_connected_is_chosen() -> None:
    world = World(2)
    world.settle()
    world.fleet.broker_up = False
    world.desk.open("dock")
    go_on(world, 30)
    assert only_case(world).state is CaseState.QUEUED
    assert not bound(world)
    why = world.assigner.why_waiting(only_case(world), world.track.latest)
    assert why == "2 × its fleet sim is not connected"
    world.fleet.broker_up = True
    go_on(world, 30)
    assert world.desk.tickets["1"].told[-1][1] == "done"


def test_an_order_that_never_left_needs_no_person_and_blames_no_robot() -> None:
    world = working_world(World(1, policy=replace(Policy(), max_attempts=1)))
    world.fleet.broker_up = False
    go_on(world, 30)
    assert only_case(world).state is CaseState.QUEUED
    assert only_case(world).excluded == {}
    assert not bound(world)
    assert "case.stopping" not in actions(world)
    world.fleet.broker_up = True
    go_on(world, 40)
    assert world.desk.tickets["1"].told[-1][1] == "done"
    assert len(outcomes(world)) == 1
    assert not list(broken(world))


def test_an_order_that_may_have_left_before_the_outage_is_taken_back_first() -> None:
    """The gateway was killed between sending and marking, and finds the broker away."""
    world = working_world()
    (key,) = [key for key in world.lanes() if key[0].startswith("fleet:")]
    world.carry(key, die_after=True)
    world.fleet.down[robot_of(world)].clear()
    world.fleet.broker_up = False
    go_on(world, 60)
    assert "case.requeued" not in actions(world)
    assert "case.stopping" in actions(world)
