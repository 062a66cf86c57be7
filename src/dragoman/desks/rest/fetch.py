"""From rows of a list to whole records: as they are, or each read by itself.

Used by changes.py and snapshot.py.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from dragoman.desks.rest.errors import Gone
from dragoman.desks.rest.fields import Row
from dragoman.desks.rest.pages import OF_ONE
from dragoman.desks.rest.settings import RestSettings
from dragoman.desks.rest.wire import Wire
from dragoman.domain.errors import DragomanError
from dragoman.domain.watermark import Seen
from dragoman.ports.desk import DeskRecord
from dragoman.transport.http_errors import NotJson, ServerFailed


@dataclass(slots=True, kw_only=True)
class Fetched:
    """records: in the order of the rows. pairs: what to remember once they are kept. gone: ids."""

    records: list[DeskRecord] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class Fetch:
    """Gets the records of rows. Two marks are remembered of each: the row's, and the version."""

    def __init__(self, wire: Wire, settings: RestSettings) -> None:
        self._wire = wire
        self._whole = settings.changes.whole
        self._parallel = settings.changes.parallel
        self._settles = timedelta(seconds=settings.changes.granularity_s + 1)

    def is_known(self, row: Row, seen: Seen) -> bool:
        """Whether this very row was reported."""
        return seen.has(f"row {row.id}", row.mark)

    async def rows(self, rows: Sequence[Row], seen: Seen) -> Fetched:
        """Records that weren't reported in this version yet.

        Raises the failure if it hits every one: then it is the desk's.
        """
        got = Fetched()
        for start in range(0, len(rows), self._parallel):
            part = rows[start : start + self._parallel]
            told = await asyncio.gather(*map(self._record, part), return_exceptions=True)
            for row, one in zip(part, told, strict=True):
                if isinstance(one, DeskRecord):
                    self._take(row, one, seen, got)
                elif isinstance(one, Gone):
                    got.gone.append(row.id)
                elif isinstance(one, OF_ONE):
                    self._fail(row, one, got)
                else:
                    raise one
            failed = len(got.unreadable)
            if failed and not got.pairs and failed >= min(3, len(rows)):
                error = next(one for one in told if isinstance(one, DragomanError))
                if isinstance(error, NotJson | ServerFailed):
                    raise error
        got.pairs += [(f"row {row.id}", row.mark) for row in rows if row.id in got.gone]
        self._remember_failed(rows, got)
        return got

    async def _record(self, row: Row) -> DeskRecord:
        if self._whole:
            return self._wire.shape.record(row.raw, "", self._wire.now())
        return (await self._wire.read(row.id))[0]

    def _take(self, row: Row, record: DeskRecord, seen: Seen, got: Fetched) -> None:
        if not seen.has(f"version {row.id}", record.version):
            got.records.append(record)
        got.pairs.append((f"version {row.id}", record.version))
        if self._is_final(row):
            got.pairs.append((f"row {row.id}", row.mark))

    def _is_final(self, row: Row) -> bool:
        """Whether another change would show in the row. In the desk's own present second it may
        not: two changes then have one time, and the list may not hold what else changed.
        """
        if self._whole or row.exact or row.at is None:
            return True
        now = self._wire.http.server_now()
        return now is None or row.at < now - self._settles

    def _fail(self, row: Row, error: DragomanError, got: Fetched) -> None:
        raw = msgspec.json.encode(row.raw).decode()[:65_536]
        got.unreadable.append((raw, f"record {row.id[:60]}: {error}"))

    def _remember_failed(self, rows: Sequence[Row], got: Fetched) -> None:
        kept = {key for key, _ in got.pairs}
        for row in rows:
            if f"version {row.id}" not in kept and f"row {row.id}" not in kept:
                got.pairs.append((f"row {row.id}", row.mark))
