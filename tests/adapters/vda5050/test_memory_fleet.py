"""The fleet in memory against the suite of the port, so that tests above it can trust it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from dragoman.domain.errors import RetryLater
from dragoman.domain.robot import BadMessage, FleetReport
from dragoman.ports.fleet import Fleet
from dragoman.testing.conformance.fleet import FleetConformance
from dragoman.testing.conformance.fleet_master import FleetWorld
from dragoman.testing.fakes.fleet import MemoryFleet


def now() -> datetime:
    return datetime.now(UTC)


class Shielded(MemoryFleet):
    """A sink that raises is caught, as every transport does."""

    def tell(self, report: FleetReport) -> None:
        try:
            super().tell(report)
        except ValueError:
            return


class MemoryWorld:
    versions = ("2.0.0", "2.1.0")
    garbage = {"json": "not-json"}  # noqa: RUF012 - a constant of the protocol

    def __init__(self) -> None:
        self._fleet = Shielded("memory", now)

    def fleet(self) -> Fleet:
        return self._fleet

    async def add(self, serial: str, version: str, *, slow: bool = False) -> str:
        robot_id = f"maker/{serial}"
        self._fleet.add(robot_id, version).busy = slow
        return robot_id

    def outcomes(self, robot_id: str) -> Sequence[tuple[str, str]]:
        return self._fleet.robots[robot_id].outcomes

    async def spoil(self, robot_id: str, kind: str) -> None:
        self._fleet.tell(
            BadMessage(
                robot_id=robot_id,
                topic=robot_id,
                kind=self.garbage[kind],
                detail="spoilt",
                received_at=now(),
                size=1,
            )
        )
        self._fleet.robots[robot_id].say(now())

    async def cut(self) -> None:
        self._fleet.failure = RetryLater("it is away")

    async def restore(self) -> None:
        self._fleet.failure = None


class TestMemoryFleet(FleetConformance):
    @pytest.fixture
    def world(self) -> FleetWorld:
        return MemoryWorld()
