"""The file of the SQLite journal: lock, layout, migrations, append-only entries, start."""

import asyncio
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from dragoman.domain.case import Case
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.domain.errors import DragomanError, NeedsHuman, NewerJournal
from dragoman.domain.order import Assignment
from dragoman.journal.sqlite import SqliteJournal, room
from dragoman.journal.sqlite.connection import connect, rows, translated
from dragoman.journal.sqlite.reader import question
from dragoman.journal.sqlite.schema import migrate
from dragoman.journal.sqlite.statements import MIGRATIONS, SQL, named, split
from dragoman.ports.journal import Find
from dragoman.testing.conformance.journal import contents
from dragoman.testing.conformance.journal_history import NOW, START, History, case, delivery, entry
from tests.adapters.journal.fixed_clock import FixedClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site" / "journal.sqlite"


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def open_at(path: Path, site_name: str = "test") -> SqliteJournal:
    return await SqliteJournal.open(path, site_name=site_name, clock=FixedClock(NOW))


async def filled(path: Path, steps: int = 40) -> SqliteJournal:
    journal = await open_at(path)
    history = History(journal.site)
    for number in range(steps):
        kind = ("open", "assign", "send", "settle", "progress")[number % 5]
        await journal.commit(history.next(kind, number * 7))
    return journal


async def test_a_second_writer_is_refused_by_pid(path: Path) -> None:
    journal = await open_at(path)
    with pytest.raises(NeedsHuman, match=f"in use by process {os.getpid()}"):
        await open_at(path)
    await journal.close()
    await (await open_at(path)).close()


async def test_another_sites_journal_is_refused(path: Path) -> None:
    await (await open_at(path, "north")).close()
    with pytest.raises(NeedsHuman, match=r"another site.*'north'"):
        await open_at(path, "south")
    await (await open_at(path, "north")).close()


async def test_a_newer_file_is_refused_and_left_as_it_is(path: Path) -> None:
    await (await filled(path)).close()
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()
        connection.execute("INSERT INTO migrations VALUES (99, 'later')")
    before = content_of(path)
    with pytest.raises(NewerJournal, match=f"version 99.*up to {max(MIGRATIONS)}.*install"):
        await open_at(path)
    assert content_of(path) == before


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look at" * 9, None])
async def test_another_file_is_refused_and_left_as_it_is(path: Path, content: bytes | None) -> None:
    path.parent.mkdir()
    if content is None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE shopping (item TEXT)")
    else:
        put(path, content)
    before = content_of(path)
    with pytest.raises(NeedsHuman, match="not a"):
        await open_at(path)
    assert content_of(path) == before


async def test_a_first_version_is_brought_to_this_one(path: Path) -> None:
    """A file of the first layout opens; its rows are there and its sums add up."""
    path.parent.mkdir()
    sent = replace(delivery(1), state=DeliveryState.DELIVERED)
    with closing(connect(path)) as connection:
        migrate(connection, "then", {1: MIGRATIONS[1]})
        tables = {name for (name,) in rows(connection, "SELECT name FROM sqlite_schema")}
        assert "cases_closed" not in tables
        connection.execute(
            "INSERT INTO deliveries (id, target, lane, case_id, order_id, created_at, state, body)"
            " VALUES ('d-1', 'desk:a', 'l', '', '', '2030', 'delivered', '{}')"
        )
    journal = await open_at(path)
    await journal.commit(Change(deliveries=(sent,), entries=(entry(START, "a.b"),)))
    (tally,) = await journal.tallies()
    assert (tally.matched, tally.delivered) == (2, 2)
    await journal.close()
    with closing(connect(path)) as connection:
        done = connection.execute("SELECT version, applied_at FROM migrations").fetchall()
    assert [version for version, _ in done] == list(MIGRATIONS)
    assert done[0][1] == "then"


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    bad = {**MIGRATIONS, 98: "CREATE TABLE half (a);\nINSERT INTO nowhere VALUES (1);"}
    with closing(connect(path)) as connection, pytest.raises(sqlite3.OperationalError):
        migrate(connection, "now", bad)
    with closing(connect(path)) as connection:
        migrate(connection, "now")
        assert not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'half'").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = '{}' WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 2",
        "DELETE FROM entries",
        "INSERT INTO entries SELECT seq + 5, at, action, '', '', '', '', body FROM entries LIMIT 1",
        "INSERT OR REPLACE INTO entries SELECT 2, at, action, '', '', '', '', '{}' FROM entries",
    ],
)
async def test_entries_can_only_be_appended(path: Path, statement: str) -> None:
    await (await filled(path)).close()
    with closing(connect(path)) as connection:
        before = connection.execute("SELECT * FROM entries").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|gapless"):
            connection.execute(statement)
        assert connection.execute("SELECT * FROM entries").fetchall() == before


