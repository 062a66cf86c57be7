"""A full disk: commits are refused, nothing acknowledged is lost, and it works again with room."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dragoman.domain.change import Change, Entry
from dragoman.domain.errors import DragomanError, JournalUnavailable
from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite.maintenance import verify
from dragoman.ports.journal import Find
from dragoman.testing.conformance.journal import contents, works_again
from dragoman.testing.conformance.journal_history import NOW, START, case, entry
from dragoman.testing.faults.disk import SmallDisk, no_room
from tests.adapters.journal.fixed_clock import FixedClock

Switch = Callable[[], None]


class Limit:
    """The limit of a process on the size of its files; room is left for the log to grow a bit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._limited = ExitStack()

    def fill(self) -> None:
        self._limited.enter_context(no_room(limit=600_000))

    def empty(self) -> None:
        self._limited.close()

    def close(self) -> None:
        self._limited.close()


class Tmpfs:
    """A disk of 8 MiB, filled but for some pages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "small"
        self._disk = SmallDisk(self.folder, 8 << 20)

    def fill(self) -> None:
        self._disk.fill(leave=100_000)

    def empty(self) -> None:
        self._disk.empty()

    def close(self) -> None:
        self._disk.unmount()


@pytest.fixture(params=[Limit, Tmpfs], ids=["file size limit", "tmpfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Limit | Tmpfs]:
    try:
        made = request.param(tmp_path)
    except PermissionError:
        pytest.skip("mounting a tmpfs needs root; the variant with the file size limit runs")
    yield made
    made.close()


async def open_at(path: Path) -> SqliteJournal:
    return await SqliteJournal.open(path, site_name="test", clock=FixedClock(NOW))


async def test_a_full_disk_loses_nothing_acknowledged(disk: Limit | Tmpfs) -> None:
    path = disk.folder / "journal.sqlite"
    journal = await open_at(path)
    acknowledged: list[str] = []
    refused: list[DragomanError] = []

    async def work(worker: int) -> None:
        for number in range(1_000):
            mark = f"{worker}-{number} " + "x" * 500
            made = case(worker * 1_000 + number)
            change = Change(entries=(entry(START, mark),), cases=(made,))
            try:
                await journal.commit(change)
            except JournalUnavailable as error:
                refused.append(error)
                return
            acknowledged.append(mark)
            if len(acknowledged) == 50:
                disk.fill()

    await asyncio.gather(*(work(worker) for worker in range(8)))
    assert len(refused) == 8
    assert all(error.delay_s for error in refused if isinstance(error, JournalUnavailable))
    assert len(acknowledged) >= 50
    assert len(journal.site.cases) == len(acknowledged), "the site is as the disk has it"
    with pytest.raises(JournalUnavailable):
        await journal.commit(Change(entries=(entry(START, "x" * 2_000_000),)))
    found = await journal.find(Entry, Find(limit=10_000))
    assert [e.action for e in found.rows] == acknowledged, "reading goes on"

    disk.empty()
    await works_again(journal)
    seq = await journal.commit(Change(entries=(entry(START, "after"),), cases=(case(99_999),)))
    assert seq == len(acknowledged) + 1
    before = contents(journal.site)
    await journal.close()

    journal = await open_at(path)
    assert contents(journal.site) == before
    found = await journal.find(Entry, Find(limit=10_000))
    assert [e.action for e in found.rows] == [*acknowledged, "after"]
    await journal.close()
    assert verify(path, NOW) == []


async def test_a_journal_closes_while_the_disk_is_full(disk: Limit | Tmpfs) -> None:
    path = disk.folder / "journal.sqlite"
    journal = await open_at(path)
    await journal.commit(Change(entries=(entry(START, "kept"),)))
    disk.fill()
    with pytest.raises(JournalUnavailable):
        await journal.commit(Change(entries=(entry(START, "x" * 2_000_000),)))
    async with asyncio.timeout(20):
        await journal.close()
    disk.empty()
    journal = await open_at(path)
    assert [e.action for e in (await journal.find(Entry, Find())).rows] == ["kept"]
    await journal.close()
