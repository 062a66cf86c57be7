"""Polling an org's cases: which changed since a cursor, each version once, none missed.

Used by `client.py`. One query is one poll: whole cases by (SystemModstamp, Id), from the newest
seen less an overlap, deleted ones too. Walks go on after the last case seen and never by a query
locator, which Salesforce forgets. Since each poll asks again, gaps in a stream of events (Change
Data Capture) don't matter. If one case spoils an answer (too large, an error of the server), the
cases are fetched in ever smaller lots until it is alone; it is told once and left out from then
on, until it changes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from dragoman.desks.salesforce.fields import Shape, long_id, moment, quoted, stamp
from dragoman.desks.salesforce.rest import Rest, Rows, in_list
from dragoman.desks.salesforce.settings import SalesforceSettings
from dragoman.domain.errors import BadInput, DragomanError, NeedsHuman
from dragoman.domain.watermark import Seen, Watermark
from dragoman.ports.desk import DeskPage, DeskRecord
from dragoman.transport.http_errors import BodyTooLarge, NotJson, ServerFailed

_OF_ONE = (BodyTooLarge, NotJson, ServerFailed)
"""Failures that one case among many can cause."""

_DOING = "a query for changed cases"
_ORDER = "ORDER BY SystemModstamp, Id"
_LOT = 100
_HOPELESS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spoilt:
    """A case that can't be fetched, in the state that it had at `at`."""

    id: str
    at: datetime
    error: DragomanError


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What one page told. fresh: id → case not reported yet, in order."""

    fresh: dict[str, DeskRecord] = field(default_factory=dict)
    bad: list[tuple[str, str]] = field(default_factory=list)
    spoilt: dict[str, datetime] = field(default_factory=dict)
    last: tuple[datetime, str] | None = None
    full: bool = False


class Changes:
    """The poller of one org. It holds what was reported lately, in memory only."""

    def __init__(self, rest: Rest, shape: Shape, settings: SalesforceSettings) -> None:
        self._rest = rest
        self._shape = shape
        self._settings = settings
        self._seen = Seen()
        self._proven = False
        self._failed_at = ""
        self._spoilt: dict[str, datetime] = {}
        self._offered: tuple[str, Mapping[str, datetime]] = ("", {})
        self._at = ""

    async def page(self, cursor: str, limit: int) -> DeskPage:
        """See `Desk.changes`. Raises NeedsHuman if the desk doesn't do what the query says."""
        if not self._proven:
            await self._prove()
        if not cursor:
            return self._from_now()
        mark = Watermark.decode(cursor)
        self._resume(cursor, mark)
        rows = await self._rows(mark, cursor)
        walk = self._sift(rows.rows, mark, limit)
        if walk.last is None and not rows.done:
            raise NotJson("the desk answered with a page of which no case has an id and a time")
        if (walk.full or not rows.done) and walk.last is not None:
            mark, more = mark.stepped(*walk.last), True
        else:
            newest = None if walk.last is None else walk.last[0]
            mark, more = mark.finished(newest, self._rest.http.server_now()), False
        if walk.fresh or walk.bad:
            mark = mark.counted()
        after = mark.encode()
        kept = [(one.external_id, one.version) for one in walk.fresh.values()]
        self._seen.offer(after, [*kept, *((_mark(raw), "bad") for raw, _ in walk.bad)])
        self._offered = (after, walk.spoilt)
        return DeskPage(
            records=list(walk.fresh.values()), cursor=after, more=more, unreadable=walk.bad
        )

    def _resume(self, cursor: str, mark: Watermark) -> None:
        """The page with this cursor was kept; an older one means that what came since was lost.

        Spoilt cases behind the overlap don't come again.
        """
        self._seen.resume(cursor)
        offered, spoilt = self._offered
        if offered == cursor:
            self._spoilt.update(spoilt)
        elif cursor != self._at:
            self._spoilt.clear()
        self._at = cursor
        lower = mark.lower(self._settings.overlap_s)
        self._spoilt = {one: at for one, at in self._spoilt.items() if at >= lower}

    def _where(self, mark: Watermark) -> str:
        """From the lower bound on, or after the last case of an unfinished walk."""
        if mark.step is None:
            parts = [f"SystemModstamp >= {stamp(mark.lower(self._settings.overlap_s))}"]
        else:
            at, last = stamp(mark.step[0]), quoted(mark.step[1])
            parts = [f"SystemModstamp >= {at}", f"(SystemModstamp > {at} OR Id > {last})"]
        for one, moment_ in self._spoilt.items():
            parts.append(f"(Id != {quoted(one)} OR SystemModstamp > {stamp(moment_)})")
        return " AND ".join([*parts, *self._own()])

    def _own(self) -> list[str]:
        return [f"({self._settings.query})"] if self._settings.query.strip() else []

    async def _rows(self, mark: Watermark, cursor: str) -> Rows:
        """The next page, whole; with care if the last try for it failed, or it is too large."""
        where = self._where(mark)
        try:
            rows = await self._list(self._shape.select(), where)
        except _OF_ONE as error:
            if not isinstance(error, BodyTooLarge) and self._failed_at != cursor:
                self._failed_at = cursor
                raise
            rows = await self._careful(where)
        self._failed_at = ""
        return rows

    async def _list(self, select: str, where: str) -> Rows:
        size = self._settings.page_size
        soql = f"SELECT {select} FROM Case WHERE {where} {_ORDER} LIMIT {size}"  # noqa: S608 - SOQL, quoted
        rows = await self._rest.query(soql, _DOING, one=False, deleted=True)
        # a batch may be short with more to come, or full with the limit reached
        return Rows(rows=rows.rows, done=rows.done and len(rows.rows) < size, next_path="")

    async def _careful(self, where: str) -> Rows:
        """The same page, with a `_Spoilt` in place of each case that can't be fetched."""
        index = await self._list("Id, SystemModstamp", where)
        found: dict[str, object] = {}
        failed: dict[str, DragomanError] = {}
        listed = [row for row in index.rows if isinstance(row, Mapping)]
        times = {long_id(row.get("Id"), "Id"): row.get("SystemModstamp") for row in listed}
        ids = list(times)
        for start in range(0, len(ids), _LOT):
            await self._fetch(ids[start : start + _LOT], found, failed)
        errors = list(failed.values())
        if errors and not found and not any(isinstance(one, BodyTooLarge) for one in errors):
            raise errors[0]
        rows: list[object] = []
        for one, at in times.items():
            if one in failed:
                at_time = moment(at, "SystemModstamp")
                rows.append(_Spoilt(id=one, at=at_time, error=failed[one]))
            elif one in found:  # else it left the query since the list was made
                rows.append(found[one])
        return Rows(rows=rows, done=index.done, next_path="")

    async def _fetch(
        self, ids: Sequence[str], found: dict[str, object], failed: dict[str, DragomanError]
    ) -> None:
        """Fetch whole cases, by halves where a lot fails. Raises if the desk itself seems ill."""
        soql = f"SELECT {self._shape.select()} FROM Case WHERE {in_list(ids)}"  # noqa: S608 - SOQL, quoted
        try:
            batch = await self._rest.query(soql, _DOING, one=False, deleted=True)
            if not batch.done and len(ids) > 1:
                raise BodyTooLarge("the desk gives fewer at once")
        except _OF_ONE as error:
            if len(ids) > 1:
                middle = len(ids) // 2
                await self._fetch(ids[:middle], found, failed)
                await self._fetch(ids[middle:], found, failed)
                return
            failed[ids[0]] = error
            if len(failed) >= _HOPELESS and not found and not isinstance(error, BodyTooLarge):
                raise
            return
        for row in batch.rows:
            if isinstance(row, Mapping):
                found[str(row.get("Id"))] = row

    def _sift(self, rows: Sequence[object], mark: Watermark, limit: int) -> _Walk:
        """Sort a page into news, known and unreadable; stop when the news are enough."""
        walk = _Walk()
        lower = mark.lower(self._settings.overlap_s) if mark.step is None else mark.step[0]
        for row in rows:
            if isinstance(row, _Spoilt):
                raw = msgspec.json.encode({"Id": row.id}).decode()
                walk.bad.append((raw, str(row.error)))
                walk.spoilt[row.id] = row.at
                walk.last = (row.at, row.id)
                continue
            try:
                record = self._shape.record(row)
            except BadInput as error:
                raw = msgspec.json.encode(row).decode()[:65_536]
                if not self._seen.has(_mark(raw), "bad"):
                    walk.bad.append((raw, str(error)))
                walk.last = _place(row) or walk.last
                continue
            self._check(record, lower, walk)
            walk.last = (record.updated_at, record.external_id)
            if not self._seen.has(record.external_id, record.version):
                walk.fresh[record.external_id] = record
                if len(walk.fresh) >= limit:
                    walk.full = row is not rows[-1]
                    break
        return walk

    def _check(self, record: DeskRecord, lower: datetime, walk: _Walk) -> None:
        at = record.updated_at
        if at < lower or (walk.last is not None and at < walk.last[0]):
            raise NeedsHuman(
                "the desk doesn't keep to the time bound or the order of our query",
                field="SystemModstamp",
                value=at.isoformat(),
                mend="look for OR outside parentheses in `query`",
            )

    def _from_now(self) -> DeskPage:
        """The first cursor: the desk's present time, by its clock."""
        mend = "repair the proxy before the desk: no Date header"
        first = Watermark.from_now(self._rest.http.server_now(), None, mend)
        return DeskPage(records=(), cursor=first.encode(), more=False, since=first.at)

    async def _prove(self) -> None:
        """See once that the desk reads our times as it writes its own. Writes nothing."""
        where = f" WHERE {' AND '.join(self._own())}" if self._own() else ""
        newest = "ORDER BY SystemModstamp DESC, Id DESC LIMIT 1"
        at = ""
        for _ in range(3):  # the newest may change between the two queries
            soql = f"SELECT Id, SystemModstamp FROM Case{where} {newest}"  # noqa: S608 - SOQL of our own
            rows = (await self._rest.query(soql, _DOING, one=False)).rows
            place = _place(rows[0]) if rows else None
            if place is None:  # none, or a damaged one, of which `page` tells
                return
            at, one = stamp(place[0]), quoted(place[1])
            soql = f"SELECT Id FROM Case WHERE SystemModstamp = {at} AND Id = {one}"  # noqa: S608 - SOQL, quoted
            if (await self._rest.query(soql, _DOING, one=False)).rows:
                self._proven = True
                return
        raise NeedsHuman(
            "the desk doesn't find its newest case by the time that it gives for it",
            field="SystemModstamp",
            value=at,
            mend="look whether a proxy answers in the org's place",
        )


def _place(row: object) -> tuple[datetime, str] | None:
    """Time and id of a row, None if it has none that can be read."""
    found = row if isinstance(row, Mapping) else {}
    try:
        return moment(found.get("SystemModstamp"), "SystemModstamp"), long_id(found.get("Id"), "Id")
    except BadInput:
        return None


def _mark(raw: str) -> str:
    """The identity of an item that has none."""
    return hashlib.sha256(raw.encode()).hexdigest()
