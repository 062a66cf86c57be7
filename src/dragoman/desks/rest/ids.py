"""Finding new records on a desk that tells no times, by ids that only rise.

Used by client.py. Only new records are found: what changes later has to come by webhook. The
cursor is the highest id so far.
"""

from dragoman.config.jmes import reader
from dragoman.desks.rest.fetch import Fetch
from dragoman.desks.rest.fields import Row
from dragoman.desks.rest.pages import Pages
from dragoman.desks.rest.settings import RestSettings
from dragoman.desks.rest.wire import Wire
from dragoman.domain.errors import BadInput
from dragoman.domain.watermark import Seen
from dragoman.ports.desk import DeskPage

PREFIX = "ids1 "


class Ids:
    """The poller of one desk."""

    def __init__(self, wire: Wire, settings: RestSettings) -> None:
        self._wire = wire
        self._pages = Pages(wire, settings.requests.list, settings.paging)
        self._fetch = Fetch(wire, settings)
        self._keep = None if settings.changes.keep is None else reader(settings.changes.keep)

    async def page(self, cursor: str, limit: int) -> DeskPage:
        """See `Desk.changes`."""
        after = _number(cursor.removeprefix(PREFIX)) if cursor else 0
        if cursor and not cursor.startswith(PREFIX):
            raise _strange(cursor)
        found = await self._above(after)
        if not cursor:
            newest = max(found, default=0)
            now = self._wire.http.server_now()
            return DeskPage(records=(), cursor=f"{PREFIX}{newest}", more=False, since=now)
        chosen = sorted(found)[:limit]
        got = await self._fetch.rows([found[number] for number in chosen], Seen(1))
        return DeskPage(
            records=got.records,
            cursor=f"{PREFIX}{max(chosen, default=after)}",
            more=len(found) > len(chosen),
            unreadable=got.unreadable,
        )

    async def _above(self, after: int) -> dict[int, Row]:
        """All rows with a higher id."""
        found: dict[int, Row] = {}
        async for page in self._pages.all({"since": str(after)}):
            for item in page.items:
                row = self._wire.shape.row(item)
                number = _number(row.id)
                if number > after and (self._keep is None or self._keep(row.raw)):
                    found[number] = row
        return found


def _number(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 18:
        raise _strange(text)
    return int(text)


def _strange(text: str) -> BadInput:
    return BadInput(
        "this is no id that rises",
        field="record.id",
        value=text[:60],
        mend="use another changes.by",
    )
