"""What is shed under overload: states of robots, and nothing that follows from them (G6)."""

from dataclasses import replace

import pytest

from dragoman.runtime import gateway as runtime
from tests.runtime.rig import Rig, until


async def test_a_restart_is_kept_and_a_mere_state_is_shed(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(robots=1)
    async with rig.running() as gateway:
        site = gateway.kit.site
        await until(lambda: len(gateway.track.latest) == 1)
        robot = rig.fleet.robots["acme/r0"]
        for _ in range(5):
            robot.say(gateway.kit.clock.now())
        monkeypatch.setattr(runtime, "CROWDED", -1)
        kept = site.reports["acme/r0"]
        robot.report = replace(robot.report, battery=12.0)
        robot.say(gateway.kit.clock.now())
        assert gateway.shed == 1
        assert site.reports["acme/r0"] == kept
        robot.report = replace(robot.report, header_id=0)
        robot.say(gateway.kit.clock.now())
        assert gateway.shed == 1
        assert site.robots["acme/r0"].boots == 1
