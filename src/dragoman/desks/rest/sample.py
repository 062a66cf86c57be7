"""A few records as they are now, for `dragoman desk try`. Used by client.py."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from dragoman.config.jmes import reader
from dragoman.desks.rest.fields import Row
from dragoman.desks.rest.pages import Pages
from dragoman.desks.rest.settings import RestSettings
from dragoman.desks.rest.times import written
from dragoman.desks.rest.wire import Wire
from dragoman.domain.errors import BadInput
from dragoman.ports.desk import DeskRecord

_DAYS = (7, 100, 36_500)
_FIRST = datetime(1970, 1, 2, tzinfo=UTC)


async def sample(wire: Wire, settings: RestSettings, limit: int) -> Sequence[DeskRecord]:
    """The last of a first page, read whole. Raises BadInput if the list holds no records."""
    table, pages = settings.changes, Pages(wire, settings.requests.list, settings.paging)
    rows: list[Row] = []
    for days in _DAYS:
        since = "0"
        if table.by == "time":
            form = table.since_format or settings.record.time_format
            zone = table.since_zone or settings.record.zone
            since = written(max(_FIRST, wire.now() - timedelta(days=days)), form, zone)
        page = await pages.page(pages.first({"since": since}))
        keep = None if table.keep is None else reader(table.keep)
        problem: BadInput | None = None
        for item in page.items:
            try:
                row = wire.shape.row(item)
            except BadInput as error:
                problem = error
                continue
            with suppress(BadInput):
                rows += [row] if keep is None or keep(row.raw) else []
        if problem is not None and not rows:
            raise problem
        if rows or table.by != "time":
            break
    return [(await wire.read(row.id))[0] for row in rows[-limit:]]
