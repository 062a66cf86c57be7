"""Many simulated vehicles on one broker, and what they really did.

The demo, the benchmarks and the tests start one in their process, or run
`python -m dragoman.testing.robots` (`__main__.py`) beside the gateway.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from dragoman.testing.robots.ledger import Acknowledgement, Execution, Witness
from dragoman.testing.robots.misbehaviour import BEHAVED, Misbehaviour
from dragoman.testing.robots.profile import Pose, VehicleProfile, Version
from dragoman.testing.robots.robot import Robot, system_now
from dragoman.transport.mqtt import MqttSettings

_AT_A_TIME = 50  # connections being opened
_SPACING_M = 4.0


def make_profiles(
    count: int, *, seed: int, base: VehicleProfile, versions: Sequence[Version] = ("2.0.0", "2.1.0")
) -> list[VehicleProfile]:
    """`count` profiles like `base`: serials `{base.serial}1` …, the versions in turn.

    They stand on nodes `home-1` … of a grid in random order, with random charge, by `seed`.
    """
    rng = random.Random(seed)  # noqa: S311  # a scene to repeat, no secret
    width = max(1, round(count**0.5))
    places = [(column, row) for row in range(count // width + 1) for column in range(width)]
    rng.shuffle(places)
    profiles = []
    for number in range(1, count + 1):
        column, row = places[number - 1]
        pose = Pose(x=column * _SPACING_M, y=row * _SPACING_M, map_id=base.pose.map_id)
        profiles.append(
            replace(
                base,
                serial=f"{base.serial}{number}",
                version=versions[number % len(versions)],
                pose=pose,
                node_id=f"home-{number}",
                battery=round(rng.uniform(55.0, 100.0), 1),
            )
        )
    return profiles


class RobotFleet:
    """Robots by serial, each with a connection of its own."""

    def __init__(
        self,
        settings: MqttSettings,
        profiles: Sequence[VehicleProfile],
        *,
        now: Callable[[], datetime] = system_now,
        misbehaviour: Misbehaviour = BEHAVED,
        witness: Witness | None = None,
    ) -> None:
        self.robots = {
            profile.serial: Robot(
                profile, settings, now=now, misbehaviour=misbehaviour, witness=witness
            )
            for profile in profiles
        }

    async def start(self, *, deadline_s: float = 30.0) -> None:
        """Connect all. Raises RetryLater or NeedsHuman if one can't; then none is left running."""
        gate = asyncio.Semaphore(_AT_A_TIME)
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_s

        async def start(robot: Robot) -> None:
            async with gate:
                await robot.start(deadline_s=max(0.1, until - loop.time()))

        try:
            await asyncio.gather(*[start(robot) for robot in self.robots.values()])
        except BaseException:
            await self.stop()
            raise

    async def stop(self, *, deadline_s: float = 5.0) -> None:
        """All say OFFLINE and goodbye."""
        stops = [robot.stop(deadline_s=deadline_s) for robot in self.robots.values()]
        await asyncio.gather(*stops)

    def executions(self) -> list[Execution]:
        """All that was begun, by start."""
        done = [e for robot in self.robots.values() for e in robot.vehicle.ledger.executions]
        return sorted(done, key=lambda execution: execution.started_at)

    def acknowledgements(self) -> list[Acknowledgement]:
        """The first acknowledgement of every order, by time."""
        ledgers = [robot.vehicle.ledger for robot in self.robots.values()]
        said = [a for ledger in ledgers for a in ledger.acknowledgements.values()]
        return sorted(said, key=lambda acknowledgement: acknowledgement.at)
