"""Polling an object structure: which records changed since a cursor, each version once.

Used by `client.py`. A poll lists only number, time and rowstamp of what changed, and then fetches
whole those that are new. Maximo's conditions know no `or`, so a list can't go on "after this time,
or at this time after this number". It is walked by (changedate, number) as far as a page reaches,
and where one second fills a page, that second is walked by number alone. Next pages aren't
followed: rows would shift when records change between two pages.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dragoman.desks.maximo.fetch import Fetch, as_text
from dragoman.desks.maximo.fields import moment, stamp, uid_of, version_of
from dragoman.desks.maximo.rest import Rest, Rows
from dragoman.desks.maximo.settings import MaximoSettings
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.domain.watermark import Seen, Watermark
from dragoman.ports.desk import DeskPage

_HIDDEN_PAGES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a walk stands: from a time on (number 0), or within one second after a number.

    It is kept as the step of the watermark: (time, "") or (time, number).
    """

    at: datetime
    within: bool = False
    after: int = 0

    @classmethod
    def of(cls, mark: Watermark, overlap_s: float) -> "_Place":
        if mark.step is None:
            return cls(at=mark.lower(overlap_s))
        at, number = mark.step
        if number and not number.isdecimal():
            raise BadInput("this is no cursor of this desk", field="cursor", value=number)
        return cls(at=at, within=bool(number), after=int(number or 0))

    @property
    def end(self) -> datetime | None:
        """The end of the second, None at the end of time."""
        return _after(self.at)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What one page of the list told. fresh: (number, version) not reported yet, in order.

    first, last: (second, number) of the first row and of the last one that was dealt with.
    rest: the row at which the news were enough.
    """

    fresh: list[tuple[str, str]] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    first: tuple[datetime, int] | None = None
    last: tuple[datetime, int] | None = None
    rest: tuple[datetime, int] | None = None


class Changes:
    """The poller of one object structure. It holds what was reported lately, in memory only."""

    def __init__(self, rest: Rest, settings: MaximoSettings) -> None:
        self._rest = rest
        self._settings = settings
        self._filter = settings.filter
        self._fetch = Fetch(rest, settings.fetch_size)
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
        place = _Place.of(mark, self._settings.overlap_s)
        rows = await self._rows(place)
        walk = self._sift(rows.rows, place, limit)
        got = await self._fetch.whole(walk.fresh)
        step = _next(place, walk, rows.more)
        if step is not None:
            mark = replace(mark, step=step)
        else:
            newest = None if walk.last is None else walk.last[0]
            mark = mark.finished(newest, self._rest.http.server_now())
        if got.kept or walk.bad:
            mark = mark.counted()
        after = mark.encode()
        marks = [(_mark(raw), "bad") for raw, _ in walk.bad]
        self._seen.offer(after, [*got.kept, *marks])
        return DeskPage(
            records=got.records,
            cursor=after,
            more=step is not None,
            unreadable=[*walk.bad, *got.unreadable],
        )

    async def _rows(self, place: _Place) -> Rows:
        """The next page that has any row, however many come before it that we don't get to see."""
        uid = self._rest.uid
        bounds = [f'changedate>="{stamp(place.at)}"']
        order = f"+changedate,+{uid}"
        if place.within:
            order = f"+{uid}"
            bounds.append(f"{uid}>{place.after}")
            if place.end is not None:
                bounds.append(f'changedate<"{stamp(place.end)}"')
        where = self._filter.joined(*bounds)
        for number in range(1, _HIDDEN_PAGES + 1):
            page = await self._rest.index(where, order, self._settings.page_size, number)
            if page.rows or not page.more:
                return page
        raise NeedsHuman(
            f"the desk holds back nearly all of what the query finds in {self._rest.structure}",
            field="where",
            value=self._filter.text,
            mend="let the user read these records, or narrow `where` to those it may read",
        )

    def _sift(self, rows: Sequence[object], place: _Place, limit: int) -> _Walk:
        """Sort a page into news, known and unreadable; stop when the news are enough."""
        walk = _Walk()
        for row in rows:
            try:
                at, number, version = self._checked(row, place, walk)
            except BadInput as error:
                raw = as_text(row)
                if not self._seen.has(_mark(raw), "bad"):
                    walk.bad.append((raw, str(error)))
                continue
            walk.first = walk.first or (at, number)
            if isinstance(row, Mapping) and not self._filter.holds(row):
                walk.last = (at, number)
                continue
            news = not self._seen.has(str(number), version)
            if news and (str(number), version) not in walk.fresh:
                if len(walk.fresh) >= limit:
                    walk.rest = (at, number)
                    break
                walk.fresh.append((str(number), version))
            walk.last = (at, number)
        return walk

    def _checked(self, row: object, place: _Place, walk: _Walk) -> tuple[datetime, int, str]:
        """(second, number, version) of a row. NeedsHuman: the desk doesn't obey the query."""
        if not isinstance(row, Mapping):
            raise BadInput("this is no record but " + type(row).__name__)
        number, version = int(uid_of(row, self._rest.uid)), version_of(row)
        at = moment(row.get("changedate"), "changedate").replace(microsecond=0)
        if place.within:
            obeys = at == place.at and number > place.after
            in_order = walk.last is None or number >= walk.last[1]
        else:
            obeys = at >= place.at.replace(microsecond=0)
            in_order = walk.last is None or at >= walk.last[0]
        if not (obeys and in_order):
            raise NeedsHuman(
                "the desk doesn't keep to the bounds or the order of our query",
                field="changedate",
                value=f"{self._rest.structure} {number}: {row.get('changedate')}",
                mend="check for query scripts on the object structure, and the server's time zone",
            )
        return at, number, version

    async def _from_now(self) -> DeskPage:
        """The first cursor: the desk's present time, by its clock."""
        newest = await self._newest()
        mend = "create one record, or repair the proxy before the desk"
        first = Watermark.from_now(self._rest.http.server_now(), newest and newest[1], mend)
        return DeskPage(records=(), cursor=first.encode(), more=False, since=first.at)

    async def _newest(self) -> tuple[int, datetime] | None:
        """(number, second) of the newest record that we may see; None if there is none."""
        order = f"-changedate,-{self._rest.uid}"
        rows = (await self._rest.index(self._filter.joined('changedate="*"'), order, 1)).rows
        try:
            row = rows[0] if rows and isinstance(rows[0], Mapping) else {}
            return int(uid_of(row, self._rest.uid)), moment(row.get("changedate"), "changedate")
        except BadInput:  # damaged: as good as none here, and `page` tells of it
            return None

    async def _prove(self) -> None:
        """See once that the desk reads our times as it writes its own. Writes nothing."""
        at = ""
        for _ in range(3):  # the newest may change between the two requests
            newest = await self._newest()
            if newest is None:
                return
            number, second = newest
            at, end = stamp(second), _after(second)
            bounds = [f'changedate>="{at}"', f"{self._rest.uid}={number}"]
            bounds += [f'changedate<"{stamp(end)}"'] if end is not None else []
            rows = (await self._rest.index(" and ".join(bounds), "", 1)).rows
            if any(isinstance(row, Mapping) and row.get(self._rest.uid) == number for row in rows):
                self._proven = True
                return
        raise NeedsHuman(
            "the desk doesn't find its newest record by the time that it gives for it",
            field="changedate",
            value=at,
            mend="check the server's time zone (mxe.sqloffset, the database's zone)",
        )


def _next(place: _Place, walk: _Walk, more: bool) -> tuple[datetime, str] | None:
    """Where the walk goes on; None if it has come to its end."""
    if walk.last is None or (walk.rest is None and not more):
        if not place.within:
            return None
        return None if place.end is None else (place.end, "")
    if place.within:
        return place.at, str(walk.last[1])
    # what is dealt with of the last second comes again, and is known then
    at = walk.last[0] if walk.rest is None else walk.rest[0]
    filled = walk.first is not None and walk.first[0] == at
    return at, "0" if filled else ""


def _after(at: datetime) -> datetime | None:
    try:
        return at.replace(microsecond=0) + timedelta(seconds=1)
    except OverflowError:
        return None


def _mark(raw: str) -> str:
    """The identity of an item that has none."""
    return hashlib.sha256(raw.encode()).hexdigest()
