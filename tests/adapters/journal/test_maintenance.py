"""Backup, restore, archive, verify and stats on real files."""

import asyncio
import gzip
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dragoman.domain.case import Case, CaseState, PastCase
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.domain.errors import NeedsHuman
from dragoman.domain.order import AssignmentState
from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite.archive import archive_chunk, read_archive
from dragoman.journal.sqlite.connection import Cursor, connect
from dragoman.journal.sqlite.maintenance import archive, backup, restore, stats, verify
from dragoman.journal.sqlite.schema import migrate
from dragoman.journal.sqlite.statements import ARCHIVE, MIGRATIONS
from dragoman.ports.journal import Find
from dragoman.testing.conformance.journal import contents
from dragoman.testing.conformance.journal_history import (
    NOW,
    START,
    History,
    assignment,
    case,
    delivery,
    entry,
)
from tests.adapters.journal.fixed_clock import FixedClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


async def open_at(path: Path) -> SqliteJournal:
    return await SqliteJournal.open(path, site_name="test", clock=FixedClock(NOW))


async def write(journal: SqliteJournal, steps: int = 30) -> None:
    history = History(journal.site)
    for number in range(steps):
        kind = ("open", "assign", "send", "settle", "progress")[number % 5]
        await journal.commit(history.next(kind, number * 7))


async def write_and_close(path: Path, steps: int = 5) -> None:
    journal = await open_at(path)
    await write(journal, steps)
    await journal.close()


async def test_a_backup_of_a_journal_in_use_is_whole_and_can_be_restored(path: Path) -> None:
    journal = await open_at(path)
    await write(journal)
    before = contents(journal.site)
    copy = path.with_name("backup.sqlite")
    assert backup(path, copy, NOW) == 30
    await journal.commit(Change(entries=(entry(START, "later"),)))
    await journal.close()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert sorted(p.name for p in path.parent.iterdir() if "backup" in p.name) == ["backup.sqlite"]

    elsewhere = path.with_name("other") / "journal.sqlite"
    assert restore(copy, elsewhere, NOW) is None
    restored = await open_at(elsewhere)
    assert contents(restored.site) == before
    assert await restored.commit(Change(entries=(entry(START, "a.b"),))) == 31
    await restored.close()


async def test_a_restore_replaces_only_by_force_and_keeps_the_old_one(path: Path) -> None:
    journal = await open_at(path)
    await write(journal)
    copy = path.with_name("backup.sqlite")
    backup(path, copy, NOW)
    await journal.commit(Change(entries=(entry(START, "later"),)))
    with pytest.raises(NeedsHuman, match="in use by process"):
        restore(copy, path, NOW, force=True)
    await journal.close()
    with pytest.raises(NeedsHuman, match="--force"):
        restore(copy, path, NOW)
    kept = restore(copy, path, NOW, force=True)
    assert kept is not None
    assert stats(kept).last_seq == 31
    assert stats(path).last_seq == 30
    assert verify(path, NOW) == verify(kept, NOW) == []


def test_the_log_of_a_replaced_journal_is_not_taken_for_the_new_ones(path: Path) -> None:
    """As after a kill: entries that are only in the log belong to the old journal alone."""
    asyncio.run(write_and_close(path))
    copy = path.with_name("backup.sqlite")
    backup(path, copy, NOW)
    log = path.with_name(path.name + "-wal")
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0").fetchall()
        connection.execute("INSERT INTO cursors VALUES ('desk', 'only in the log')")
        saved = path.read_bytes(), log.read_bytes()
    path.write_bytes(saved[0])
    log.write_bytes(saved[1])
    kept = restore(copy, path, NOW, force=True)
    assert kept is not None
    for file, cursors in ((path, 1), (kept, 2)):
        with closing(connect(file)) as connection:
            assert connection.execute("SELECT count(*) FROM cursors").fetchall() == [(cursors,)]


