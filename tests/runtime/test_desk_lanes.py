"""Lanes of a desk that a dead letter holds, and what opens them again."""

from dataclasses import replace

from dragoman.domain.delivery import BreakerState, DeliveryState
from dragoman.domain.errors import NotFound, Permanent
from dragoman.domain.robot import RobotError
from dragoman.flow.operate import Decision
from dragoman.runtime.gateway import Gateway
from dragoman.testing.fakes.desk import Failure
from tests.runtime.rig import Rig, until

NOT_FOUND = Failure(error=NotFound("the desk knows no such record"))
REFUSED = Failure(error=Permanent("a mandatory field is missing"))


def states(gateway: Gateway, lane: str) -> list[DeliveryState]:
    return [d.state for d in gateway.kit.site.lanes.get(("desk:d", lane), {}).values()]


async def test_a_record_that_cannot_be_seen_yet_is_looked_for_again() -> None:
    rig = Rig(robots=0)
    async with rig.running() as gateway:
        kit, intake = gateway.kit, gateway.parts.desks["d"].intake
        number = rig.memory.open("look", location="dock")
        rig.memory.failures += [NOT_FOUND] * 3
        await kit.journal.commit(intake.fetch(number))
        await until(lambda: kit.site.case_of("d", number) is not None)
        assert gateway.couriers["desk:d"].breaker.failures == 0, "the desk has answered"


async def test_a_newer_notice_frees_the_lane_of_a_dead_read() -> None:
    rig = Rig(robots=0)
    async with rig.running() as gateway:
        kit, intake = gateway.kit, gateway.parts.desks["d"].intake
        number = rig.memory.open("look", location="dock")
        rig.memory.failures += [REFUSED]
        await kit.journal.commit(intake.fetch(number))
        await until(lambda: states(gateway, f"fetch:{number}") == [DeliveryState.DEAD])
        await kit.journal.commit(intake.fetch(number))
        await until(lambda: kit.site.case_of("d", number) is not None)
        assert states(gateway, f"fetch:{number}") == []
        (sums,) = [one for one in await kit.journal.tallies() if one.target == "desk:d"]
        assert (sums.failed, sums.dead, sums.adds_up) == (1, 0, True)


async def test_a_notice_during_a_read_causes_another_one() -> None:
    """What the desk changed after it had answered would be missed otherwise."""
    rig = Rig(robots=0)
    gateway = rig.build()
    intake = gateway.parts.desks["d"].intake
    first = intake.fetch("D00001")
    await gateway.kit.journal.commit(first)
    assert not intake.fetch("D00001"), "it waits and has not begun"
    gateway.kit.site.out.add(first.deliveries[0].id)
    assert intake.fetch("D00001").deliveries


async def test_a_fault_whose_record_was_given_up_ends_when_it_clears() -> None:
    rig = Rig()
    async with rig.running() as gateway:
        site, robot = gateway.kit.site, rig.fleet.robots["acme/r0"]
        rig.memory.failures.append(REFUSED)
        robot.report = replace(robot.report, errors=(RobotError(type="motor", level="FATAL"),))
        robot.say(gateway.kit.clock.now())
        (fault,) = site.faults
        await until(lambda: states(gateway, fault) == [DeliveryState.DEAD])
        robot.report = replace(robot.report, errors=())
        robot.say(gateway.kit.clock.now())
        await until(lambda: len(states(gateway, fault)) == 2)
        dead = next(d for d in site.deliveries() if d.state is DeliveryState.DEAD)
        await gateway.operators.drop(dead.id, Decision(actor="operator:x", reason="it is over"))
        await until(lambda: not site.faults)
        assert states(gateway, fault) == []
        breaker = gateway.couriers["desk:d"].breaker
        assert (breaker.state, breaker.failures) == (BreakerState.CLOSED, 0)
