"""Reading many records at once, so that both sides can be compared: implements ports/survey.py.

Used by `client.py`. The table is walked by sys_id; each page is a list of ids, as in `changes.py`,
and then the whole records, both with our own filter and checked against it again.
"""

from collections.abc import Mapping, Sequence

from dragoman.desks.servicenow.fields import BASE, record_of, required
from dragoman.desks.servicenow.settings import ServiceNowSettings
from dragoman.desks.servicenow.table import Table
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.ports.desk import DeskPage, DeskRecord

_HIDDEN_PAGES = 200


class Surveys:
    """Lists and bulk reads of one table."""

    def __init__(self, table: Table, settings: ServiceNowSettings) -> None:
        self._table = table
        self._filter = settings.filter
        self._fields = (*BASE, *self._filter.fields)
        self._own = f"{self._filter.text}^" if self._filter.text else ""

    async def page(self, after: str, limit: int) -> DeskPage:
        """See `Survey.survey`. Open is what has `active`, a field of every table of tasks."""
        start = f"sys_id>{after}^" if after else ""
        query = f"{self._own}active=true^{start}ORDERBYsys_id"
        offset = 0
        for _ in range(_HIDDEN_PAGES):  # the desk hides rows after it has cut the page
            rows = await self._table.index(query, self._fields, limit, offset)
            if rows.rows or not rows.more:
                last = required(_row(rows.rows[-1]), "sys_id") if rows.rows else after
                more = bool(rows.rows) if rows.more is None else rows.more
                records = await self._whole(self._passing(rows.rows))
                return DeskPage(records=records, cursor=last, more=more)
            offset += limit
        raise NeedsHuman(
            f"the desk hides nearly all open records of {self._table.name}",
            field="query",
            value=self._filter.text,
            mend="let the account read these records, or narrow the query to those it may read",
        )

    async def many(self, sys_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See `Survey.read_many`."""
        if not sys_ids:
            return ()
        query = f"{self._own}sys_idIN{','.join(sys_ids)}"
        rows = await self._table.index(query, self._fields, len(sys_ids))
        return await self._whole([one for one in self._passing(rows.rows) if one in sys_ids])

    def _passing(self, rows: Sequence[object]) -> list[str]:
        """The ids of the rows that pass our filter. Raises NeedsHuman if that can't be told."""
        passing: list[str] = []
        for row in map(_row, rows):
            missing = self._filter.missing(row)
            if missing:
                raise NeedsHuman(
                    f"{self._table.name} shows no field {missing}, so the desk ignores this part",
                    field="query",
                    value=self._filter.text,
                    mend="correct the field's name, or let the account read it",
                )
            if self._filter.holds(row):
                passing.append(required(row, "sys_id"))
        return passing

    async def _whole(self, sys_ids: Sequence[str]) -> Sequence[DeskRecord]:
        if not sys_ids:
            return ()
        found = await self._table.find(f"sys_idIN{','.join(sys_ids)}", len(sys_ids))
        return [record_of(raw) for raw in found]


def _row(raw: object) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise BadInput("this is no record but " + type(raw).__name__)
    return raw
