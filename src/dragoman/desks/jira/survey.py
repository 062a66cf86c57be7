"""Reading many issues at once, so that both sides can be compared: implements ports/survey.py.

Used by `client.py`. The walk goes by the time of creation, which never changes, so an issue that
is edited meanwhile is neither left out nor given twice. Open is what isn't in a status of the
category Done. The search only finds ids; what is told of an issue is read directly.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dragoman.desks.jira.fetch import as_text, is_of, lot
from dragoman.desks.jira.fields import CATEGORY, fields_of, id_of, moment, record_of, value_of
from dragoman.desks.jira.rest import Rest, millis, second
from dragoman.desks.jira.settings import JiraSettings, where
from dragoman.domain.errors import BadInput
from dragoman.ports.desk import DeskPage, DeskRecord
from dragoman.transport.http_errors import NotJson

MOST = 50
"""Issues that one search can be told to see as they are."""

_START = datetime(1, 1, 1, tzinfo=UTC), 0
_PAGES = 100


class Surveys:
    """Lists and bulk reads of one project."""

    def __init__(self, rest: Rest, settings: JiraSettings) -> None:
        self._rest = rest
        self._settings = settings
        self._where = where(settings)

    async def page(self, after: str, limit: int) -> DeskPage:
        """See `Survey.survey`."""
        place = _decoded(after)
        rows, unreadable, more = await self._rows(place, max(1, min(limit, MOST)))
        if rows:
            place = rows[-1]
        wanted = [str(number) for _, number in rows]
        found, failed = await lot(self._rest, wanted) if wanted else ([], {})
        records: list[DeskRecord] = []
        for raw in found:
            try:
                record = record_of(raw)
                if is_of(record.raw, self._settings.project) and _is_open(record.raw):
                    records.append(record)
            except BadInput as error:
                unreadable.append((as_text(raw), str(error)))
        unreadable += [(as_text({"id": number}), str(error)) for number, error in failed.items()]
        return DeskPage(records=records, cursor=_encoded(place), more=more, unreadable=unreadable)

    async def many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See `Survey.read_many`. A condition of one's own is checked by a search that looks."""
        ids = [one for one in external_ids if one.isascii() and one.isdecimal() and len(one) <= 18]
        records: list[DeskRecord] = []
        for start in range(0, len(ids), MOST):
            raws = await self._rest.whole(ids[start : start + MOST])
            found = [record_of(raw) for raw in raws]
            found = [one for one in found if is_of(one.raw, self._settings.project)]
            records += await self._passing(found) if self._settings.jql and found else found
        return records

    async def _passing(self, records: Sequence[DeskRecord]) -> Sequence[DeskRecord]:
        ids = [record.external_id for record in records]
        jql = f"{self._where} AND id in ({', '.join(ids)})"
        told = await self._rest.search(jql, ("updated",), len(ids), fresh=ids)
        passing = {id_of(row) for row in told.rows}
        return [record for record in records if record.external_id in passing]

    async def _rows(
        self, place: tuple[datetime, int], limit: int
    ) -> tuple[list[tuple[datetime, int]], list[tuple[str, str]], bool]:
        """(created, id) of the next open issues, damaged rows, and whether more follow."""
        bound = f"AND created >= {millis(second(place[0]))} " if place != _START else ""
        jql = f"{self._where} AND statusCategory != Done {bound}ORDER BY created ASC, key ASC"
        rows: list[tuple[datetime, int]] = []
        unreadable: list[tuple[str, str]] = []
        token = ""
        for _ in range(_PAGES):  # more than a page may have been created in one second
            found = await self._rest.search(jql, ("created",), self._settings.page_size, token)
            token = found.token
            for row in found.rows:
                try:
                    at = _parsed(row)
                except BadInput as error:
                    unreadable.append((as_text(row), str(error)))
                    continue
                if at > place:
                    rows.append(at)
            if rows or not token:
                return rows[:limit], unreadable, bool(token) or len(rows) > limit
        raise NotJson("a list of open issues never gets on: is its order by creation kept?")


def _parsed(row: object) -> tuple[datetime, int]:
    """(created, id) of a row. Raises BadInput."""
    number = id_of(row)
    fields = fields_of(row) if isinstance(row, Mapping) else {}
    return moment(fields.get("created"), "created"), int(number)


def _is_open(raw: Mapping[str, object]) -> bool:
    category = value_of(raw, CATEGORY)
    return not (isinstance(category, Mapping) and category.get("key") == "done")


def _encoded(place: tuple[datetime, int]) -> str:
    return f"{place[0].isoformat()} {place[1]}"


def _decoded(after: str) -> tuple[datetime, int]:
    if not after:
        return _START
    try:
        at, _, number = after.partition(" ")
        return moment(at, "cursor"), int(number)
    except ValueError:
        raise BadInput("this is no cursor of a survey", field="cursor", value=after) from None
