"""Listing all open records and reading many at once, to compare them with the gateway's.

Used by `client.py` for ports/survey.py. Walks go by the unique number, which never changes, so that
a record that is edited meanwhile is neither left out nor given twice. Open is what `open_where`
says: by default what isn't history, as closed and cancelled records are.
"""

from collections.abc import Mapping, Sequence

from dragoman.desks.maximo.fetch import OF_ONE, Fetch, as_text
from dragoman.desks.maximo.fields import Raw, plain, record_of, uid_of, version_of
from dragoman.desks.maximo.rest import Rest
from dragoman.desks.maximo.settings import MaximoSettings
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.ports.desk import DeskPage, DeskRecord
from dragoman.transport.http_errors import NotJson

_HIDDEN_PAGES = 100


class Surveys:
    """The surveys of one object structure."""

    def __init__(self, rest: Rest, settings: MaximoSettings) -> None:
        self._rest = rest
        self._filter = settings.filter
        self._open = settings.open_filter
        self._fetch = Fetch(rest, settings.fetch_size)
        self._fetch_size = settings.fetch_size
        self._page_size = settings.page_size
        self._chosen = frozenset(settings.fields)

    @property
    def batch(self) -> int:
        """See `Survey.batch`."""
        return min(self._page_size, self._fetch_size)

    async def page(self, after: str, limit: int) -> DeskPage:
        """See `Survey.survey`. One request, or more if a record can't be read."""
        start = _number(after or "0", "cursor")
        size = max(1, min(limit, self.batch))
        try:
            rows, more = await self._rows(start, size, whole=True)
            listed, unreadable, last = self._sift(rows, start)
            records = [self._record(row, unreadable) for row in listed.values()]
        except OF_ONE:
            rows, more = await self._rows(start, size, whole=False)
            listed, unreadable, last = self._sift(rows, start)
            wanted = [(str(number), version_of(row)) for number, row in listed.items()]
            got = await self._fetch.whole(wanted)
            records = list(got.records)
            unreadable += got.unreadable
        if more and last == start:
            raise NotJson("the desk answered with a page of which no record has a number")
        return DeskPage(
            records=[one for one in records if one is not None and self._is_open(one.raw)],
            cursor=str(last),
            more=more,
            unreadable=unreadable,
        )

    async def many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See `Survey.read_many`. Raises BodyTooLarge if they are too large together."""
        wanted = [str(_number(one, "external_id")) for one in external_ids]
        records: list[DeskRecord] = []
        for start in range(0, len(wanted), self._fetch_size):
            found = await self._rest.whole(wanted[start : start + self._fetch_size])
            records += [record_of(raw, self._rest.uid) for raw in found]
        return [record for record in records if self._filter.holds(record.raw)]

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """See `Survey.shown`. Null attributes are left out by Maximo; here they are "" then."""
        if field not in record.raw and self._chosen and field not in self._chosen:
            return None
        return plain(record.raw, field)

    async def _rows(self, start: int, size: int, *, whole: bool) -> tuple[Sequence[object], bool]:
        """The next page that has any row, however many come before it that we don't get to see."""
        uid = self._rest.uid
        where = self._filter.joined(self._open.text, f"{uid}>{start}")
        for number in range(1, _HIDDEN_PAGES + 1):
            page = await self._rest.index(where, f"+{uid}", size, number, whole=whole)
            if page.rows or not page.more:
                return page.rows, page.more
        raise NeedsHuman(
            f"the desk holds back nearly all open records of {self._rest.structure}",
            field="where",
            value=self._filter.text,
            mend="let the user read these records, or narrow `where` to those it may read",
        )

    def _sift(
        self, rows: Sequence[object], start: int
    ) -> tuple[dict[int, Raw], list[tuple[str, str]], int]:
        """(rows by number, rows that aren't records, the last number) of a page."""
        listed: dict[int, Raw] = {}
        unreadable: list[tuple[str, str]] = []
        last = start
        for row in rows:
            try:
                number, raw = self._numbered(row)
            except BadInput as error:
                unreadable.append((as_text(row), str(error)))
                continue
            if number < last or number <= start:
                raise NeedsHuman(
                    "the desk doesn't keep to the bounds or the order of our query",
                    field=self._rest.uid,
                    value=str(number),
                    mend="check for query scripts on the object structure",
                )
            last = number
            listed[number] = raw
        return listed, unreadable, last

    def _numbered(self, row: object) -> tuple[int, Raw]:
        if not isinstance(row, Mapping):
            raise BadInput("this is no record but " + type(row).__name__)
        version_of(row)
        return int(uid_of(row, self._rest.uid)), row

    def _record(self, row: Raw, unreadable: list[tuple[str, str]]) -> DeskRecord | None:
        try:
            return record_of(row, self._rest.uid)
        except BadInput as error:
            unreadable.append((as_text(row), str(error)))
            return None

    def _is_open(self, raw: Raw) -> bool:
        return self._filter.holds(raw) and self._open.holds(raw)


def _number(text: str, field: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise BadInput("no unique number of a record", field=field, value=text)
    return int(text)
