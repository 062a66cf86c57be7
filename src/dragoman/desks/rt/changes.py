"""Polling a queue by the numbers of its transactions: every change once, none missed.

Used by `client.py`. Each change of a ticket is a transaction with a number that only rises, so
neither one-second times nor time zones matter (Request Tracker reads times in a search in the zone
of the account, whatever zone is written). A transaction may become visible after one with a higher
number; so each poll looks back over the last seconds' numbers.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from dragoman.desks.rt.errors import Gone
from dragoman.desks.rt.fields import id_of, moment
from dragoman.desks.rt.rest import Reading, Rest
from dragoman.desks.rt.settings import RtSettings
from dragoman.domain.errors import BadInput, DragomanError
from dragoman.domain.watermark import Seen
from dragoman.ports.desk import DeskPage
from dragoman.transport.http_errors import BodyTooLarge, NotJson, ServerFailed

_OF_ONE = (BodyTooLarge, NotJson, ServerFailed, BadInput)
"""Failures that one ticket among many can cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """low: the last number before the seconds that are looked at again. step: the last number of
    an unfinished walk through several pages, 0 if none. serial: counts pages with news.
    """

    low: int
    step: int = 0
    serial: int = 0

    def encode(self) -> str:
        """The cursor of the Desk port."""
        return f"{self.low} {self.step} {self.serial}"

    @classmethod
    def decode(cls, cursor: str) -> "Mark":
        """Raises BadInput for anything that `encode` didn't make."""
        try:
            low, step, serial = (int(part) for part in cursor.split(" "))
        except ValueError:
            raise BadInput(
                "this is no cursor of this desk", field="cursor", value=cursor, mend='start with ""'
            ) from None
        return cls(low=low, step=step, serial=serial)


@dataclass(slots=True, kw_only=True)
class _Page:
    """What one list told. news: ticket → its new transactions, in order."""

    news: dict[str, list[str]] = field(default_factory=dict)
    bad: list[tuple[str, str]] = field(default_factory=list)
    last: int = 0
    dated: list[tuple[int, datetime]] = field(default_factory=list)
    full: bool = False


class Changes:
    """The poller of one queue. It holds what was reported lately, in memory only."""

    def __init__(self, rest: Rest, settings: RtSettings) -> None:
        self._rest = rest
        self._settings = settings
        self._seen = Seen()
        self.own_name = ""
        """Our account's name at the desk, once a comment of ours told it."""
        self.read_back = Seen(10_000)
        """Ticket → number of its last transaction when a write of ours was read back."""

    async def page(self, cursor: str, limit: int) -> DeskPage:
        """See `Desk.changes`."""
        if not cursor:
            return await self._from_now()
        self._seen.resume(cursor)
        mark = Mark.decode(cursor)
        size = self._settings.page_size
        lines = await self._rest.transactions(mark.step or mark.low, size)
        page = self._sift(lines, limit)
        readings, unreadable, gone = await self._read(list(page.news))
        low = self._low(page.dated, mark.low)
        # hidden lines make a page short, so with news in it the next one is asked for at once
        more = bool(page.last) and (page.full or len(lines) >= size or bool(page.news))
        mark = replace(mark, low=low, step=page.last if more else 0)
        if page.news or page.bad:
            mark = replace(mark, serial=mark.serial + 1)
        after = mark.encode()
        done = {reading.record.external_id for reading in readings} | set(unreadable) | gone
        kept = [(line, "") for ticket in done for line in page.news[ticket]]
        self._seen.offer(after, [*kept, *((raw, "bad") for raw, _ in page.bad)])
        return DeskPage(
            records=[reading.record for reading in readings],
            cursor=after,
            more=more,
            unreadable=[*page.bad, *((_raw(one), text) for one, text in unreadable.items())],
        )

    def _sift(self, lines: Sequence[Any], limit: int) -> _Page:
        """Sort a page into tickets with news, known and unreadable lines."""
        page = _Page()
        for line in lines:
            try:
                number, ticket, at = _parsed(line)
            except BadInput as error:
                raw = msgspec.json.encode(line).decode()[:65_536]
                if line is not None and not self._seen.has(raw, "bad"):
                    page.bad.append((raw, str(error)))
                continue
            known = self._seen.has(str(number), "") or self._is_echo(line, number, ticket)
            if not known and ticket not in page.news and len(page.news) >= limit:
                page.full = True
                break
            page.last = number
            page.dated.append((number, at))
            if not known:
                page.news.setdefault(ticket, []).append(str(number))
        return page

    def _is_echo(self, line: Mapping[str, Any], number: int, ticket: str) -> bool:
        """Whether we made this transaction, and its effect was checked when we read it back."""
        last = self.read_back.get(ticket)
        ours = bool(self.own_name) and id_of(line.get("Creator")) == self.own_name
        return ours and last.isdecimal() and number <= int(last)

    def _low(self, dated: Sequence[tuple[int, datetime]], low: int) -> int:
        """The last number that is older than the overlap, by the desk's own times."""
        if not dated:
            return low
        horizon = max(at for _, at in dated) - timedelta(seconds=self._settings.overlap_s)
        return max([low, *(number for number, at in dated if at < horizon)])

    async def _read(self, tickets: Sequence[str]) -> tuple[list[Reading], dict[str, str], set[str]]:
        """Tickets whole, in order; reasons for those that can't be read; those that are gone.

        Raises the failure if it hits every one: then it is the desk's.
        """
        readings: list[Reading] = []
        failed: dict[str, DragomanError] = {}
        gone: set[str] = set()
        size = self._settings.parallel
        for start in range(0, len(tickets), size):
            asked = tickets[start : start + size]
            told = await asyncio.gather(*map(self._rest.ticket, asked), return_exceptions=True)
            for ticket, one in zip(asked, told, strict=True):
                if isinstance(one, Reading):
                    readings.append(one)
                elif isinstance(one, Gone):
                    gone.add(ticket)
                elif isinstance(one, _OF_ONE):
                    failed[ticket] = one
                else:
                    raise one
            if failed and not readings and not gone and len(failed) >= min(3, len(tickets)):
                error = next(iter(failed.values()))
                if isinstance(error, NotJson | ServerFailed):
                    raise error
        return readings, {ticket: str(error) for ticket, error in failed.items()}, gone

    async def _from_now(self) -> DeskPage:
        """The first cursor: after the newest transaction of the queue."""
        lines = await self._rest.transactions(0, 20, newest=True)
        newest = max((_parsed(line)[0] for line in lines if line is not None), default=0)
        now = self._rest.http.server_now()
        return DeskPage(records=(), cursor=Mark(low=newest).encode(), more=False, since=now)


def _parsed(line: Any) -> tuple[int, str, datetime]:
    """(number, ticket, time) of a transaction. Raises BadInput."""
    if not isinstance(line, Mapping):
        raise BadInput("this is no transaction but " + type(line).__name__)
    number, ticket = id_of(line), str(line.get("ObjectId", ""))
    if not number.isdecimal() or not ticket.isdecimal():
        raise BadInput("a transaction without its number or its ticket's", field="ObjectId")
    return int(number), ticket, moment(line.get("Created"), "Created")


def _raw(ticket: str) -> str:
    """What a dead letter keeps of a ticket that couldn't be read."""
    return msgspec.json.encode({"ticket": ticket}).decode()
