"""What the courier knows of an order that did not leave, in the running gateway."""

from dataclasses import replace

import pytest

from dragoman.domain.case import CaseState
from dragoman.domain.errors import RetryLater
from dragoman.domain.policy import Policy
from dragoman.testing.fakes.fleet import MemoryFleet
from tests.runtime.rig import Rig, until


async def test_orders_that_never_left_are_assigned_anew_when_the_broker_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here the connection seems to be up, so that robots are chosen at first."""
    rig = Rig(robots=2, poll=True, policy=replace(Policy(), publish_within=0.3, max_attempts=1))
    async with rig.running() as gateway:
        site = gateway.kit.site
        await until(lambda: len(gateway.track.latest) == 2)
        rig.fleet.failure = RetryLater("not connected to the MQTT broker")
        monkeypatch.setattr(MemoryFleet, "connected", True)
        rig.memory.open("look", location="dock")
        await until(lambda: any(case.attempts for case in site.cases.values()))
        monkeypatch.undo()
        await until(lambda: [case.state for case in site.cases.values()] == [CaseState.QUEUED])
        assert not [robot for robot in site.robots.values() if robot.bound]
        rig.fleet.failure = None  # and no robot says anything by itself
        await until(lambda: not site.cases)
        done = [outcome for robot in rig.fleet.robots.values() for _, outcome in robot.outcomes]
        assert done == ["finished"]
