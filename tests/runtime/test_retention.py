"""Retention in the gateway: in small chunks once a day, told, and tried again when it fails."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from dragoman import plugins
from dragoman.bootstrap import opened
from dragoman.config.load import load
from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change, Entry
from dragoman.domain.policy import Policy
from dragoman.flow.kit import Kit
from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite.archive import archive_chunk, read_archive
from dragoman.ports.journal import Archived, Find
from dragoman.runtime.retention import AGAIN_S, EVERY_S, FIRST_S, PAUSE_S, Retention
from dragoman.testing.conformance.journal_history import START, case, entry
from dragoman.testing.sim.gateway import SimOutlets
from dragoman.testing.sim.wires import SimFleet
from tests.adapters.journal.fixed_clock import FixedClock

DAYS = 30
OLD, YOUNG = START, START + timedelta(days=DAYS)


class Ended(Exception):
    """The test has seen enough."""


class Rig:
    """A real journal, and time that passes only where retention sleeps."""

    def __init__(self, journal: SqliteJournal, clock: FixedClock, folder: Path) -> None:
        self.journal, self.clock, self.folder = journal, clock, folder
        self.slept: list[float] = []
        self.open = True
        outlets = SimOutlets(SimFleet(clock.now))
        self.retention = Retention(
            kit=Kit(journal=journal, clock=clock, outlets=outlets, policy=Policy()),
            days=DAYS,
            file=lambda now: folder / f"{now:%Y%m%dT%H%M%SZ}.jsonl.gz",
            move=self.move,
            sleep=self.sleep,
        )

    async def move(self, before: datetime, to: Path) -> Archived:
        moved: Archived = await self.journal.upkeep(
            partial(archive_chunk, before=before, to=to, limit=2)
        )
        return moved

    async def sleep(self, seconds: float) -> None:
        """Time passes, until the third day."""
        self.slept.append(seconds)
        self.clock.at += timedelta(seconds=seconds)
        if self.slept.count(EVERY_S) == 3:
            raise Ended
        await self.journal.commit(Change())

    async def run(self) -> None:
        with pytest.raises(Ended):
            await self.retention.run()

    async def cases(self) -> set[str]:
        return {found.id for found in (await self.journal.find(Case, Find())).rows}

    async def told(self) -> list[Entry]:
        where = {"action": ["journal.archived", "journal.archive_failed"]}
        return list((await self.journal.find(Entry, Find(where=where))).rows)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """Five cases closed long ago and one that becomes as old a day later, each with an entry."""
    clock = FixedClock(START + timedelta(days=DAYS + 1))
    journal = await SqliteJournal.open(tmp_path / "j.sqlite", site_name="test", clock=clock)
    for number in range(7):
        since = OLD if number < 5 else OLD + timedelta(days=1, hours=1)
        new = replace(case(number), since=since)
        await journal.commit(Change(cases=(new,), entries=(entry(START, "case.received"),)))
        if number < 6:
            closed = replace(new, state=CaseState.CLOSED, due_at=None)
            await journal.commit(Change(cases=(closed,)))
    rig = Rig(journal, clock, tmp_path / "archive")
    yield rig
    if rig.open:
        await journal.close()


async def test_each_day_what_is_old_enough_goes_to_a_file_and_the_audit_stays(rig: Rig) -> None:
    entries = len((await rig.journal.find(Entry, Find())).rows)
    await rig.run()
    assert rig.slept == [
        *(FIRST_S, PAUSE_S, PAUSE_S, PAUSE_S, EVERY_S),  # five cases, two at a time
        *(PAUSE_S, EVERY_S),  # the sixth
        EVERY_S,  # nothing
    ]
    assert await rig.cases() == {"case-000006"}, "an open case stays, however old"
    files = sorted(rig.folder.iterdir())
    found = [sum(1 for kind, _ in read_archive(file) if kind == "case") for file in files]
    assert found == [5, 1]
    told = await rig.told()
    assert [(one.action, one.data["cases"], one.data["file"]) for one in told] == [
        ("journal.archived", 5, str(files[0])),
        ("journal.archived", 1, str(files[1])),
    ]
    assert len((await rig.journal.find(Entry, Find())).rows) == entries + 2


async def test_a_failure_is_told_and_tried_again_and_never_ends_the_gateway(rig: Rig) -> None:
    rig.folder.write_text("no folder")
    sleep = rig.retention.sleep

    async def mended_meanwhile(seconds: float) -> None:
        if seconds == AGAIN_S and rig.slept.count(AGAIN_S) == 1:
            rig.folder.unlink()
        await sleep(seconds)

    rig.retention = replace(rig.retention, sleep=mended_meanwhile)
    await rig.run()
    assert rig.slept[:3] == [FIRST_S, AGAIN_S, AGAIN_S]
    told = await rig.told()
    assert [one.action for one in told[:3]] == [
        *("journal.archive_failed", "journal.archive_failed"),
        "journal.archived",
    ]
    assert "mend" not in told[0].text
    assert "nothing was deleted" in told[0].text
    assert await rig.cases() == {"case-000006"}


async def test_the_gateway_runs_it_as_configured(rig: Rig, tmp_path: Path) -> None:
    await rig.journal.close()
    rig.open = False
    (tmp_path / "j.sqlite").rename(tmp_path / "journal.sqlite")
    file = tmp_path / "dragoman.toml"
    file.write_text(
        f'[site]\nname = "test"\ndata = "."\n[broker]\nurl = "mqtt://127.0.0.1:9"\n'
        f'[retention]\nclosed_days = {DAYS}\narchive = "old"\n'
    )
    async with opened(load(file, plugins), clock=rig.clock) as gateway:
        made = gateway.parts.retention
        assert made is not None
        rested = AsyncMock(side_effect=[None, None, None, None, Ended])
        gateway.parts = replace(gateway.parts, retention=replace(made, sleep=rested))
        with pytest.RaisesGroup(Ended):
            await gateway.run()
        left = {found.id for found in (await gateway.kit.journal.find(Case, Find())).rows}
        assert left == {"case-000005", "case-000006"}
        assert made.kit is gateway.kit
    assert len(list((tmp_path / "old").iterdir())) == 1
