"""Both journals against the one suite of the port."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite.connection import Connection, Cursor, connect
from dragoman.ports.journal import Journal
from dragoman.testing.conformance.journal import DiskFactory, JournalConformance
from dragoman.testing.conformance.journal_history import NOW
from dragoman.testing.memory_journal import MemoryJournal, MemoryStore
from tests.adapters.journal.fixed_clock import FixedClock


class FailingConnection:
    """A connection whose commits fail while its disk is told to."""

    def __init__(self, path: Path, disk: "SqliteDisk") -> None:
        self._inner = connect(path)
        self._disk = disk

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Pass on, or fail as SQLite does on a full disk."""
        if self._disk.failing and sql.startswith(("INSERT INTO batch", "INSERT INTO meta")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self._inner.execute(sql, parameters)

    def close(self) -> None:
        """Close the inner one."""
        self._inner.close()


class SqliteDisk:
    """A folder with a journal file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.sqlite"
        self.failing = False

    def _connect(self, path: Path) -> Connection:
        return FailingConnection(path, self)

    async def open(self) -> Journal:
        """Open the file."""
        return await SqliteJournal.open(
            self._path, site_name="test", clock=FixedClock(NOW), connect=self._connect
        )

    def fail(self) -> None:
        """Fail every commit."""
        self.failing = True

    def mend(self) -> None:
        """Let commits through."""
        self.failing = False


class MemoryDisk:
    """A store that outlives its journals."""

    def __init__(self, _: Path) -> None:
        self._store = MemoryStore()
        self._journal = MemoryJournal(self._store)

    async def open(self) -> Journal:
        """A journal on the store."""
        self._journal = MemoryJournal(self._store, now=lambda: NOW)
        return self._journal

    def fail(self) -> None:
        """Fail every transaction."""
        self._journal.fail_next(1_000_000)

    def mend(self) -> None:
        """Let them through."""
        self._journal.fail_next(0)


class TestSqliteJournal(JournalConformance):
    """The one in SQLite."""

    @pytest.fixture
    def make_disk(self) -> DiskFactory:
        """A disk with a file."""
        return SqliteDisk


class TestMemoryJournal(JournalConformance):
    """The one in memory."""

    @pytest.fixture
    def make_disk(self) -> DiskFactory:
        """A disk in memory."""
        return MemoryDisk