async def test_the_due_table_is_the_open_cases_deadlines(path: Path) -> None:
    journal = await filled(path)
    wanted = {c.id: c.due_at for c in journal.site.cases.values()}
    assert len(wanted) > 3
    closing_one = next(iter(journal.site.cases.values()))
    await journal.commit(Change(cases=(replace(closing_one, due_at=None),)))
    del wanted[closing_one.id]
    await journal.close()
    with closing(connect(path)) as connection:
        due = connection.execute("SELECT case_id, due_at, state FROM due").fetchall()
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM due WHERE due_at < '2031'"
        ).fetchall()
    assert {case_id for case_id, _, _ in due} == set(wanted)
    assert "cases_due" in str(plan), "one index look-up, however long the history"


async def test_webhook_ids_are_forgotten_in_memory_and_on_disk(path: Path) -> None:
    clock = FixedClock(NOW)
    journal = await SqliteJournal.open(path, site_name="test", clock=clock)
    old = {f"old-{n}": NOW + timedelta(seconds=n) for n in range(5)}
    await journal.commit(Change(seen=old))
    clock.at = NOW + timedelta(minutes=5)
    await journal.commit(Change(seen={"new": clock.at + timedelta(minutes=5)}))
    assert set(journal.site.seen) == {"new"}
    await journal.close()
    with closing(connect(path)) as connection:
        assert connection.execute("SELECT id FROM seen").fetchall() == [("new",)]


async def test_fields_of_a_later_version_are_skipped(path: Path) -> None:
    journal = await filled(path)
    before = contents(journal.site)
    await journal.close()
    with closing(connect(path)) as connection:
        connection.execute("UPDATE cases SET body = json_set(body, '$.flavour', 'new')")
        connection.execute("UPDATE deliveries SET body = json_set(body, '$.flavour', 'new')")
    journal = await open_at(path)
    assert contents(journal.site) == before
    await journal.close()


async def test_a_body_that_cannot_be_read_stops_the_start_with_its_reason(path: Path) -> None:
    journal = await open_at(path)
    await journal.commit(Change(cases=(case(1),)))
    await journal.close()
    with closing(connect(path)) as connection:
        connection.execute("UPDATE cases SET body = json_set(body, '$.state', 'asleep')")
    with pytest.raises(NeedsHuman, match=r"Case that can't be read.*asleep.*verify"):
        await open_at(path)
    with pytest.raises(NeedsHuman, match="can't be read"):
        await open_at(path)  # and the lock was let go


async def test_a_start_reads_by_index_only(path: Path) -> None:
    """No query of the start walks through a table that grows with the history."""
    await (await open_at(path)).close()
    growing = (
        "SCAN entries",
        "SCAN cases",
        "SCAN c",
        "SCAN a",
        "SCAN assignments",
        "SCAN deliveries",
    )
    with closing(connect(path)) as connection:
        for name in ("last_seq", "load_cases", "load_assignments", "load_deliveries"):
            count = 2 if name == "load_assignments" else int("?1" in SQL[name])
            plan = connection.execute(
                f"EXPLAIN QUERY PLAN {SQL[name]}", ('["x"]',) * count
            ).fetchall()
            for step in plan:
                assert not step[3].startswith(growing), (name, plan)


