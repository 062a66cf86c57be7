"""Kill -9 of the real gateway, again and again under load: what was promised holds (G1, G2, G4).

The long version is marked `faults`; the short one comes by every named point once. Both end with
everything at rest and the witnesses heard. That the checker finds what is broken is shown by
gateways that break a promise on purpose.
"""

import asyncio
import random
from itertools import cycle
from pathlib import Path

import pytest

from dragoman.testing.faults.kill_points import Point
from tests.faults.rig import Site, site, until

LIFE_S = 0.8


async def kill(scene: Site, kills: int, *, seed: int, named_share: float) -> None:
    """Let gateways live for a while and die: named points in turn, and random moments."""
    chance = random.Random(seed)
    points = cycle(Point)
    for _ in range(kills):
        if chance.random() < named_share:
            point = next(points)
            await scene.gateways.live(f"{point}:{chance.randint(1, 2)}")
            await scene.gateways.die_within(3 * LIFE_S)
        else:
            await scene.gateways.live()
            await scene.gateways.die_within(chance.uniform(0.0, LIFE_S))


async def settle(scene: Site, deadline_s: float) -> None:
    """One more gateway, and time for everything to come to rest."""
    await scene.gateways.live()
    await scene.gateways.ready()
    rested = await until(scene.at_rest, deadline_s)
    await scene.gateways.stop()
    verdict = await scene.verdict()
    assert rested, verdict


async def killed(scene: Site, kills: int, *, seed: int, named_share: float) -> None:
    """A whole run; the promises are checked at its end."""
    await scene.gateways.live()
    await scene.gateways.ready()
    assert await until(scene.knows_the_desk, 20.0)
    load = asyncio.create_task(scene.keep_opening(0.15))
    await scene.gateways.die_within(LIFE_S)
    await kill(scene, kills, seed=seed, named_share=named_share)
    load.cancel()
    await settle(scene, 60.0)
    verdict = await scene.verdict()
    cases = len(scene.journalled().cases)
    print(scene.gateways.deaths.told(), f"{cases} cases")
    assert verdict.problems == {}
    assert verdict.held == []
    assert cases > kills / 2


@pytest.mark.timeout(90)
async def test_the_promises_hold_at_every_named_point(tmp_path: Path) -> None:
    async with site(tmp_path, robots=8) as scene:
        await killed(scene, 8, seed=1, named_share=1.0)
        assert set(Point) <= scene.gateways.deaths.by_point.keys()


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("polled", [True, False], ids=["polled", "webhooks-only"])
async def test_the_promises_hold_through_hundreds_of_kills(tmp_path: Path, polled: bool) -> None:
    async with site(tmp_path, robots=15, polled=polled) as scene:
        await killed(scene, 155, seed=2 + polled, named_share=0.5)
        assert scene.gateways.deaths.kills >= 155
        assert all(scene.gateways.deaths.by_point[point] >= 5 for point in Point)


@pytest.mark.faults
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        ("forgetful", "lost"),
        ("two-robots", "executed_twice"),
        ("silent", "untold"),
        ("stammering", "doubled"),
        ("hasty", "out_of_order"),
    ],
)
async def test_a_broken_promise_is_found(tmp_path: Path, broken: str, promise: str) -> None:
    async with site(tmp_path, robots=4, polled=False, broken=broken) as scene:
        await scene.gateways.live()
        await scene.gateways.ready()
        assert await until(scene.knows_the_desk, 20.0)
        left_open = broken in {"forgetful", "silent"}

        async def over() -> bool:
            return await scene.open_at_desk() <= left_open

        async def found() -> bool:
            return promise in (await scene.verdict()).problems

        for _ in range(2):  # one after the other, so that a second robot is free
            await scene.open_case()
            assert await until(over, 30.0)
        assert await until(found, 10.0), await scene.verdict()
        await scene.gateways.stop()