async def test_a_damaged_backup_is_refused_and_nothing_touched(path: Path) -> None:
    journal = await open_at(path)
    await write(journal, 200)
    await journal.close()
    copy = path.with_name("backup.sqlite")
    backup(path, copy, NOW)
    data = bytearray(copy.read_bytes())
    for page in range(8, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    copy.write_bytes(data)
    with pytest.raises(NeedsHuman, match=r"not sound|damaged"):
        restore(copy, path, NOW, force=True)
    assert stats(path).last_seq == 200
    with pytest.raises(NeedsHuman, match="exists already"):
        backup(path, copy, NOW)


async def test_verify_finds_a_removed_entry_and_a_lost_delivery(path: Path) -> None:
    journal = await open_at(path)
    await write(journal)
    await journal.close()
    assert verify(path, NOW) == []
    with closing(connect(path)) as connection:
        connection.execute("DROP TRIGGER entries_no_delete")
        connection.execute("DELETE FROM entries WHERE seq = 7")
        connection.execute("DELETE FROM deliveries WHERE n = 3")
    problems = verify(path, NOW)
    assert len(problems) == 2
    assert "1 are missing" in problems[0]
    assert "does not add up" in problems[1]


def test_a_backup_of_an_older_layout_is_kept_as_it_is_and_restored_to_this_one(path: Path) -> None:
    old = path.with_name("old.sqlite")
    with closing(connect(old)) as connection:
        migrate(connection, "then", {1: MIGRATIONS[1]})
    assert verify(old, NOW) == []
    assert (stats(old).version, stats(old).tallies) == (1, ())
    copy = path.with_name("backup.sqlite")
    assert backup(old, copy, NOW) == 0
    assert stats(copy).version == 1
    restore(copy, path, NOW)
    assert stats(path).version == max(MIGRATIONS)
    asyncio.run(write_and_close(path))


def test_an_empty_file_is_no_journal(path: Path) -> None:
    path.touch()
    with pytest.raises(NeedsHuman, match="empty"):
        verify(path, NOW)


def test_a_missing_journal_is_named(path: Path) -> None:
    with pytest.raises(NeedsHuman, match="no journal here"):
        stats(path)
    assert not path.exists()


async def closed_cases(journal: SqliteJournal) -> dict[str, Delivery]:
    """Six closed cases, two of them recent; deliveries of all outcomes by name."""
    sent: dict[str, Delivery] = {}
    for number in range(6):
        since = START - timedelta(days=90) if number < 4 else START
        new = replace(case(number), since=since)
        attempt = assignment(new, "maker/1", START)
        await journal.commit(Change(cases=(replace(new, order_id=attempt.order_id),)))
        ended = replace(attempt, state=AssignmentState.FINISHED)
        await journal.commit(Change(assignments=(ended,), entries=(entry(START, "a.b"),)))
        for place, state in enumerate((DeliveryState.DELIVERED, DeliveryState.FAILED)):
            made = replace(
                delivery(number * 10 + place), case_id=new.id, state=state, ended_at=since
            )
            sent[made.id] = made
        closed = replace(new, state=CaseState.CLOSED, order_id=attempt.order_id, due_at=None)
        await journal.commit(Change(cases=(closed,)))
    dead = replace(delivery(900), case_id="case-000001", state=DeliveryState.DEAD)
    lone_at = START - timedelta(days=90)
    lone = replace(delivery(901), state=DeliveryState.DELIVERED, ended_at=lone_at)
    recent = replace(delivery(902), state=DeliveryState.DELIVERED, ended_at=START)
    sent |= {d.id: d for d in (dead, lone, recent)}
    await journal.commit(Change(deliveries=tuple(sent.values())))
    return sent


async def test_retention_moves_old_cases_and_the_sums_still_add_up(
    path: Path, tmp_path: Path
) -> None:
    journal = await open_at(path)
    sent = await closed_cases(journal)
    tallies = await journal.tallies()
    to = tmp_path / "old.jsonl.gz"
    before = START - timedelta(days=30)
    moved = await journal.upkeep(lambda connection: archive_chunk(connection, before, to))
    assert (moved.cases, moved.deliveries) == (3, 7)
    assert not await journal.upkeep(lambda connection: archive_chunk(connection, before, to))

    assert await journal.tallies() == tallies
    left = {c.id for c in (await journal.find(Case, Find())).rows}
    assert left == {"case-000001", "case-000004", "case-000005"}, "one has a dead letter"
    stored = {d.id for d in (await journal.find(Delivery, Find())).rows}
    assert {"d-000900", "d-000902", "d-000010"} <= stored
    assert len((await journal.find(Entry, Find())).rows) == 6, "the audit stays"
    past = (await journal.find(PastCase, Find())).rows
    assert [one.case_id for one in past] == ["case-000000", "case-000002", "case-000003"]
    assert past[0] == PastCase.of(replace(case(0), state=CaseState.CLOSED))

    rows = list(read_archive(to))
    gone = {body["id"] for kind, body in rows if kind == "delivery"}
    assert gone | stored == set(sent)
    assert not gone & stored
    assert {body["id"] for kind, body in rows if kind == "case"} | left == {
        f"case-{n:06}" for n in range(6)
    }
    assert sum(kind == "assignment" for kind, _ in rows) == 3
    await journal.close()
    assert verify(path, NOW) == []


@pytest.mark.parametrize("name", ARCHIVE)
async def test_a_chunk_costs_the_same_in_a_large_journal(path: Path, name: str) -> None:
    """Each statement finds its rows by an index; none reads a table, or sorts all of a state."""
    await (await open_at(path)).close()
    count = max(int(number) for number in re.findall(r"\?(\d)", ARCHIVE[name]))
    with closing(connect(path)) as connection:
        explained = f"EXPLAIN QUERY PLAN {ARCHIVE[name]}"
        plan = [row[3] for row in connection.execute(explained, [""] * count).fetchall()]
    scans = [step for step in plan if step.startswith("SCAN") and "json_each" not in step]
    assert [step for step in scans if step != "SCAN targets"] == []
    assert [step for step in plan if "_state " in step] == []


class Crash(Exception):
    """The process is gone."""


class Crashing:
    """A connection that dies where the rows would be deleted."""

    def __init__(self, path: Path) -> None:
        self.inner = connect(path)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        if sql.startswith("DELETE"):
            raise Crash
        return self.inner.execute(sql, parameters)

    def close(self) -> None:
        self.inner.close()


async def test_a_crash_between_archive_and_deletion_loses_nothing(
    path: Path, tmp_path: Path
) -> None:
    """The rows are then in both; the next run, to another file, moves them again."""
    journal = await open_at(path)
    await closed_cases(journal)
    await journal.close()

    before, first = START - timedelta(days=30), tmp_path / "first.jsonl.gz"
    with pytest.raises(Crash):
        archive_chunk(Crashing(path), before, first)
    first.write_bytes(first.read_bytes() + gzip.compress(b"x" * 1000)[:-9])  # a torn end
    assert len(list(read_archive(first))) == 13
    moved = archive(path, before, tmp_path / "second.jsonl.gz", NOW)
    assert (moved.cases, moved.deliveries) == (3, 7)
    assert list(read_archive(first)) == list(read_archive(tmp_path / "second.jsonl.gz"))
    assert verify(path, NOW) == []


async def test_an_archive_that_cannot_be_written_deletes_nothing(
    path: Path, tmp_path: Path
) -> None:
    journal = await open_at(path)
    await closed_cases(journal)
    (tmp_path / "no-folder").write_text("")
    before, to = START - timedelta(days=30), tmp_path / "no-folder" / "a.jsonl.gz"
    with pytest.raises(NeedsHuman, match=r"archive.*nothing was deleted"):
        await journal.upkeep(lambda connection: archive_chunk(connection, before, to))
    assert len((await journal.find(Case, Find())).rows) == 6
    assert await journal.commit(Change(entries=(entry(START, "a.b"),))) == 7, "others go on"
    await journal.close()
    with pytest.raises(NeedsHuman, match="can't be written"):
        archive(path, before, to, NOW)


async def test_stats_tell_what_is_there(path: Path) -> None:
    journal = await open_at(path)
    await write(journal)
    found = stats(path)
    assert (found.site, found.last_seq) == ("test", 30)
    assert found.file_bytes > 0
    assert found.wal_bytes > 0
    assert sum(found.cases.values()) == 6
    assert list(found.tallies) == list(await journal.tallies())
    await journal.close()
