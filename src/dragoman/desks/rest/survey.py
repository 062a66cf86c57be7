"""Open records, many at once, so that both sides can be compared. See ports/survey.py.

`connect` is what PLUGIN offers: a desk whose description says how open records are listed
(`requests.open`, or the list of a snapshot) has these members, another one hasn't.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from dragoman.config.jmes import reader
from dragoman.desks.rest.client import RestDesk
from dragoman.desks.rest.errors import Gone
from dragoman.desks.rest.fields import Row
from dragoman.desks.rest.pages import Listing, Pages
from dragoman.desks.rest.settings import RestSettings
from dragoman.desks.rest.snapshot import order
from dragoman.domain.errors import BadInput
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskPage, DeskRecord

_PASSES = 3


class SurveyedRestDesk(RestDesk):
    """A `RestDesk` that implements `Survey` too."""

    def __init__(self, name: str, settings: RestSettings, clock: Clock, listing: Listing) -> None:
        super().__init__(name, settings, clock)
        self.batch = settings.changes.parallel
        self._by_id = listing.uses("after")
        self._open = Pages(self._wire, listing, settings.paging)
        self._keep = None if settings.changes.keep is None else reader(settings.changes.keep)
        self._whole = settings.changes.whole
        self._rows: list[Row] = []
        self._after = ""

    async def survey(self, after: str, limit: int) -> DeskPage:
        """See ports/survey.py. Without {after} in the request, the list is held between calls."""
        more = False
        if self._by_id:
            self._rows, more = await self._page(after)
        elif not after or after != self._after:
            self._rows = await self._all(after)
        chosen = self._rows[:limit]
        if self._whole:
            records = [self._wire.shape.record(row.raw, "", self._wire.now()) for row in chosen]
        else:
            records = list(await self._read([row.id for row in chosen]))
        del self._rows[:limit]
        self._after = chosen[-1].id if chosen else after
        return DeskPage(records=records, cursor=self._after, more=more or bool(self._rows))

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See ports/survey.py. Records are read one by one, as many at once as `parallel` says."""
        found: list[DeskRecord] = []
        for start in range(0, len(external_ids), self.batch):
            found += await self._read(external_ids[start : start + self.batch])
        return [one for one in found if self._is_ours(one.raw)]

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """See ports/survey.py."""
        if self._fields.is_unread(record.raw, field):
            return None
        held = self._fields.values(record.raw, field)
        return held[0] if held else None

    async def _page(self, after: str) -> tuple[list[Row], bool]:
        """The next page behind an id that holds any of ours; whether more follows."""
        rows: list[Row] = []
        async for page in self._open.all({"after": after or "0"}):
            rows = self._behind(after, self._readable(page.items))
            if rows or page.next is None:
                return rows, page.next is not None
        return rows, False

    def _behind(self, after: str, rows: Iterable[Row]) -> list[Row]:
        wanted = {row.id: row for row in rows if not after or order(row.id) > order(after)}
        return sorted(wanted.values(), key=lambda row: order(row.id))

    async def _all(self, after: str) -> list[Row]:
        """All open records behind an id. Pages may shift, so until a walk brings nothing new."""
        rows: dict[str, Row] = {}
        for _ in range(_PASSES):
            before, pages = len(rows), 0
            async for page in self._open.all({}):
                rows.update((row.id, row) for row in self._readable(page.items))
                pages += 1
            if pages < 2 or len(rows) == before:
                break
        return self._behind(after, rows.values())

    def _readable(self, items: Sequence[object]) -> Sequence[Row]:
        """The records of a page that are ours. What is no record is told by the polls."""
        rows: list[Row] = []
        for item in items:
            try:
                row = self._wire.shape.row(item)
            except BadInput:
                continue
            if self._is_ours(row.raw):
                rows.append(row)
        return rows

    def _is_ours(self, raw: Any) -> bool:
        return self._keep is None or bool(self._keep(raw))

    async def _read(self, ids: Sequence[str]) -> Sequence[DeskRecord]:
        told = await asyncio.gather(*map(self._wire.read, ids), return_exceptions=True)
        for one in told:
            if isinstance(one, BaseException) and not isinstance(one, Gone):
                raise one
        return [one[0] for one in told if not isinstance(one, BaseException)]


def connect(name: str, settings: RestSettings, clock: Clock) -> RestDesk:
    """A desk without any I/O, with `Survey` if its description allows."""
    requests = settings.requests
    listing: Listing | None = requests.open
    if listing is None and settings.changes.by == "snapshot":
        listing = requests.list
    if listing is None:
        return RestDesk(name, settings, clock)
    return SurveyedRestDesk(name, settings, clock, listing)
