"""A stop that the desk or a person wants, while the robot does not hear of it, or not in time."""

import pytest

from dragoman.domain.case import CaseState
from dragoman.domain.order import Place
from dragoman.testing.sim import World, broken
from dragoman.testing.sim import gateway as sim
from tests.flow.test_outages import outcomes
from tests.flow.test_scenes import actions, go_on, only_case, robot_of, working_world


def far_off(monkeypatch: pytest.MonkeyPatch) -> World:
    """The robot has the better part of a minute to drive."""
    there = Place(node_id="dock", x=240.0, y=5.0, map_id="map")
    monkeypatch.setitem(sim.PLACES, "dock", there)
    world = working_world()
    go_on(world, 2)
    assert only_case(world).state is CaseState.EXECUTING
    return world


def without_cancels(world: World, seconds: int) -> None:
    """Time goes by, and each cancelOrder is lost on its way."""
    robot = robot_of(world)
    for _ in range(seconds):
        world.poll()
        world.sync()
        for lane in world.lanes():
            world.carry(lane)
        kept = [one for one in world.fleet.down[robot] if b"cancelOrder" not in one[1]]
        world.fleet.down[robot].clear()
        world.fleet.down[robot].extend(kept)
        world.pass_time(1.0)
        while world.fleet.down[robot]:
            world.robot_reads(robot)
        while world.fleet.up[robot]:
            world.hear(robot)
        world.fire()
    world.sync()


@pytest.mark.parametrize("wish", ["hold", "reassign", "edit"])
def test_a_robot_that_comes_back_with_an_order_that_nobody_wants_is_stopped(
    wish: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = far_off(monkeypatch)
    first = robot_of(world)
    if wish == "edit":
        world.desk.change("1", location="lab")
    else:
        world.act(only_case(world).id, wish)
    without_cancels(world, 40)
    assert "case.uncertain" in actions(world)
    assert only_case(world).state is CaseState.STOPPING
    assert "case.resumed" not in actions(world)
    go_on(world, 90)
    assert [e.outcome.value for e in world.vehicles[first].ledger.executions] == ["cancelled"]
    if wish == "hold":
        assert only_case(world).state is CaseState.HELD
    else:
        assert world.desk.tickets["1"].told[-1][1] == "done"
    assert not list(broken(world))


def test_work_that_was_done_at_the_old_place_is_not_told_as_done() -> None:
    world = working_world()
    go_on(world, 1)
    world.desk.change("1", location="lab")
    without_cancels(world, 30)
    case = only_case(world)
    assert case.state is CaseState.HELD
    assert "'dock'" in case.reason
    assert "'lab'" in case.reason
    assert "done" not in [status for _, status in world.desk.tickets["1"].told]
    assert world.kit.site.robots["dragoman/r1"].bound == ""
    assert len(outcomes(world)) == 1
    world.desk.change("1", location="hall")  # no word on whether it should be done again
    go_on(world, 60)
    assert only_case(world).state is CaseState.HELD
    assert len(outcomes(world)) == 1
    world.act(case.id, "release")
    go_on(world, 60)
    assert world.desk.tickets["1"].told[-1][1] == "done"


def test_an_edit_that_was_taken_back_leaves_the_work_done() -> None:
    world = working_world()
    go_on(world, 1)
    world.desk.change("1", location="lab")
    world.poll()
    world.desk.change("1", location="dock")
    without_cancels(world, 30)
    assert world.desk.tickets["1"].told[-1][1] == "done"
