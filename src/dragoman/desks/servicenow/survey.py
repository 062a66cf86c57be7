"""Reading many records at once, so that both sides can be compared: implements ports/survey.py.

Used by `client.py`. The table is walked by sys_id; each page is a list of ids, as in `changes.py`,
and then the whole records, both with our own filter and checked against it again.
"""

from collections.abc import Sequence

from dragoman.desks.servicenow.fields import BASE, record_of, required
from dragoman.desks.servicenow.settings import ServiceNowSettings
from dragoman.desks.servicenow.table import Table
from dragoman.domain.errors import NeedsHuman
from dragoman.ports.desk import DeskPage, DeskRecord

_HIDDEN_PAGES = 200


class Surveys:
    """Lists and bulk reads of one table."""

    def __init__(self, table: Table, settings: ServiceNowSettings) -> None:
        self._table = table
        self._filter = settings.filter
        self._own = f"{self._filter.text}^" if self._filter.text else ""

    async def page(self, after: str, limit: int) -> DeskPage:
        """See `Survey.survey`. Open is what has `active`, a field of every table of tasks."""
        start = f"sys_id>{after}^" if after else ""
        query = f"{self._own}active=true^{start}ORDERBYsys_id"
        offset = 0
        for _ in range(_HIDDEN_PAGES):  # the desk hides rows after it has cut the page
            rows = await self._table.index(query, BASE, limit, offset)
            ids = [required(row, "sys_id") for row in rows.rows if isinstance(row, dict)]
            if ids or not rows.more:
                more = bool(ids) if rows.more is None else rows.more
                return DeskPage(
                    records=await self.many(ids), cursor=ids[-1] if ids else after, more=more
                )
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
        found = await self._table.find(query, len(sys_ids), self._filter.fields)
        kept: list[DeskRecord] = []
        for raw in found:
            record = record_of(raw)
            missing = self._filter.missing(record.raw)
            if missing:
                raise NeedsHuman(
                    f"{self._table.name} shows no field {missing}, so the desk ignores this part",
                    field="query",
                    value=self._filter.text,
                    mend="correct the field's name, or let the account read it",
                )
            if record.external_id in sys_ids and self._filter.holds(record.raw):
                kept.append(record)
        return kept
