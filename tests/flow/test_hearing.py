"""Which messages of a robot count: late ones, a link that came back, and silence after a start."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dragoman.domain.robot import (
    UNLISTED,
    BadMessage,
    Link,
    LinkReport,
    Presence,
    Robot,
    RobotReport,
)
from dragoman.testing.sim import World
from tests.flow.test_scenes import actions, go_on

ID = "dragoman/r0"


def quiet_world() -> World:
    """One idle robot, heard for a while."""
    world = World(1)
    go_on(world, 40)
    return world


def robot(world: World) -> Robot:
    return world.kit.site.robots[ID]


def newest(world: World) -> RobotReport:
    return world.track.latest[ID]


def breaks(world: World, *, retained: bool = False) -> None:
    now = world.clock.now()
    report = LinkReport(
        robot_id=ID,
        received_at=now,
        reported_at=now,
        header_id=1,
        link=Link.BROKEN,
        retained=retained,
    )
    world.commit(world.track.observe(report))


def says(world: World, **more: object) -> None:
    """The robot's next state, but for what is given."""
    now = world.clock.now()
    known = newest(world)
    usual = replace(known, received_at=now, reported_at=now, header_id=known.header_id + 1)
    world.commit(world.track.observe(replace(usual, **more)))  # type: ignore[arg-type]  # fields of a report


def test_a_link_that_broke_is_up_again_by_states_that_keep_coming() -> None:
    world = quiet_world()
    breaks(world)
    world.clock.advance(1)
    says(world)
    assert robot(world).link is Link.BROKEN  # it was under way when the last will was published
    world.clock.advance(3)
    says(world)
    assert robot(world).link is Link.ONLINE
    world.desk.open("dock")
    go_on(world, 30)
    assert world.desk.tickets["1"].told[-1][1] == "done"


@pytest.mark.parametrize("retained", [True, False])
def test_a_link_that_was_down_before_a_start_is_up_by_states_that_keep_coming(
    retained: bool,
) -> None:
    world = quiet_world()
    breaks(world)
    world.sync()
    world.crash()
    if retained:
        breaks(world, retained=True)
    world.settle()  # one state may have been under way
    assert robot(world).link is Link.BROKEN
    go_on(world, 35)
    assert robot(world).link is Link.ONLINE


def test_a_robot_is_silent_from_a_start_on_until_it_is_heard() -> None:
    world = quiet_world()
    assert robot(world).presence is Presence.FRESH
    world.sync()
    world.crash()
    assert robot(world).presence is Presence.SILENT
    world.settle()
    assert robot(world).presence is Presence.FRESH


def test_a_late_copy_of_an_old_state_is_no_restart() -> None:
    world = World(1)
    world.settle()
    world.desk.open("dock")
    at_work = None
    for _ in range(20):
        go_on(world, 1)
        at_work = newest(world) if not newest(world).idle else at_work
    assert at_work is not None
    for seconds in (3, 7, 7, 20):
        world.clock.advance(seconds)
        late = replace(at_work, received_at=world.clock.now())
        world.commit(world.track.observe(late))
    assert robot(world).boots == 0
    assert robot(world).quarantined == ""
    assert world.track.counters.outdated == 4
    says(world)
    assert world.track.counters.outdated == 4


def test_a_restart_with_a_clock_in_the_past_is_seen_by_its_second_state() -> None:
    """And without a word on the connection topic."""
    world = quiet_world()
    for _ in range(20):
        says(world)
    long_ago = world.clock.now() - timedelta(days=9000)
    world.clock.advance(10)
    says(world, header_id=1, reported_at=long_ago)
    assert "robot.restarted" not in actions(world)
    world.clock.advance(10)
    says(world, header_id=2, reported_at=long_ago + timedelta(seconds=10))
    assert "robot.restarted" in actions(world)
    assert robot(world).boots == 1
    assert newest(world).header_id == 2


def test_a_stranger_is_counted_and_told_once() -> None:
    world = quiet_world()
    message = BadMessage(
        robot_id="stranger/1",
        topic="uagv/v2/stranger/1/state",
        kind=UNLISTED,
        detail="fleets.hall.robots doesn't list it",
        received_at=world.clock.now(),
        size=100,
    )
    for _ in range(3):
        world.commit(world.track.observe(message))
    assert world.track.counters.unlisted == 3
    assert world.track.counters.bad == 0
    assert actions(world).count("robot.unlisted") == 1
    assert "stranger/1" not in world.kit.site.robots
