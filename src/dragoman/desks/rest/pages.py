"""Lists, page by page, in the ways that REST desks have: offset, page number, cursor, Link, next.

Used by all that lists. A page that fails because of one item is read item by item,
where the paging allows it, so that one broken record hides no other.
Source: RFC 8288 for Link.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dragoman.config.jmes import reader
from dragoman.desks.rest.requests import (
    Call,
    CommentsRequest,
    FindRequest,
    ListRequest,
    OpenRequest,
)
from dragoman.desks.rest.settings import PagingTable
from dragoman.desks.rest.wire import Told, Wire
from dragoman.domain.errors import BadInput, DragomanError, NeedsHuman, Permanent
from dragoman.transport.http_errors import BodyTooLarge, NotJson, ServerFailed

OF_ONE = (BodyTooLarge, NotJson, ServerFailed, BadInput)
"""Failures that one record among many can cause."""

_LINK = re.compile(r'<([^>]*)>[^,<]*?;\s*rel="?next"?', re.IGNORECASE)
_FAILURES = 3
_LONGEST = 2_000

Listing = ListRequest | OpenRequest | FindRequest | CommentsRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where a page starts. call: its request; seen: items of the pages before."""

    call: Call
    seen: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """items: as the desk gave them. broken: those that can't be read, with the reason. next: None
    at the end.
    """

    items: Sequence[object]
    next: Step | None
    broken: Sequence[tuple[str, str]] = field(default=())


