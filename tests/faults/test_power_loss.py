"""Power loss: what was acknowledged is there after any cut; with a weaker sync it is not.

A journal works on a disk that forgets what was not synced (testing/faults/power.py). While it
commits, the disk is taken at many random moments, with the last seq acknowledged by then; each
time, the files are left as a power cut may leave them, and opened with plain SQLite.
"""

import asyncio
import random
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.domain.change import Entry
from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite import writer as writing
from dragoman.journal.sqlite.connection import Connection, Cursor
from dragoman.journal.sqlite.maintenance import verify
from dragoman.ports.journal import Find
from dragoman.testing.conformance.journal_history import NOW, STEPS, History
from dragoman.testing.faults.power import Cut, PowerDisk
from tests.adapters.journal.fixed_clock import FixedClock

KEPT = (0.0, 0.5, 0.9, 1.0)
"""Shares of the unsynced sectors that reach the disk all the same."""


class Weaker:
    """A connection with another synchronous level than the journal asks for."""

    def __init__(self, inner: Connection, level: str) -> None:
        self._inner = inner
        self._level = level

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        if sql == "PRAGMA synchronous=FULL":
            sql = f"PRAGMA synchronous={self._level}"
        return self._inner.execute(sql, parameters)

    def close(self) -> None:
        self._inner.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The disk at a moment, and the last seq that was acknowledged before it."""

    cut: Cut
    acknowledged: int


class Run:
    """One journal at work, with cuts at random moments."""

    def __init__(self, seed: int, cuts: int, level: str) -> None:
        self.chance = random.Random(seed)
        self.taken: list[Taken] = []
        self.marks: list[str] = []
        self._level = level
        self._wanted = cuts
        self._acknowledged = 0
        self._changes = 0
        self._next = self.chance.randint(1, 40)
        self.disk = PowerDisk(self._before)

    def _before(self) -> None:
        self._changes += 1
        if self._changes >= self._next and len(self.taken) < self._wanted:
            self._next = self._changes + self.chance.randint(1, 60)
            acknowledged = self._acknowledged
            self.taken.append(Taken(cut=self.disk.cut(), acknowledged=acknowledged))

    async def work(self, folder: Path) -> None:
        """Commit until enough cuts were taken; several at once, and sometimes large."""
        journal = await SqliteJournal.open(
            folder / "journal.sqlite",
            site_name="test",
            clock=FixedClock(NOW),
            connect=lambda path: Weaker(self.disk.connect(path), self._level),
        )
        history = History(journal.site)
        async with asyncio.timeout(300):
            while len(self.taken) < self._wanted:
                await asyncio.gather(
                    *(self._step(journal, history) for _ in range(self.chance.randint(1, 6)))
                )
        await journal.close()
        self.disk.close()

    async def _step(self, journal: SqliteJournal, history: History) -> None:
        kind = self.chance.choice(sorted(STEPS))
        change = history.next(kind, self.chance.randrange(10_000))
        mark = f"{len(self.marks)} " + "x" * self.chance.choice((10, 10, 3_000))
        self.marks.append(mark)
        entry = replace(change.entries[0], text=mark)
        seq = await journal.commit(replace(change, entries=(entry,)))
        self._acknowledged = max(self._acknowledged, seq)


async def lost_by(run: Run, taken: Taken, kept: float) -> int:
    """How many acknowledged entries are missing after a cut. Asserts all else that must hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        taken.cut.leave(path.parent, run.chance, kept)
        if not path.exists() or not path.stat().st_size:
            return taken.acknowledged
        with closing(sqlite3.connect(path)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables:
            assert verify(path, NOW) == []
        journal = await SqliteJournal.open(path, site_name="test", clock=FixedClock(NOW))
        found = (await journal.find(Entry, Find(limit=100_000))).rows
        await journal.close()
    assert [entry.seq for entry in found] == list(range(1, len(found) + 1))
    assert [entry.text for entry in found] == run.marks[: len(found)]
    return max(0, taken.acknowledged - len(found))


async def total_lost(seed: int, cuts: int, level: str) -> int:
    """The sum over all cuts, and the most telling ways in which each may end."""
    run = Run(seed, cuts, level)
    with tempfile.TemporaryDirectory() as folder:
        await run.work(Path(folder))
    assert len(run.taken) == cuts
    assert any(taken.cut.unsynced for taken in run.taken)
    assert any(taken.acknowledged for taken in run.taken)
    lost = 0
    for number, taken in enumerate(run.taken):
        lost += await lost_by(run, taken, KEPT[number % len(KEPT)])
    return lost


@pytest.fixture
def frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is folded into the file now and then, so that cuts fall into that as well."""
    monkeypatch.setattr(writing, "CHECKPOINT_ROWS", 60)


@pytest.mark.usefixtures("frequent_checkpoints")
async def test_no_acknowledged_commit_is_lost_by_a_power_cut() -> None:
    assert await total_lost(seed=1, cuts=40, level="FULL") == 0


@pytest.mark.usefixtures("frequent_checkpoints")
async def test_a_weaker_sync_does_lose_some() -> None:
    """So that the test above can fail."""
    assert await total_lost(seed=1, cuts=20, level="NORMAL") > 0


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("frequent_checkpoints")
@pytest.mark.parametrize("seed", range(2, 7))
async def test_no_acknowledged_commit_is_lost_by_many_power_cuts(seed: int) -> None:
    assert await total_lost(seed=seed, cuts=150, level="FULL") == 0
