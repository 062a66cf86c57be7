"""A desk's record that was read before its case closed, and is taken in after that."""

from dragoman.domain.case import CaseState
from dragoman.flow.intake import Taken
from dragoman.testing.sim import World
from dragoman.testing.sim.stores import run


def test_a_record_read_before_the_case_closed_makes_no_second_case() -> None:
    """Not even while the closing is under way to the disk, where the case is still open."""
    world = World(1)
    world.settle()
    ticket = world.desk.open("dock")
    read_before = world.desk.tickets[ticket].record()
    world.settle()
    for _ in range(60):
        if next(iter(world.kit.site.cases.values())).state is CaseState.DONE:
            break
        world.pass_time(1.0)
        for robot_id in world.vehicles:
            while world.fleet.up[robot_id]:
                world.hear(robot_id)
        world.sync()
    for _ in range(10):
        for lane in world.lanes():
            world.carry(lane)  # no sync after this: the closing isn't durable
    assert not world.kit.site.cases
    taken, change = run(world.intake.record(read_before))
    assert taken is Taken.KNOWN
    assert not change
