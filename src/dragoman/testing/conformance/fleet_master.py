"""What the fleets' conformance suite stands on: a world of robots, and a master that commands.

Used by fleet.py beside it, and by tests of one adapter.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from dragoman.domain.errors import RetryLater
from dragoman.domain.order import Action, Order, Place, Stop
from dragoman.domain.robot import (
    BadMessage,
    FleetReport,
    Introduction,
    Robot,
    RobotReport,
)
from dragoman.ports.fleet import Command, Fleet, Parcel
from dragoman.testing.conformance.feed import LONGEST_S, eventually


class FleetWorld(Protocol):
    """A fleet, its robots, and what is between them."""

    @property
    def versions(self) -> Sequence[str]:
        """The versions that its robots speak."""
        ...

    @property
    def garbage(self) -> Mapping[str, str]:
        """What a robot can be made to say that isn't a report → the kind of BadMessage."""
        ...

    def fleet(self) -> Fleet:
        """A new fleet that gets to the robots, not started."""
        ...

    async def add(self, serial: str, version: str, *, slow: bool = False) -> str:
        """Let a robot appear on node `home` at (0, 0) of `map`, idle; returns its id.

        slow: an order takes it longer than any test, else a fraction of a second.
        """
        ...

    def outcomes(self, robot_id: str) -> Sequence[tuple[str, str]]:
        """What the robot really did: order id and running, finished, failed or cancelled."""
        ...

    async def spoil(self, robot_id: str, kind: str) -> None:
        """Let the robot say a piece of `garbage`, and then how it is."""
        ...

    async def cut(self) -> None:
        """Fleet and robots can't reach each other from now on."""
        ...

    async def restore(self) -> None:
        """They can again; returns when the robots are back."""
        ...


class Master:
    """Commands a fleet and keeps what it hears, as the gateway does."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.heard: list[FleetReport] = []
        self.robots: dict[str, Robot] = {}

    def hear(self, report: FleetReport) -> None:
        """The sink."""
        self.heard.append(report)
        if isinstance(report, Introduction):
            known = self.robots.get(report.robot_id)
            self.robots[report.robot_id] = Robot(
                id=report.robot_id,
                fleet=report.fleet,
                manufacturer=report.manufacturer,
                serial=report.serial,
                dialect=report.dialect,
                capabilities=report.capabilities or frozenset(),
                headers={} if known is None else known.headers,
            )

    def compose(self, command: Command, robot_id: str) -> Parcel:
        """Compose, and count the header as the outbox does."""
        robot = self.robots[robot_id]
        parcel = self.fleet.compose(command, robot, datetime.now(UTC))
        headers = {**robot.headers, parcel.header: robot.headers.get(parcel.header, 0) + 1}
        self.robots[robot_id] = replace(robot, headers=headers)
        return parcel

    async def send(self, command: Command, robot_id: str) -> Parcel:
        """Compose and send, again until it is taken, as the outbox does."""
        parcel = self.compose(command, robot_id)
        async with asyncio.timeout(LONGEST_S):
            while True:
                try:
                    await self.fleet.send(parcel)
                except RetryLater:
                    await asyncio.sleep(0.05)
                else:
                    return parcel

    def states(self, robot_id: str) -> list[RobotReport]:
        """All states of a robot so far."""
        return [r for r in self.heard if isinstance(r, RobotReport) and r.robot_id == robot_id]

    def status(self, robot_id: str, action_id: str) -> str:
        """How far an action is by the last state that tells it; "" if none does."""
        for state in reversed(self.states(robot_id)):
            for action in state.actions:
                if action.id == action_id:
                    return action.status
        return ""

    async def reported(self, robot_id: str, action_id: str) -> None:
        """Return when a state tells of this action."""
        await eventually(lambda: self.status(robot_id, action_id))

    async def more_states(self, robot_id: str, than: int) -> None:
        """Return when there are more states of the robot than so many."""
        await eventually(lambda: len(self.states(robot_id)) > than)

    def bad(self) -> Counter[str]:
        """How many messages of each kind could not be read."""
        return Counter(one.kind for one in self.heard if isinstance(one, BadMessage))


def an_order(robot_id: str, order_id: str) -> Order:
    """From `home` to `goal`, with two actions there."""
    actions = [
        Action(id=f"{order_id}-a{n}", type="inspect", parameters={"case": order_id, "n": float(n)})
        for n in (1, 2)
    ]
    home = Place(node_id="home", x=0.0, y=0.0, map_id="map")
    goal = Place(node_id="goal", x=1.0, y=0.5, map_id="map", theta=0.5)
    stops = (Stop(place=home), Stop(place=goal, actions=tuple(actions)))
    return Order(id=order_id, case_id="case-1", robot_id=robot_id, stops=stops)


@asynccontextmanager
async def commanding(world: FleetWorld) -> AsyncIterator[Master]:
    """A master whose fleet runs and hears: what robots say before that, nobody keeps."""
    master = Master(world.fleet())
    await master.fleet.start(master.hear)
    try:
        await eventually(lambda: master.fleet.connected)
        yield master
    finally:
        await master.fleet.stop()


async def arrived(master: Master, robot_id: str) -> None:
    """Return when the robot is known and has said how it is."""
    await eventually(lambda: robot_id in master.robots and master.states(robot_id))
