"""Finding changes by the time of the last update: each version once, none missed.

Used by client.py. A walk starts a little before the newest update seen and, on a desk that lists
oldest first, asks anew from the last time of each full page: what changes meanwhile moves to the
end, so offsets would skip others. Where pages have to be followed all the same, within one unit of
the desk's time, the walk is repeated until it brings nothing new. What the filter should have left
out is left out here.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec

from dragoman.config.jmes import reader
from dragoman.desks.rest.fetch import Fetch
from dragoman.desks.rest.fields import Row
from dragoman.desks.rest.pages import Pages, Step
from dragoman.desks.rest.settings import RestSettings
from dragoman.desks.rest.times import floored, written
from dragoman.desks.rest.wire import Wire
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.domain.watermark import Seen, Watermark
from dragoman.ports.desk import DeskPage

_PAGES = 50
_HARD = 2_000
_PASSES = 5
_EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
_SAMPLES = (1, 60, 36_500)
"""How many days back the proof looks for a record, at first."""


@dataclass(slots=True, kw_only=True)
class Walk:
    """What a walk found. rows: by id, in the order of their update once it is over."""

    rows: dict[str, Row] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    reached: datetime | None = None
    complete: bool = True
    followed: bool = False

    def add(self, row: Row) -> bool:
        """Whether it is news to this walk."""
        old = self.rows.get(row.id)
        if old is not None and (old.mark == row.mark or (row.at and old.at and row.at < old.at)):
            return False
        self.rows[row.id] = row
        return True


class Changes:
    """The poller of one desk. It holds what was reported lately, in memory only."""

    def __init__(self, wire: Wire, settings: RestSettings) -> None:
        self._wire = wire
        self._pages = Pages(wire, settings.requests.list, settings.paging)
        self._fetch = Fetch(wire, settings)
        self._table = settings.changes
        self._size = settings.paging.size
        self._format = settings.changes.since_format or settings.record.time_format
        self._zone = settings.changes.since_zone or settings.record.zone
        self._keep = None if settings.changes.keep is None else reader(settings.changes.keep)
        self._seen = Seen(100_000)
        self._proven = False
        self._waiting: list[Row] = []
        self._walk = Walk()
        self._handed = ""

    async def page(self, cursor: str, limit: int) -> DeskPage:
        """See `Desk.changes`. Raises NeedsHuman if the desk doesn't do what the query says."""
        if not self._proven:
            await self._prove()
        if not cursor:
            return await self._from_now()
        mark = Watermark.decode(cursor)
        self._seen.resume(cursor)
        bad: list[tuple[str, str]] = []
        if not self._waiting or cursor != self._handed:
            bad = await self._refill(mark)
        rows = self._waiting[:limit]
        got = await self._fetch.rows(rows, self._seen)
        del self._waiting[:limit]
        after = self._after(mark, rows)
        if got.records or got.unreadable or bad:
            after = after.counted()
        self._handed = after.encode()
        pairs = [*got.pairs, *((_mark(raw), "bad") for raw, _ in bad)]
        self._seen.offer(self._handed, pairs)
        return DeskPage(
            records=got.records,
            cursor=self._handed,
            more=after.step is not None,
            unreadable=[*bad, *got.unreadable],
        )

    def _after(self, mark: Watermark, rows: Sequence[Row]) -> Watermark:
        now = self._wire.http.server_now()
        if self._waiting and rows:
            return mark.stepped(rows[-1].at or mark.at, rows[-1].id)
        if not self._walk.complete and self._walk.reached is not None:
            return mark.stepped(self._walk.reached, "")
        newest = [row.at for row in self._walk.rows.values() if row.at is not None]
        horizon = None if now is None else now + timedelta(seconds=60)
        real = [at for at in newest if horizon is None or at <= horizon]
        return mark.finished(max(real, default=None), now)

    async def _refill(self, mark: Watermark) -> list[tuple[str, str]]:
        """Walk, and queue what wasn't reported yet; returns items that are no records."""
        lower = mark.lower(self._table.overlap_s) if mark.step is None else mark.step[0]
        walk = Walk()
        for _ in range(_PASSES):
            news = await self._pass(walk, lower)
            if not walk.followed or not news:
                break
        self._walk = walk
        fresh = [row for row in walk.rows.values() if not self._fetch.is_known(row, self._seen)]
        self._waiting = sorted(fresh, key=lambda row: (row.at or lower, row.id))
        return [(raw, text) for raw, text in walk.bad.items() if not self._is_told(raw)]

    async def _pass(self, walk: Walk, lower: datetime) -> int:
        """One walk from the lower bound to the end; returns how many rows it brought."""
        since, news, pages = floored(lower, self._table.granularity_s), 0, 0
        page = await self._pages.page(self._first(since))
        while True:
            walk.bad.update(page.broken)
            rows = self._rows(page.items, since, walk)
            news += sum(walk.add(row) for row in rows if self._is_ours(row))
            pages += 1
            last = max((row.at for row in rows if row.at is not None), default=since)
            step = page.next
            if step is None:
                return news
            if pages >= _HARD:
                raise NeedsHuman("the desk's list comes to no end", field="paging")
            on = floored(last, self._table.granularity_s)
            full = len(page.items) >= self._size
            if self._table.ordered and on > since and full:
                if pages >= _PAGES:
                    walk.complete, walk.reached = False, last
                    return news
                since = on
                page = await self._pages.page(self._first(since))
            else:
                page = await self._pages.page(step)
                walk.followed |= full or bool(page.items)

    def _rows(self, items: Sequence[object], since: datetime, walk: Walk) -> list[Row]:
        """The records of a page. NeedsHuman if the desk obeys neither bound nor order."""
        rows: list[Row] = []
        early: list[tuple[object, Row]] = []
        for item in items:
            try:
                row = self._wire.shape.row(item)
            except BadInput as error:
                walk.bad[_text(item)] = str(error)
                continue
            if row.at is not None and row.at < since:
                early.append((item, row))
            else:
                rows.append(row)
        if len(early) > len(rows):
            row = early[0][1]
            raise self._disobeyed("the time bound", f"record {row.id} of {row.at}")
        for item, row in early:
            walk.bad[_text(item)] = f"its time {row.at} lies before what was asked for"
        if self._table.ordered:
            wrong = next((b for a, b in pairwise(rows) if a.at and b.at and b.at < a.at), None)
            if wrong is not None:
                raise self._disobeyed("the order", f"record {wrong.id} of {wrong.at}")
        return rows

    def _disobeyed(self, what: str, value: str) -> NeedsHuman:
        return NeedsHuman(
            f"the desk doesn't keep to {what} of requests.list",
            field="requests.list.query",
            value=value,
            mend="correct the filter and the sorting, record.zone or changes.since_format; for a "
            "desk that can't sort set changes.ordered = false",
        )

    def _is_ours(self, row: Row) -> bool:
        return self._keep is None or bool(self._keep(row.raw))

    def _is_told(self, raw: str) -> bool:
        return self._seen.has(_mark(raw), "bad")

    def _first(self, since: datetime) -> Step:
        return self._pages.first({"since": self._written(since)})

    def _written(self, moment: datetime) -> str:
        return written(moment, self._format, self._zone)

    async def _from_now(self) -> DeskPage:
        """The first cursor: the desk's present time, by its clock and in its own unit."""
        now = self._wire.http.server_now()
        if now is None:
            raise NeedsHuman("the desk sends no Date header", mend="repair the proxy before it")
        start = floored(now, max(1.0, self._table.granularity_s))
        first = Watermark(at=start, floor=start).encode()
        return DeskPage(records=(), cursor=first, more=False, since=start)

    async def _prove(self) -> None:
        """See once that the desk reads our times as it writes its own. Writes nothing."""
        times: list[datetime] = []
        for days in _SAMPLES:
            since = max(_EPOCH, self._wire.now() - timedelta(days=days))
            page = await self._pages.page(self._first(since))
            times = list(self._times(page.items))
            if self._table.ordered and times != sorted(times):
                raise self._disobeyed("the order", str(max(times)))
            if times:
                break
        if not times:
            return  # nothing to prove it with yet
        asked = _EPOCH
        for _ in range(3):  # the record may change between two requests
            asked = floored(max(times), self._table.granularity_s)
            page = await self._pages.page(self._first(asked))
            times = [floored(at, self._table.granularity_s) for at in self._times(page.items)]
            early = [at for at in times if at < asked]
            if not early and (asked in times or (times and not self._table.ordered)):
                self._proven = True
                return
            if early or not times:
                break
        raise NeedsHuman(
            "the desk's filter doesn't find a record by the time that the desk gives for it",
            field="requests.list.query",
            value=self._written(asked),
            mend="correct the filter, record.zone, changes.since_format or changes.since_zone",
        )

    def _times(self, items: Sequence[object]) -> Iterator[datetime]:
        for item in items:
            with suppress(BadInput):
                row = self._wire.shape.row(item)
                if row.at is not None and row.at > _EPOCH:
                    yield row.at


def _text(raw: object) -> str:
    """A raw item as a dead letter keeps it."""
    return msgspec.json.encode(raw).decode()[:65_536]


def _mark(raw: str) -> str:
    """The identity of an item that has none."""
    return hashlib.sha256(raw.encode()).hexdigest()
