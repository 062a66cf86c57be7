"""Look-ups in the whole history: on a connection and a thread of their own.

Used by SqliteJournal.find and .tallies. Never waits for the writer, and never holds it up.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from dragoman.domain.case import Case, PastCase
from dragoman.domain.change import Entry
from dragoman.domain.delivery import Delivery
from dragoman.domain.errors import Permanent
from dragoman.domain.order import Assignment
from dragoman.domain.robot import Robot
from dragoman.journal.sqlite.connection import Connect, Connection, rows, translated
from dragoman.journal.sqlite.rows import decoded, iso
from dragoman.journal.sqlite.statements import SQL
from dragoman.ports.journal import COLUMNS, Find, Found, RowT, Tally

R = TypeVar("R")

_TABLES: Final[dict[type, tuple[str, str, str]]] = {
    Case: ("cases", "n", "received_at"),
    PastCase: ("past_cases", "n", ""),
    Assignment: ("assignments", "n", "assigned_at"),
    Delivery: ("deliveries", "n", "created_at"),
    Entry: ("entries", "seq", "at"),
    Robot: ("robots", "n", ""),
}
"""Table, the column that numbers its rows by creation, and the time of creation if known."""


def question(row: type, query: Find) -> tuple[str, list[Any]]:
    """The statement and parameters of a query. Raises Permanent on what can't be asked."""
    table, order, created = _TABLES[row]
    terms: list[str] = []
    parameters: list[Any] = []
    for column, wanted in query.where.items():
        if column not in COLUMNS[row]:
            raise Permanent(
                f"a {row.__name__.lower()} can't be looked up by this column",
                field=column,
                mend=f"use one of {', '.join(sorted(COLUMNS[row]))}",
            )
        values = [wanted] if isinstance(wanted, str) else list(wanted)
        terms.append(f"{column} IN ({', '.join('?' * len(values))})")
        if "" not in values:  # else the indices without rows of an empty value aren't used
            terms.append(f"{column} <> ''")
        parameters += values
    if query.since is not None:
        if not created:
            raise Permanent(f"{table} have no time of creation", field="since", mend="leave it out")
        terms.append(f"{created} >= ?")
        parameters.append(iso(query.since))
    if query.after:
        if not query.after.isdecimal():
            raise Permanent("not a page's `next`", field="after", value=query.after)
        terms.append(f"{order} {'<' if query.newest_first else '>'} ?")
        parameters.append(int(query.after))
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    direction = "DESC" if query.newest_first else "ASC"
    parameters.append(query.limit + 1)
    return (
        f"SELECT {order}, body FROM {table}{where} ORDER BY {order} {direction} LIMIT ?",  # noqa: S608 (only names from the tables above; values are parameters)
        parameters,
    )


def tallies_of(connection: Connection) -> list[Tally]:
    """The sums per target, all of one moment."""
    names = ("target", "matched", "delivered", "failed", "in_flight", "queued", "dead")
    return [Tally(**dict(zip(names, r, strict=True))) for r in rows(connection, SQL["tallies"])]


class Reader:
    """A read-only connection and the one thread that uses it."""

    def __init__(self, path: Path, connect: Connect) -> None:
        self._path = path
        self._connect = connect
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-read")

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        """One page. Raises Permanent on an unknown column, JournalUnavailable if reading fails."""
        sql, parameters = question(row, query)

        def page() -> Found[RowT]:
            found = rows(self._open(), sql, parameters)
            last = str(found[query.limit - 1][0]) if len(found) > query.limit else ""
            return Found(rows=[decoded(row, body) for _, body in found[: query.limit]], next=last)

        return await self._run(page)

    async def tallies(self) -> Sequence[Tally]:
        """The sums per target, all of one moment."""
        return await self._run(lambda: tallies_of(self._open()))

    async def close(self) -> None:
        """Let go of the file, once the last look-up is through."""
        await self._run(self._let_go)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], R]) -> R:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, work)
        except Exception as error:
            raise translated(error) from error

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect(self._path)
            self._connection.execute("PRAGMA query_only=ON").fetchall()
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
