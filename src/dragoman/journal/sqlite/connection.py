"""How this adapter talks to SQLite, and the one table that turns its errors into ours.

A connection comes from a factory, so that tests can bring one whose disk fails (APSW with a
virtual file system of its own). Only what sqlite3 and apsw have in common is used.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from dragoman.domain.errors import DragomanError, JournalUnavailable, NeedsHuman
from dragoman.journal.sqlite.statements import BATCH


class Cursor(Protocol):
    """The result of a statement."""

    def fetchall(self) -> list[Any]:
        """All rows as tuples."""
        ...


class Connection(Protocol):
    """One open database, in autocommit mode; used by one thread at a time."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement with positional parameters."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


Connect = Callable[[Path], Connection]


def connect(path: Path) -> Connection:
    """Open a database with the sqlite3 module; made if missing."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a database that is there, for reading only; a gateway may be using it."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5.0
    )


def prepare(connection: Connection) -> None:
    """Set what the writing connection needs: a commit is on the disk when it returns.

    Checkpoints are made by the writer between transactions, so not by SQLite within one.
    """
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "wal_autocheckpoint=0",
        "journal_size_limit=67108864",
        "temp_store=MEMORY",
        "cache_size=-65536",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def prepare_batches(connection: Connection) -> None:
    """Make the view that each transaction is written through (batch.sql), after any migration."""
    for statement in BATCH:
        connection.execute(statement)


_MEANING: Final[dict[int, tuple[type[DragomanError], str]]] = {
    5: (JournalUnavailable, "another process holds the journal's database"),
    8: (JournalUnavailable, "the journal's disk is read-only"),
    10: (JournalUnavailable, "the journal's disk failed to read or write"),
    11: (NeedsHuman, "the journal's file is damaged; restore a backup"),
    13: (JournalUnavailable, "the journal's disk is full"),
    14: (JournalUnavailable, "the journal's file can't be opened"),
    26: (NeedsHuman, "this file is not a journal"),
}
"""SQLite's primary result codes (sqlite.org/rescode.html) and what each means here."""


def translated(error: BaseException) -> DragomanError:
    """Our error for one of sqlite3, apsw or the system."""
    if isinstance(error, DragomanError):
        return error
    code = getattr(error, "sqlite_errorcode", None) or getattr(error, "extendedresult", None)
    kind, meaning = _MEANING.get((code or 0) & 0xFF, (JournalUnavailable, "the journal failed"))
    return kind(f"{meaning} ({type(error).__name__}: {error})")


def rows(connection: Connection, sql: str, parameters: Iterable[Any] = ()) -> list[Any]:
    """All rows of a query."""
    return connection.execute(sql, tuple(parameters)).fetchall()
