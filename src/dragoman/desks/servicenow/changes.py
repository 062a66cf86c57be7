"""Polling a table: which records changed since a cursor, each version once, none missed.

Used by `client.py`. A poll lists only id, time and update count of what changed (cheap, even when
our own writes fill the overlap), and then fetches whole those that are new. Lists are walked by
(sys_updated_on, sys_id), for offsets shift when records change between two pages. A short page is
not the end: ServiceNow hides rows after it has cut the page.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from dragoman.desks.servicenow.fields import (
    BASE,
    moment,
    record_of,
    required,
    stamp,
    value_of,
    version_of,
)
from dragoman.desks.servicenow.settings import ServiceNowSettings
from dragoman.desks.servicenow.table import Rows, Table
from dragoman.domain.errors import BadInput, DragomanError, NeedsHuman
from dragoman.domain.watermark import Seen, Watermark
from dragoman.ports.desk import DeskPage, DeskRecord
from dragoman.transport.http_errors import BodyTooLarge, NotJson, ServerFailed

_HIDDEN_PAGES = 200
_ORDER = "ORDERBYsys_updated_on^ORDERBYsys_id"
_OF_ONE = (BodyTooLarge, NotJson, ServerFailed)
"""Failures that one record among many can cause."""


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What one page of the list told. fresh: (sys_id, version) not reported yet, in order."""

    fresh: list[tuple[str, str]] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    last: tuple[datetime, str] | None = None
    full: bool = False

    def is_out_of_order(self, at: datetime) -> bool:
        return self.last is not None and at < self.last[0]