class Pages:
    """One list of a desk."""

    def __init__(self, wire: Wire, request: Listing, paging: PagingTable) -> None:
        self._wire = wire
        self._request = request
        self._paging = paging
        self._items = reader(request.items)
        self._failed: Call | None = None
        self._next = None if paging.next is None else reader(paging.next)
        self._total = None if paging.total is None else reader(paging.total)

    def first(self, values: Mapping[str, str]) -> Step:
        """The start of a list. values: of the request's placeholders."""
        paging = self._paging
        step = Step(call=self._request.render(values))
        parameters = {paging.size_name: str(paging.size)} if paging.size_name else {}
        if paging.style == "offset":
            parameters[paging.at or ""] = "0"
        elif paging.style == "page":
            parameters[paging.at or ""] = str(paging.first)
        return replace(step, call=_with(step.call, parameters))

    async def all(self, values: Mapping[str, str]) -> AsyncIterator[Page]:
        """Every page. Raises NeedsHuman if there is no end to them."""
        step: Step | None = self.first(values)
        for _ in range(_LONGEST):
            if step is None:
                return
            page = await self.page(step)
            yield page
            step = page.next
        raise NeedsHuman("the desk's list comes to no end", field="paging")

    async def page(self, step: Step) -> Page:
        """One page. Raises as Wire.send; NotJson if there is no list in the answer."""
        try:
            told = await self._wire.send(step.call, "a list")
            items = self._items_of(told)
        except OF_ONE as error:
            # a passing failure is told first; one that stays may be that of a single item
            stays = isinstance(error, BodyTooLarge) or step.call == self._failed
            self._failed = step.call
            if not (stays and self._divisible()):
                raise
            return await self._one_by_one(step, error)
        except Permanent as error:
            if step.number and self._is_beyond(error):
                return Page(items=(), next=None)
            raise
        return Page(items=items, next=self._following(step, told, items))

    def _is_beyond(self, error: Permanent) -> bool:
        """Some desks answer 404 to a page after the last one."""
        return self._paging.style == "page" and "(HTTP 404)" in error.text

    def _items_of(self, told: Told) -> Sequence[object]:
        try:
            items: Any = self._items(told.body)
        except BadInput:
            items = None
        if items is None or not isinstance(items, list):
            raise NotJson(
                f"{self._wire.origin} answered a list without a list at {self._request.items!r}"
            )
        return items

    def _following(self, step: Step, told: Told, items: Sequence[object]) -> Step | None:
        """The next page, None at the end. A page that isn't full is only the end if so said."""
        paging = self._paging
        seen = step.seen + len(items)
        if paging.style == "none":
            return None
        if paging.style in ("link", "next", "cursor"):
            return self._handed_out(step, told, seen)
        total = self._total_of(told)
        if total is not None and (seen >= total if paging.style == "offset" else not items):
            return None
        if paging.style == "page" and total is not None and seen >= total:
            return None
        if total is None and (not items or (paging.short_page_ends and len(items) < paging.size)):
            return None
        number = step.number + 1
        if paging.style == "offset":
            if not items:  # hidden from our account, but counted: go on behind them
                seen = step.seen + paging.size
            at = str(seen)
        else:
            at = str(paging.first + number)
        call = _with(step.call, {paging.at or "": at})
        return Step(call=call, seen=seen, number=number)

    def _handed_out(self, step: Step, told: Told, seen: int) -> Step | None:
        """The page whose cursor or address the desk hands out."""
        if self._paging.style == "link":
            match = _LINK.search(told.headers.get("link", ""))
            found: Any = match[1] if match else None
        else:
            try:
                found = None if self._next is None else self._next(told.body)
            except BadInput:
                found = None
        if found is None or found is False or found == "":
            return None
        if not isinstance(found, str | int):
            raise NeedsHuman(
                "this is no cursor or address of a next page",
                field="paging.next",
                value=repr(found)[:60],
                mend="let the path end at one value",
            )
        if self._paging.style == "cursor":
            call = _with(step.call, {self._paging.at or "": str(found)})
        else:
            call = self._wire.followed(step.call, str(found))
        if call == step.call:
            raise NeedsHuman("the desk's next page is the same one again", field="paging.next")
        return Step(call=call, seen=seen, number=step.number + 1)

    def _total_of(self, told: Told) -> int | None:
        found: Any = None
        if self._paging.total_header is not None:
            found = told.headers.get(self._paging.total_header.lower())
        elif self._total is not None:
            try:
                found = self._total(told.body)
            except BadInput:
                found = None
        text = str(found)
        # below zero: more than the desk counts (Roundup)
        return int(text) if text.isdecimal() and text.isascii() else None

    def _divisible(self) -> bool:
        paging = self._paging
        return paging.style in ("offset", "page") and bool(paging.size_name) and paging.size > 1

    async def _one_by_one(self, step: Step, cause: DragomanError) -> Page:
        """The items of a page that fails as a whole. Raises the cause if each single one does."""
        paging = self._paging
        items: list[object] = []
        broken: list[tuple[str, str]] = []
        start = step.seen if paging.style == "offset" else step.number * paging.size
        told = None
        for index in range(start, start + paging.size):
            at = index if paging.style == "offset" else paging.first + index
            one = _with(step.call, {paging.size_name or "": "1", paging.at or "": str(at)})
            try:
                told = await self._wire.send(one, "a list")
                found = self._items_of(told)
            except OF_ONE as error:
                before = items[-1].get("id") if items and isinstance(items[-1], Mapping) else None
                broken.append((f'{{"after":"{before}","place":{index - start}}}', str(error)))
                if len(broken) >= _FAILURES and not items:
                    raise cause from error
                continue
            except Permanent as error:
                if items and self._is_beyond(error):
                    break
                raise
            items += found
            if not found:
                break
        if not items:
            raise cause
        counted = len(items) + len(broken)
        full = counted >= paging.size
        total = None if told is None else self._total_of(told)
        seen = step.seen + counted
        if (total is not None and seen >= total) or (total is None and not full):
            return Page(items=items, next=None, broken=broken)
        number = step.number + 1
        at = seen if paging.style == "offset" else paging.first + number
        call = _with(step.call, {paging.at or "": str(at)})
        return Page(items=items, next=Step(call=call, seen=seen, number=number), broken=broken)


def _with(call: Call, parameters: Mapping[str, str]) -> Call:
    """The request with parameters of paging: in the query, or in the body of a search by POST."""
    if call.method == "GET" or call.body is None:
        return replace(call, query={**call.query, **parameters})
    numbers = {name: int(text) if text.isdecimal() else text for name, text in parameters.items()}
    return replace(call, body={**call.body, **numbers})
