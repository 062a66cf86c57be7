"""An order that can't go out, in the running gateway: no robot waits for a person because of it."""

from dataclasses import replace

import pytest

from dragoman.domain.case import CaseState
from dragoman.domain.delivery import DeliveryState
from dragoman.domain.errors import Permanent
from dragoman.domain.policy import Policy
from dragoman.ports.fleet import Parcel
from dragoman.runtime.gateway import Gateway
from dragoman.testing.fakes.fleet import MemoryFleet
from tests.runtime.rig import Rig, until


def bound(gateway: Gateway) -> list[str]:
    return [robot.id for robot in gateway.kit.site.robots.values() if robot.bound]


async def test_an_order_that_can_never_go_out_frees_its_robot_and_tells_its_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(robots=2, poll=True, policy=replace(Policy(), max_attempts=2))
    async with rig.running() as gateway:
        site = gateway.kit.site
        await until(lambda: len(gateway.track.latest) == 2)
        rig.fleet.failure = Permanent("a message of 9 MB is too long to publish")
        monkeypatch.setattr(MemoryFleet, "connected", True)
        rig.memory.open("look", location="dock")
        await until(lambda: [case.state for case in site.cases.values()] == [CaseState.HELD])
        monkeypatch.undo()
        (case,) = site.cases.values()
        assert case.excluded.keys() == {"acme/r0", "acme/r1"}
        assert "too long" in case.reason
        assert not bound(gateway)
        rig.fleet.failure = None
        second = rig.memory.open("look", location="dock")
        await until(lambda: rig.memory.records[second]["state"] == "done")


async def test_a_dead_order_holds_back_neither_its_cancel_nor_the_next_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one is that failed in a way which its adapter does not know."""
    send = MemoryFleet.send
    broken = ["the first order"]

    async def fails_once(fleet: MemoryFleet, parcel: Parcel) -> None:
        if '"order"' in parcel.body and broken:
            raise ValueError(broken.pop())
        await send(fleet, parcel)

    monkeypatch.setattr(MemoryFleet, "send", fails_once)
    policy = replace(Policy(), publish_within=0.3, cool_down=0.0)
    rig = Rig(robots=1, poll=True, policy=policy)
    async with rig.running() as gateway:
        await until(lambda: len(gateway.track.latest) == 1)
        rig.memory.open("look", location="dock")
        await until(lambda: any("cancel" in one.body for one in rig.fleet.sent))
        await until(lambda: not bound(gateway))
        second = rig.memory.open("look", location="dock")
        await until(lambda: rig.memory.records[second]["state"] == "done")
        (lane,) = [one for key, one in gateway.kit.site.lanes.items() if key[0] == "fleet:hall"]
        assert [delivery.state for delivery in lane.values()] == [DeliveryState.DEAD]
