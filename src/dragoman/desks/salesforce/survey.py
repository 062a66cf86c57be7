"""Listing all open cases and reading many at once, to compare them with the gateway's.

Used by `client.py` for ports/survey.py. Walks go by Id, which never changes, so that a case that
is edited meanwhile is neither left out nor given twice.
"""

from collections.abc import Mapping, Sequence

import msgspec

from dragoman.desks.salesforce.fields import Shape, long_id, plain, quoted, text_of
from dragoman.desks.salesforce.rest import Rest, Rows, in_list
from dragoman.desks.salesforce.settings import SalesforceSettings
from dragoman.domain.errors import BadInput
from dragoman.ports.desk import DeskPage, DeskRecord
from dragoman.transport.http_errors import BodyTooLarge, NotJson

_DOING = "a list of open cases"
_LOT = 100


class Surveys:
    """The surveys of one org. Open is what has IsClosed = false. batch: cases of one query."""

    def __init__(self, rest: Rest, shape: Shape, settings: SalesforceSettings) -> None:
        self._rest = rest
        self._shape = shape
        self._own = f" AND ({settings.query})" if settings.query.strip() else ""
        self.batch = min(settings.page_size, _LOT)

    async def page(self, after: str, limit: int) -> DeskPage:
        """See `Survey.survey`. Where cases are too large for one answer, fewer are asked for."""
        try:
            rows, size = await self._fitting(after, max(1, min(limit, self.batch)))
        except BodyTooLarge as error:
            return await self._without_first(after, str(error))
        records: list[DeskRecord] = []
        unreadable: list[tuple[str, str]] = []
        cursor = after
        for row in rows.rows:
            try:
                records.append(self._shape.record(row))
            except BadInput as error:
                unreadable.append((msgspec.json.encode(row).decode()[:65_536], str(error)))
            cursor = _id_of(row) or cursor
        more = not rows.done or len(rows.rows) >= size
        if more and cursor == after:
            raise NotJson("the desk answered with a page of which no case has an id")
        return DeskPage(records=records, cursor=cursor, more=more, unreadable=unreadable)

    async def many(self, case_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See `Survey.read_many`. Raises BodyTooLarge if they are too large together."""
        wanted = [long_id(one, "external_id") for one in case_ids]
        records: list[DeskRecord] = []
        for start in range(0, len(wanted), _LOT):
            lot = wanted[start : start + _LOT]
            soql = f"SELECT {self._shape.select()} FROM Case WHERE {in_list(lot)}{self._own}"  # noqa: S608 - SOQL, quoted
            rows = await self._rest.query_all(soql, f"a read of {len(lot)} cases", one=False)
            records += [self._shape.record(row) for row in rows]
        return records

    async def _fitting(self, after: str, size: int) -> tuple[Rows, int]:
        """A page that isn't too large, and its size. Raises BodyTooLarge if one case is."""
        try:
            return await self._list(self._shape.select(), after, size), size
        except BodyTooLarge:
            if size == 1:
                raise
        return await self._fitting(after, max(1, size // 4))

    async def _without_first(self, after: str, reason: str) -> DeskPage:
        """A page of the one case that no answer can hold."""
        rows = await self._list("Id", after, 1)
        cursor = _id_of(rows.rows[0]) if rows.rows else ""
        raw = msgspec.json.encode({"Id": cursor}).decode()
        unreadable = [(raw, reason)] if cursor else []
        return DeskPage(
            records=(), cursor=cursor or after, more=bool(cursor), unreadable=unreadable
        )

    async def _list(self, select: str, after: str, size: int) -> Rows:
        later = f" AND Id > {quoted(long_id(after, 'cursor'))}" if after else ""
        where = f"IsClosed = false{later}{self._own}"
        soql = f"SELECT {select} FROM Case WHERE {where} ORDER BY Id LIMIT {size}"  # noqa: S608 - SOQL, quoted
        return await self._rest.query(soql, _DOING, one=False)


def shown(record: DeskRecord, field: str) -> str | None:
    """See `Survey.shown`."""
    *way, name = field.split(".")
    found: object = record.raw
    for part in way:
        found = found.get(part) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or name not in found:
        return None
    return plain(text_of(record.raw, field))


def _id_of(row: object) -> str:
    try:
        return long_id(row.get("Id") if isinstance(row, Mapping) else None, "Id")
    except BadInput:
        return ""
