"""The journal of one site in one SQLite file; implements ports/journal.py.

Opened by bootstrap.py. `commit` gives the seq numbers, encodes and applies the change in the
event loop, and leaves the disk to the writer thread (writer.py), which makes everything waiting
durable in one transaction; docs/adr/0006-the-writer-of-the-journal.md says why.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from dragoman.domain.change import Change
from dragoman.domain.errors import DragomanError, JournalUnavailable
from dragoman.domain.site import Site
from dragoman.journal.sqlite import connection as sqlite
from dragoman.journal.sqlite.connection import Connect, Connection
from dragoman.journal.sqlite.load import load_site
from dragoman.journal.sqlite.lock import FileLock
from dragoman.journal.sqlite.reader import Reader
from dragoman.journal.sqlite.room import Room
from dragoman.journal.sqlite.rows import encoded, iso
from dragoman.journal.sqlite.schema import claim, migrate, refuse_newer
from dragoman.journal.sqlite.writer import Job, Loaded, Writer
from dragoman.ports.clock import Clock
from dragoman.ports.journal import Find, Found, RowT, Tally

RETRY_S = 1.0
"""When to try again while the disk fails; trial writes are made at least that often."""
FORGET_EVERY = timedelta(seconds=60)


class SqliteJournal:
    """See ports/journal.py for the contract. Use in one event loop only."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        connect: Connect,
        opened: tuple[FileLock, Connection, Loaded],
    ) -> None:
        """Take over what `_open` opened; use `SqliteJournal.open` instead."""
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._lock, connection, (self._site, self._seq) = opened
        self._epoch = 0
        self._refusal = ""
        self._closed = False
        self._under_way: deque[Job] = deque()
        self._forgot = clock.now()
        self._writer = Writer(path, connect, connection, self, clock.now)
        self._reader = Reader(path, connect)
        self._room = Room(lambda: self._under_way[0] if self._under_way else None)

    @classmethod
    async def open(
        cls, path: Path, *, site_name: str, clock: Clock, connect: Connect = sqlite.connect
    ) -> Self:
        """Open a journal, making it if missing, and load its open state.

        Raises NewerJournal if a newer program wrote it, NeedsHuman if another process or another
        site has it or it is damaged, JournalUnavailable if its disk doesn't work.
        """
        opened = await asyncio.to_thread(_open, path, site_name, clock, connect)
        return cls(path, clock, connect, opened)

    @property
    def site(self) -> Site:
        """The working set; keep the Site and not its parts."""
        return self._site

    def commit(self, change: Change) -> asyncio.Future[int]:
        """Apply a change now; the future is done when it is durable."""
        future: asyncio.Future[int] = self._loop.create_future()
        try:
            self._refuse()
            rows = encoded(change, self._site, self._seq)
        except DragomanError as error:
            future.set_exception(error)
            return future
        self._site.apply(change)
        self._seq += len(change.entries)
        job = Job(epoch=self._epoch, rows=rows, result=self._seq, future=future)
        if change.seen and self._clock.now() - self._forgot > FORGET_EVERY:
            self._forgot = job.forget = self._clock.now()
            self._site.forget_seen(self._forgot)
        self._put(job)
        return future

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        """Look up rows of one type in the whole history."""
        return await self._reader.find(row, query)

    async def tallies(self) -> Sequence[Tally]:
        """The outbox's sums per target over the whole history."""
        return await self._reader.tallies()

    async def upkeep(self, work: Callable[[Connection], Any]) -> Any:
        """Run `work` on the writing connection, between two transactions (see maintenance.py)."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._refuse()
        self._put(Job(epoch=self._epoch, upkeep=work, future=future))
        return await future

    async def close(self) -> None:
        """Finish what was committed, then let go of the file."""
        self._closed = True
        await self._reader.close()
        await self._writer.stop()
        self._lock.release()

    def _refuse(self) -> None:
        if self._closed:
            raise JournalUnavailable("the journal is closed")
        if self._refusal:
            raise JournalUnavailable(self._refusal, delay_s=RETRY_S)

    def _put(self, job: Job) -> None:
        self._under_way.append(job)
        self._writer.put(job)
        self._room.watch()

    def done(self, jobs: Sequence[Job]) -> None:
        """Called by the writer: these are durable."""
        for job in jobs:
            self._under_way.popleft()
            _settle(job, job.error)

    def lost(self, error: DragomanError, loaded: Loaded | None) -> None:
        """Called by the writer: nothing under way will become durable."""
        self._epoch += 1
        self._refusal = str(error)
        self._site.sound = False
        self._take(loaded)
        lost, self._under_way = self._under_way, deque()
        for job in lost:
            _settle(job, JournalUnavailable(self._refusal, delay_s=RETRY_S))

    def back(self, loaded: Loaded | None) -> None:
        """Called by the writer: the disk takes writes again."""
        self._take(loaded)
        self._refusal = ""

    def _take(self, loaded: Loaded | None) -> None:
        if loaded is not None:
            site, self._seq = loaded
            self._site.take(site)


def _settle(job: Job, error: DragomanError | None) -> None:
    if job.future.done():  # whoever waited was cancelled; the change stands all the same
        return
    if error is None:
        job.future.set_result(job.result)
    else:
        job.future.set_exception(error)


def _open(
    path: Path, site_name: str, clock: Clock, connect: Connect
) -> tuple[FileLock, Connection, Loaded]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        lock = FileLock(path)
        undo.callback(lock.release)
        try:
            connection = connect(path)
            undo.callback(connection.close)
            refuse_newer(connection)
            sqlite.prepare(connection)
            migrate(connection, str(iso(clock.now())))
            claim(connection, site_name)
            sqlite.prepare_batches(connection)
            loaded = load_site(connection, clock.now())
        except Exception as error:
            raise sqlite.translated(error) from error
        undo.pop_all()
    return lock, connection, loaded
