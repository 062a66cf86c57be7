"""A journal's file opened for reading only: beside a writer, and after it was killed."""

import asyncio
import shutil
from pathlib import Path

import pytest

from dragoman.domain.case import Case
from dragoman.domain.change import Change, Entry
from dragoman.domain.errors import JournalUnavailable, NeedsHuman, Permanent
from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite.connection import connect
from dragoman.journal.sqlite.reading import JournalFile
from dragoman.journal.sqlite.schema import migrate
from dragoman.journal.sqlite.statements import MIGRATIONS
from dragoman.ports.journal import Find
from dragoman.testing.conformance.journal import contents
from dragoman.testing.conformance.journal_history import NOW, START, History, entry
from tests.adapters.journal.fixed_clock import FixedClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


async def test_it_shows_what_the_writer_has_made_durable(path: Path) -> None:
    """Also what is still in the log alone, as after a kill; and it takes no lock."""
    journal = await SqliteJournal.open(path, site_name="test", clock=FixedClock(NOW))
    history = History(journal.site)
    for number in range(30):
        kind = ("open", "assign", "send", "settle", "progress")[number % 5]
        await journal.commit(history.next(kind, number * 7))
    left = path.with_name("left") / path.name
    left.parent.mkdir()
    for end in ("", "-wal"):
        shutil.copyfile(f"{path}{end}", f"{left}{end}")
    for file in (path, left):
        read = await JournalFile.open(file, now=NOW)
        assert contents(read.site) == contents(journal.site)
        assert await read.tallies() == await journal.tallies()
        assert await read.find(Case, Find()) == await journal.find(Case, Find())
        assert await read.find(Entry, Find()) == await journal.find(Entry, Find())
        with pytest.raises(Permanent, match="reading only"):
            await read.commit(Change(entries=(entry(START, "a.b"),)))
        await read.close()
    await journal.close()


def test_what_is_no_journal_of_this_layout_is_refused_and_left_alone(path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="can't be opened"):
        asyncio.run(JournalFile.open(path, now=NOW))
    assert not path.exists(), "looking makes nothing"
    connection = connect(path)
    migrate(connection, "2026-01-01", {1: MIGRATIONS[1]})
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NeedsHuman, match="older layout"):
        asyncio.run(JournalFile.open(path, now=NOW))
    assert path.read_bytes() == before