async def test_the_log_is_folded_into_the_file_while_writing_goes_on(path: Path) -> None:
    journal = await open_at(path)
    wal = path.with_name(path.name + "-wal")
    sizes = []
    for _ in range(6):
        entries = tuple(entry(START, "a.b") for _ in range(1_000))
        await asyncio.gather(*(journal.commit(Change(entries=entries)) for _ in range(4)))
        sizes.append(wal.stat().st_size)
    assert sizes[-1] <= 2 * sizes[0], "the log is used again from its start"
    await journal.close()
    assert not wal.exists()


async def test_a_slow_look_up_holds_up_no_commit(path: Path) -> None:
    journal = await open_at(path)
    entries = tuple(entry(START, "a.b") for _ in range(2_000))
    await journal.commit(Change(entries=entries))
    looking = asyncio.create_task(journal.find(Entry, Find(limit=2_000)))
    commits = 0
    while not looking.done():
        await journal.commit(Change(entries=(entry(START, "a.b"),)))
        commits += 1
    assert len((await looking).rows) == 2_000
    assert commits >= 1
    await journal.close()


async def test_a_busy_event_loop_does_not_starve_the_writer(path: Path) -> None:
    """A loop that never rests, but lets go of the interpreter's lock for moments all the time."""
    journal = await open_at(path)
    done = False

    async def busy() -> None:
        while not done:
            sum(range(2_000))
            await asyncio.sleep(0)

    burning = asyncio.create_task(busy())
    try:
        async with asyncio.timeout(30):  # a statement a table, and no room, took seconds a commit
            for number in range(1, 101):
                assert await journal.commit(Change(entries=(entry(START, "a.b"),))) == number
    finally:
        done = True
        await burning
        await journal.close()


async def test_the_loop_makes_room_only_for_what_is_long_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paused = asyncio.Event()
    monkeypatch.setattr(room, "time", SimpleNamespace(sleep=lambda _: paused.set()))
    under_way: list[object] = [object()]
    watched = room.Room(lambda: under_way[0] if under_way else None)
    watched.watch()
    assert not paused.is_set(), "not at once"
    await asyncio.wait_for(paused.wait(), 20)
    under_way.clear()
    await asyncio.sleep(2 * room.PATIENCE_S)
    paused.clear()
    await asyncio.sleep(5 * room.PATIENCE_S)
    assert not paused.is_set(), "nothing under way, nothing to wait for"
    under_way.append(object())
    watched.watch()
    await asyncio.wait_for(paused.wait(), 20)
    under_way.clear()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (13, "disk is full"),
        (10 | 3 << 8, "failed to read or write"),
        (11, "damaged"),
        (1, "failed"),
    ],
)
def test_errors_of_both_drivers_are_translated_by_one_table(code: int, words: str) -> None:
    ours = sqlite3.OperationalError("text")
    ours.sqlite_errorcode = code
    theirs = apsw.exception_for(code & 0xFF)
    for error in (ours, theirs):
        found = translated(error)
        assert isinstance(found, DragomanError)
        assert words in str(found)


def test_sql_files_are_split_at_statements_and_names() -> None:
    assert named("-- name: one\nSELECT 1;\n\n-- name: two\n-- why\nSELECT\n 2;\n") == {
        "one": "SELECT 1",
        "two": "-- why\nSELECT\n 2",
    }
    trigger = "CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT 1; SELECT 2; END;"
    assert split(f"-- note; with a semicolon\nCREATE TABLE a (b);\n{trigger}\n") == [
        "-- note; with a semicolon\nCREATE TABLE a (b);",
        trigger,
    ]


INDEXED = [
    *((Entry, column) for column in ("case_id", "order_id", "robot_id", "action")),
    *((Delivery, column) for column in ("id", "case_id", "order_id")),
    *((Assignment, column) for column in ("order_id", "case_id", "robot_id")),
    *((Case, column) for column in ("id", "number")),
]


@pytest.mark.parametrize(("row", "column"), INDEXED)
async def test_a_look_up_reads_no_whole_table(path: Path, row: type, column: str) -> None:
    """Also the next page of it, whose cursor alone would be no help."""
    await (await open_at(path)).close()
    with closing(connect(path)) as connection:
        for query in (Find(where={column: "x"}), Find(where={column: "x"}, after="7")):
            sql, parameters = question(row, query)
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
            assert [step[3] for step in plan if f"({column}=?" not in step[3]] == []
