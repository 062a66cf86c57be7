"""The one writer: a thread that makes everything waiting durable in one transaction.

Made by SqliteJournal. The event loop puts jobs into a queue and never waits for the disk; the
thread reports back by the three callbacks of `Reports`, which run in the event loop, in order.
A failure loses the batch and all jobs put since; the thread then reads the state of the disk
again, and refuses to write until a small trial write went through.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from dragoman.domain.errors import DragomanError
from dragoman.domain.site import Site
from dragoman.journal.sqlite.connection import (
    Connect,
    Connection,
    prepare,
    prepare_batches,
    rows,
    translated,
)
from dragoman.journal.sqlite.load import load_site
from dragoman.journal.sqlite.rows import Written, iso
from dragoman.journal.sqlite.statements import SQL

CHECKPOINT_ROWS = 2_000
"""Rows written between two checkpoints: some 4 MB of write-ahead log."""
BATCH_ROWS = 4_000
"""A transaction ends beyond so many rows, so that the first in line doesn't wait for the last."""
PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Waits between trial writes after a failure; the last one repeats."""

Loaded = tuple[Site, int]
TABLES = (
    "entries",
    "cases",
    "assignments",
    "robots",
    "reports",
    "deliveries",
    "faults",
    "cursors",
    "seen",
)
"""The columns of the view `batch` (batch.sql), but for the last one."""
WRITE = f"INSERT INTO batch VALUES ({', '.join('?' * (len(TABLES) + 1))})"  # noqa: S608 - no values


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One change to write, or one piece of upkeep to do between two transactions.

    epoch: of the memory that the change was computed on. result: the seq of the change's last
    entry, or what the upkeep returned; error: what it raised. forget: drop webhook ids older.
    """

    epoch: int
    future: asyncio.Future[Any] = field(repr=False)
    rows: Sequence[Written] = ()
    result: Any = None
    error: DragomanError | None = None
    forget: datetime | None = None
    upkeep: Callable[[Connection], Any] | None = None


class Reports(Protocol):
    """What the writer tells the journal, in the event loop."""

    def done(self, jobs: Sequence[Job]) -> None:
        """These are durable (or, if upkeep, finished with a result or an error)."""
        ...

    def lost(self, error: DragomanError, loaded: Loaded | None) -> None:
        """All jobs not reported done are lost. loaded: the state of the disk if it can be read."""
        ...

    def back(self, loaded: Loaded | None) -> None:
        """Writing works again. loaded: the state of the disk if `lost` could not bring it."""
        ...


class Writer:
    """Owns the writing connection and its thread, from the first job to `stop`."""

    def __init__(
        self,
        path: Path,
        connect: Connect,
        connection: Connection,
        reports: Reports,
        now: Callable[[], datetime],
    ) -> None:
        self.trouble = ""
        self._path = path
        self._connect = connect
        self._connection = connection
        self._reports = reports
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._held: Job | None = None
        self._epoch = 0
        self._unchecked = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Queue a job. Called in the event loop."""
        self._jobs.put(job)

    async def stop(self) -> None:
        """Write what is queued, fold the log into the file, close, and end the thread."""
        self._stopping.set()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._waiting()
            try:
                self._write(batch)
                self._tell(self._reports.done, batch)
            except Exception as error:  # noqa: BLE001 - every failure must reach those who wait
                self._recover(translated(error))
            self._checkpoint("PASSIVE" if more else "TRUNCATE")
        self._connection.close()

    def _waiting(self) -> tuple[list[Job], bool]:
        """The jobs in line, or one of upkeep alone; False with the last ones of all."""
        batch: list[Job] = []
        size = 0
        while True:
            job = self._held or self._jobs.get()
            self._held = None
            if job is None:
                return batch, False
            if job.upkeep is not None and batch:
                self._held = job
                return batch, True
            if job.epoch == self._epoch:
                batch.append(job)
                size += len(job.rows)
            if job.upkeep is not None or size >= BATCH_ROWS or self._jobs.empty():
                return batch, True

    def _write(self, batch: Sequence[Job]) -> None:
        tables: dict[str, dict[object, bytes]] = {}
        for job in batch:
            for table, key, row in job.rows:
                tables.setdefault(table, {})[key] = row
        forget = [job.forget for job in batch if job.forget is not None]
        if tables or forget:
            arrays = [b"[%b]" % b",".join(tables.get(name, {}).values()) for name in TABLES]
            before = iso(max(forget)) if forget else None
            self._connection.execute(WRITE, (*map(bytes.decode, arrays), before))
            self._unchecked += sum(map(len, tables.values()))
        elif batch and batch[0].upkeep is not None:
            try:
                batch[0].result = batch[0].upkeep(self._connection)
            except Exception as error:  # noqa: BLE001 - it concerns only who asked for it
                batch[0].error = translated(error)

    def _checkpoint(self, mode: str) -> None:
        """Move the log into the database file, once it is long; its failure loses nothing."""
        if self._unchecked < CHECKPOINT_ROWS and mode == "PASSIVE":
            return
        try:
            rows(self._connection, f"PRAGMA wal_checkpoint({mode})")
            self.trouble = ""
        except Exception as error:  # noqa: BLE001 - kept and shown; the log holds everything
            self.trouble = str(error)
        self._unchecked = 0

    def _recover(self, error: DragomanError) -> None:
        self._epoch += 1
        loaded = self._reload()
        self._tell(self._reports.lost, error, loaded)
        told = loaded is not None
        pauses = iter(PAUSES_S)
        while not self._stopping.wait(next(pauses, PAUSES_S[-1])):
            loaded = loaded or self._reload()
            if loaded is not None and self._trial():
                self._tell(self._reports.back, None if told else loaded)
                return

    def _reload(self) -> Loaded | None:
        """A new connection and the state as the disk has it, or None while that fails."""
        try:
            self._connection.close()
            self._connection = self._connect(self._path)
            prepare(self._connection)
            prepare_batches(self._connection)
            return load_site(self._connection, self._now())
        except Exception as error:  # noqa: BLE001 - tried again until it works
            self.trouble = str(error)
            return None

    def _trial(self) -> bool:
        """Whether a small durable write goes through now."""
        try:
            rows(self._connection, "PRAGMA wal_checkpoint(PASSIVE)")
            self._connection.execute(SQL["probe"], (iso(self._now()),))
        except Exception as error:  # noqa: BLE001 - the disk still fails; tried again
            self.trouble = str(error)
            return False
        return True

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        self._loop.call_soon_threadsafe(what, *arguments)