class Changes:
    """The poller of one table. It holds what was reported lately, in memory only."""

    def __init__(self, table: Table, settings: ServiceNowSettings) -> None:
        self._table = table
        self._settings = settings
        self._filter = settings.filter
        self._fields = (*BASE, *self._filter.fields)
        self._seen = Seen()
        self._proven = False

    async def page(self, cursor: str, limit: int) -> DeskPage:
        """See `Desk.changes`. Raises NeedsHuman if the desk doesn't do what the query says."""
        if not self._proven:
            await self._prove()
        if not cursor:
            return await self._from_now()
        self._seen.resume(cursor)
        mark = Watermark.decode(cursor)
        rows = await self._rows(mark)
        walk = self._sift(rows.rows, mark, limit)
        records, unreadable, kept = await self._fetch(walk.fresh)
        more = walk.full or bool(rows.rows if rows.more is None else rows.more)
        if more and walk.last is not None:
            mark = mark.stepped(*walk.last)
        else:
            newest = None if walk.last is None else walk.last[0]
            mark = mark.finished(newest, self._table.http.server_now())
        if kept or walk.bad:
            mark = mark.counted()
        after = mark.encode()
        marks = [(_mark(raw), "bad") for raw, _ in walk.bad]
        self._seen.offer(after, [*kept, *marks])
        return DeskPage(
            records=records,
            cursor=after,
            more=more,
            unreadable=[*walk.bad, *unreadable],
        )

    def _query(self, mark: Watermark) -> str:
        """Everything from the lower bound on, or after the last record of an unfinished walk."""
        own = f"{self._filter.text}^" if self._filter.text else ""
        if mark.step is None:
            since = stamp(mark.lower(self._settings.overlap_s))
            return f"{own}sys_updated_on>={since}^{_ORDER}"
        at, sys_id = stamp(mark.step[0]), mark.step[1]
        return f"{own}sys_updated_on>{at}^NQ{own}sys_updated_on>={at}^sys_id>{sys_id}^{_ORDER}"

    async def _rows(self, mark: Watermark) -> Rows:
        """The next page that has any row, however many hidden ones come before it.

        Half a page is read twice, as rows move up when a hidden one before them changes.
        """
        query, size = self._query(mark), self._settings.page_size
        offset = 0
        for _ in range(_HIDDEN_PAGES):
            page = await self._table.index(query, self._fields, size, offset)
            if page.rows or not page.more:
                return page
            offset += max(1, size // 2)
        raise NeedsHuman(
            f"the desk hides nearly all of what the query finds in {self._table.name}",
            field="query",
            value=self._filter.text,
            mend="let the account read these records, or narrow the query to those it may read",
        )

    def _sift(self, rows: Sequence[object], mark: Watermark, limit: int) -> _Walk:
        """Sort a page into news, known and unreadable; stop when the news are enough."""
        walk = _Walk()
        lower = mark.lower(self._settings.overlap_s) if mark.step is None else mark.step[0]
        for row in rows:
            try:
                sys_id, at, version = self._checked(row, lower, walk)
            except BadInput as error:
                raw = _text(row)
                if not self._seen.has(_mark(raw), "bad"):
                    walk.bad.append((raw, str(error)))
                continue
            walk.last = (at, sys_id)
            if isinstance(row, Mapping) and not self._filter.holds(row):
                continue
            if not self._seen.has(sys_id, version):
                walk.fresh.append((sys_id, version))
                if len(walk.fresh) >= limit:
                    walk.full = row is not rows[-1]
                    break
        return walk

    def _checked(self, row: object, lower: datetime, walk: _Walk) -> tuple[str, datetime, str]:
        """(sys_id, time, version) of a row. NeedsHuman: the desk doesn't obey the query."""
        if not isinstance(row, Mapping):
            raise BadInput("this is no record but " + type(row).__name__)
        sys_id, version = required(row, "sys_id"), version_of(row)
        at = moment(required(row, "sys_updated_on"), "sys_updated_on")
        missing = self._filter.missing(row)
        if missing:
            raise NeedsHuman(
                f"{self._table.name} shows no field {missing}, so the desk ignores this part",
                field="query",
                value=self._filter.text,
                mend="correct the field's name, or let the account read it",
            )
        if at < lower or walk.is_out_of_order(at):
            raise NeedsHuman(
                "the desk doesn't keep to the time bound or the order of our query",
                field="sys_updated_on",
                value=str(row.get("sys_updated_on")),
                mend="let the account read and search sys_updated_on; check for query rules",
            )
        return sys_id, at, version

    async def _fetch(
        self, fresh: Sequence[tuple[str, str]]
    ) -> tuple[list[DeskRecord], list[tuple[str, str]], list[tuple[str, str]]]:
        """Whole records in the order of `fresh`; what can't be read; (id, version) of both."""
        records: list[DeskRecord] = []
        unreadable: list[tuple[str, str]] = []
        kept: list[tuple[str, str]] = []
        size = self._settings.fetch_size
        for start in range(0, len(fresh), size):
            wanted = dict(fresh[start : start + size])
            found, failed = await self._whole(list(wanted))
            by_id = {value_of(raw, "sys_id"): raw for raw in found if isinstance(raw, Mapping)}
            for sys_id, version in wanted.items():
                try:
                    if sys_id in failed:
                        raise failed[sys_id]
                    if sys_id not in by_id:
                        continue  # deleted, or hidden, since the list was made
                    record = record_of(by_id[sys_id])
                    records.append(record)
                    kept.append((sys_id, record.version))
                except DragomanError as error:
                    raw = _text(by_id.get(sys_id, {"sys_id": sys_id}))
                    unreadable.append((raw, str(error)))
                    kept.append((sys_id, version))
        return records, unreadable, kept

    async def _whole(self, ids: Sequence[str]) -> tuple[list[object], dict[str, DragomanError]]:
        """Whole records by id; one by one if the lot fails, so that one can't hide the others.

        Raises the failure if it hits every single one: then it is the desk's.
        """
        try:
            return list(await self._table.find(f"sys_idIN{','.join(ids)}", len(ids))), {}
        except _OF_ONE as error:
            if len(ids) == 1 and not isinstance(error, BodyTooLarge):
                raise
        found: list[object] = []
        failed: dict[str, DragomanError] = {}
        for sys_id in ids:
            try:
                found += await self._table.find(f"sys_idIN{sys_id}", 1)
            except _OF_ONE as error:
                failed[sys_id] = error
                if len(failed) > 2 and not found and not isinstance(error, BodyTooLarge):
                    raise
        if not found and not any(isinstance(e, BodyTooLarge) for e in failed.values()):
            raise next(iter(failed.values()))
        return found, failed

    async def _from_now(self) -> DeskPage:
        """The first cursor: the desk's present time, by its clock."""
        newest = await self._newest()
        mend = "create one record in the table, or repair the proxy before the desk"
        first = Watermark.from_now(self._table.http.server_now(), newest and newest[1], mend)
        return DeskPage(records=(), cursor=first.encode(), more=False, since=first.at)

    async def _newest(self) -> tuple[str, datetime] | None:
        """(sys_id, time) of the newest record that we may see; None if there is none."""
        own = f"{self._filter.text}^" if self._filter.text else ""
        rows = (await self._table.index(f"{own}ORDERBYDESCsys_updated_on", self._fields, 1)).rows
        try:
            row = rows[0] if rows and isinstance(rows[0], Mapping) else {}
            return required(row, "sys_id"), moment(required(row, "sys_updated_on"), "")
        except BadInput:  # hidden or damaged: as good as none here, and `page` tells of it
            return None

    async def _prove(self) -> None:
        """See once that the desk reads our times as it writes its own. Writes nothing."""
        at = ""
        for _ in range(3):  # the newest may change between the two requests
            newest = await self._newest()
            if newest is None:
                return
            at = stamp(newest[1])
            query = f"sys_updated_on>={at}^sys_updated_on<={at}^sys_id={newest[0]}"
            rows = (await self._table.index(query, BASE, 1)).rows
            if rows and isinstance(rows[0], Mapping) and rows[0].get("sys_updated_on") == at:
                self._proven = True
                return
        raise NeedsHuman(
            "the desk doesn't find its newest record by the time that it gives for it",
            field="sys_updated_on",
            value=at,
            mend="set the account's time zone to UTC, and let it search sys_updated_on",
        )


def _text(raw: object) -> str:
    """A raw item as a dead letter keeps it."""
    return msgspec.json.encode(raw).decode()[:65_536]


def _mark(raw: str) -> str:
    """The identity of an item that has none."""
    return hashlib.sha256(raw.encode()).hexdigest()
