"""A journal's file, for reading only: what the commands show while no gateway runs.

Opened by bootstrap.py. It takes no lock and changes nothing, so a gateway may start meanwhile.
"""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Self

from dragoman.domain.change import Change
from dragoman.domain.errors import NeedsHuman, Permanent
from dragoman.domain.site import Site
from dragoman.journal.sqlite.connection import Connection, connect_to_read, translated
from dragoman.journal.sqlite.load import load_site
from dragoman.journal.sqlite.reader import Reader
from dragoman.journal.sqlite.schema import refuse_newer
from dragoman.journal.sqlite.statements import MIGRATIONS
from dragoman.ports.journal import Find, Found, RowT, Tally


class JournalFile:
    """Implements ports/journal.py, but for `commit`, which is refused. site: as it was opened."""

    def __init__(self, path: Path, site: Site) -> None:
        self._site = site
        self._reader = Reader(path, connect_to_read)

    @classmethod
    async def open(cls, path: Path, *, now: datetime) -> Self:
        """Open it. Raises NeedsHuman if it isn't a journal of this version's layout."""
        return cls(path, await asyncio.to_thread(_load, path, now))

    @property
    def site(self) -> Site:
        """The open state."""
        return self._site

    def commit(self, change: Change) -> asyncio.Future[int]:
        """Refuse: raises Permanent when awaited."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        what = f"the journal is open for reading only, so {len(change.entries)} entries are refused"
        future.set_exception(Permanent(what, mend="start the gateway"))
        return future

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        """Look up rows of one type in the whole history."""
        return await self._reader.find(row, query)

    async def tallies(self) -> Sequence[Tally]:
        """The outbox's sums per target over the whole history."""
        return await self._reader.tallies()

    async def close(self) -> None:
        """Let go of the file."""
        await self._reader.close()


def _load(path: Path, now: datetime) -> Site:
    try:
        with closing(connect_to_read(path)) as connection:
            _refuse_older(connection, path)
            return load_site(connection, now)[0]
    except Exception as error:
        raise translated(error) from error


def _refuse_older(connection: Connection, path: Path) -> None:
    if refuse_newer(connection) < max(MIGRATIONS):
        raise NeedsHuman(
            "the journal is of an older layout",
            value=str(path),
            mend="start the gateway, which brings it to the present one",
        )
