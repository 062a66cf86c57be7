"""A robot's own fault is one ticket, however often its error comes and goes."""

from dataclasses import replace

from dragoman.domain.mapping import FAULT, FAULT_CLEARED, FAULT_VALUES, Outgoing, Update
from dragoman.domain.robot import RobotError
from dragoman.domain.template import parse
from dragoman.flow.faults import Faults
from dragoman.testing.sim import World

ID = "dragoman/r0"
TOLD = Outgoing(
    updates={name: Update(comment=parse("{key}", FAULT_VALUES)) for name in (FAULT, FAULT_CLEARED)}
)


class Site:
    """One robot, and what is told of its faults; `says` is a state of it."""

    def __init__(self) -> None:
        self.world = World(1)
        self.world.settle()
        self.faults = Faults(
            kit=self.world.kit,
            desk="sim",
            outgoing=TOLD,
            levels=frozenset({"FATAL"}),
            ignore=frozenset(),
            open_after=10.0,
            settle_after=60.0,
        )

    def says(self, *errors: RobotError) -> None:
        report = replace(self.world.track.latest[ID], errors=errors)
        self.world.commit(self.faults.follow(report))

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.world.clock.advance(1)
            self.world.commit(self.faults.passed())

    def told(self) -> list[str]:
        return [
            delivery.verb
            for delivery in self.world.kit.site.deliveries()
            if delivery.target == "desk:sim"
        ]


def broken(node: str = "a") -> RobotError:
    return RobotError(type="motorError", level="FATAL", references=(("nodeId", node),))


def test_a_fault_that_lasts_opens_a_ticket_although_its_robot_says_no_more() -> None:
    site = Site()
    site.says(broken())
    site.wait(9)
    assert site.told() == []
    site.wait(1)
    assert site.told() == ["create"]
    site.says()
    site.wait(59)
    assert site.told() == ["create"]
    site.wait(1)
    assert site.told() == ["create", "settle"]
    assert site.world.kit.site.robots[ID].faults == {}


def test_a_fault_that_passes_opens_none() -> None:
    site = Site()
    site.says(broken())
    site.wait(5)
    site.says()
    site.wait(100)
    assert site.told() == []
    assert site.faults.seen == {}


def test_a_flapping_fault_is_one_ticket() -> None:
    site = Site()
    for _ in range(100):
        site.says(broken())
        site.wait(2)
        site.says()
        site.wait(2)
    assert site.told() == ["create"]


def test_a_fault_whose_references_change_is_one_ticket() -> None:
    site = Site()
    for number in range(50):
        site.says(broken(f"node-{number}"))
        site.wait(1)
    assert site.told() == ["create"]


def test_a_fault_that_is_back_before_its_ticket_is_closed_goes_on() -> None:
    site = Site()
    site.says(broken())
    site.wait(10)
    site.says()
    site.wait(50)
    site.says(broken())
    site.wait(200)
    assert site.told() == ["create"]


def test_a_fault_that_cleared_while_the_gateway_was_away_is_settled() -> None:
    site = Site()
    site.says(broken())
    site.wait(10)
    site.faults.seen.clear()
    site.says()
    site.wait(60)
    assert site.told() == ["create", "settle"]
