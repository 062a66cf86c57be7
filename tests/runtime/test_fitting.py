"""The mappings are checked once beside a start, and drift is journalled once per change."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dragoman import plugins
from dragoman.bootstrap import opened
from dragoman.config.load import load
from dragoman.domain.change import Entry
from dragoman.domain.errors import NeedsHuman
from dragoman.domain.policy import Policy
from dragoman.flow.kit import Kit
from dragoman.ports.journal import Find
from dragoman.runtime.clock import SystemClock
from dragoman.runtime.fitting import ACTION, FIRST_S, Ask, Fit, Fitting
from dragoman.testing.memory_journal import MemoryJournal
from dragoman.testing.servicenow import ServiceNowDesk
from dragoman.testing.sim.gateway import SimOutlets
from dragoman.testing.sim.wires import SimFleet


class Rig:
    """A journal, and what each desk answers. A start is `started`."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.journal = MemoryJournal(now=self.clock.now)
        self.slept: list[float] = []

    async def started(self, deadline_s: float = 20.0, **desks: Ask) -> dict[str, Fit]:
        outlets = SimOutlets(SimFleet(self.clock.now))
        kit = Kit(journal=self.journal, clock=self.clock, outlets=outlets, policy=Policy())
        fitting = Fitting(kit, desks, deadline_s=deadline_s, sleep=self._sleep)
        assert all(fit == Fit() for fit in fitting.known.values())
        await fitting.run()
        return fitting.known

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def told(self) -> list[Any]:
        found = await self.journal.find(Entry, Find(where={"action": ACTION}))
        return [(entry.desk, entry.data["drift"]) for entry in found.rows]


def says(*drift: str) -> Ask:
    async def ask() -> Sequence[str]:
        return drift

    return ask


async def test_drift_is_journalled_once_per_change() -> None:
    rig = Rig()
    assert (await rig.started(snow=says()))["snow"].drift == ()
    assert await rig.told() == []
    for _ in range(2):
        known = await rig.started(snow=says("no field stat"), rt=says())
        assert known["snow"].drift == ("no field stat",)
    assert await rig.told() == [("snow", ["no field stat"])]
    await rig.started(snow=says())
    await rig.started(snow=says(), rt=says("x", "y"))
    assert await rig.told() == [("snow", ["no field stat"]), ("snow", []), ("rt", ["x", "y"])]
    assert set(rig.slept) == {FIRST_S}


async def test_a_desk_that_does_not_answer_stays_unknown_and_hides_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def silent() -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    async def refused() -> Sequence[str]:
        raise NeedsHuman("the account may not")

    async def broken() -> Sequence[str]:
        raise KeyError("name")

    rig = Rig()
    known = await rig.started(0.01, a=silent, b=refused, c=broken, d=says("x"))
    assert [known[name].drift for name in "abcd"] == [None, None, None, ("x",)]
    assert known["a"].error == "no answer within 0.01 s"
    assert known["b"].error == "the account may not"
    assert known["c"].error == "unexpected KeyError: 'name'"
    assert await rig.told() == [("d", ["x"])]


CONFIG = """
[broker]
url = "mqtt://127.0.0.1:9"
[desks.snow]
type = "servicenow"
url = "{url}"
auth = {{ type = "basic", username = "dragoman", password = {{ env = "TEST_PASSWORD" }} }}
poll = {{ enabled = false }}
[desks.snow.webhook]
secrets = [{{ env = "TEST_PASSWORD" }}]
[desks.snow.write.held]
fields = {{ stat = "3", urgency = "7" }}
[fleets.hall]
type = "vda5050"
[missions.inspect]
actions = [{{ type = "inspect" }}]
"""


async def test_a_gateway_asks_the_desk_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.runtime.fitting.FIRST_S", 0.0)
    async with ServiceNowDesk() as desk:
        monkeypatch.setenv("TEST_PASSWORD", desk.credentials.password)
        file = tmp_path / "dragoman.toml"
        file.write_text(CONFIG.format(url=desk.url))
        async with opened(load(file, plugins)) as gateway:
            await gateway.fitting.run()
            assert gateway.fitting.known["snow"].drift == (
                "write.held.fields.stat: there is no field stat; did you mean state (State)?",
                "write.held.fields.urgency: urgency (Urgency) has no choice '7'; "
                "it has 1 (1 - High), 2 (2 - Medium), 3 (3 - Low)",
            )
            found = await gateway.kit.journal.find(Entry, Find(where={"action": ACTION}))
            assert [entry.desk for entry in found.rows] == ["snow"]
            await gateway.parts.desks["snow"].desk.close()
