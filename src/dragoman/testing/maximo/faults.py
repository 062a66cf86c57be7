"""Switches that make the emulated Maximo misbehave, settable while it runs.

Set by tests; asked by `server` around each call. One `Fault` names what goes wrong, for which
calls, and how often; the fields of `Faults` are lasting conditions.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web

from dragoman.testing.maximo.errors import Refused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
UIDS: web.RequestKey[set[int]] = web.RequestKey("uids", set)
"""The unique numbers of the records that an answer is about; filled by `routes`."""


class FaultKind(StrEnum):
    """What goes wrong. `after_commit` says whether a write still takes effect first."""

    RATE_LIMIT = "rate_limit"  # 429 with Retry-After
    UNAVAILABLE = "unavailable"  # 503 with Retry-After, as from the router before the pods
    UNAUTHORIZED = "unauthorized"  # the API key isn't accepted
    SERVER_ERROR = "server_error"  # 500 BMXAA4160E
    HTML = "html"  # a page with status 200
    MOVED = "moved"  # 301 to another host
    TRUNCATED = "truncated"  # the first half of the JSON, with a matching Content-Length
    HANG = "hang"  # silence for `seconds`, then the connection drops
    RESET = "reset"  # the connection is reset
    STALE = "stale"  # 412: somebody was faster
    OVERWRITE = "overwrite"  # `field` of the answer, or else of every member, becomes `value`
    TWICE = "twice"  # every member comes two times
    IGNORED = "ignored"  # a write is answered with 204, and nothing is done


@dataclass(slots=True, kw_only=True)
class Fault:
    """One misbehaviour. calls: how many it strikes. method, path: of the call, "" for any; path is
    a part of path and query, decoded. record: only answers about this unique number, 0 for any.
    """

    kind: FaultKind
    calls: int = 1
    method: str = ""
    path: str = ""
    record: int = 0
    after_commit: bool = False
    seconds: float = 1.0
    field: str = ""
    value: Any = None


@dataclass(slots=True)
class Faults:
    """All faults, and the lasting conditions.

    hidden: unique numbers that are left out of a page after it was cut, as a structure's own
    processing may do. denied: structures without rights. clock_offset: of the server's clock.
    offsets: False makes times come without one. bad_key_status: 401, or 400 as some versions.
    foreign: the address that the server believes to have, in hrefs and next pages.
    """

    active: list[Fault] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    clock_offset: timedelta = timedelta()
    offsets: bool = True
    bad_key_status: int = 401
    foreign: str = ""

    def add(self, kind: FaultKind | str, **details: Any) -> Fault:
        """Add a fault; details are the fields of Fault."""
        fault = Fault(kind=FaultKind(kind), **details)
        self.active.append(fault)
        return fault

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a call truly, or as the first fitting fault says."""
        fault = self._take(request, 0)
        if fault is not None and not fault.after_commit and fault.kind not in _DAMAGE:
            return await self._strike(fault, request, None)
        true = await handler(request)
        fault = fault or self._take(request, *request.get(UIDS, set()))
        return true if fault is None else await self._strike(fault, request, true)

    def _take(self, request: web.Request, *records: int) -> Fault | None:
        asked = unquote_plus(request.path_qs)
        for fault in self.active:
            fits = fault.method in ("", request.method) and fault.path in asked
            if fits and fault.record in records:
                fault.calls -= 1
                if fault.calls <= 0:
                    self.active.remove(fault)
                return fault
        return None

    async def _strike(
        self, fault: Fault, request: web.Request, true: web.StreamResponse | None
    ) -> web.StreamResponse:
        match fault.kind:
            case FaultKind.UNAUTHORIZED:
                raise Refused("BMXAA9549E", status=self.bad_key_status)
            case FaultKind.SERVER_ERROR:
                raise Refused("BMXAA4160E")
            case FaultKind.STALE:
                raise Refused("BMXAA8229W", "WORKORDER", fault.record)
            case FaultKind.HANG | FaultKind.RESET:
                if fault.kind is FaultKind.HANG:
                    await asyncio.sleep(fault.seconds)
                if request.transport is not None:
                    request.transport.abort()
                raise ConnectionResetError("the planned fault dropped the connection")
            case kind if kind in _DAMAGE:
                assert isinstance(true, web.Response), "there is an answer to damage"
                return _damaged(fault, true)
        return _replaced(fault, request)


_DAMAGE = frozenset({FaultKind.TRUNCATED, FaultKind.OVERWRITE, FaultKind.TWICE})
_PAGE = "<!DOCTYPE html><html><body><h1>Maximo is being updated</h1></body></html>"


def _replaced(fault: Fault, request: web.Request) -> web.Response:
    """An answer that has nothing of the true one."""
    wait = {"Retry-After": str(max(1, round(fault.seconds)))}
    match fault.kind:
        case FaultKind.RATE_LIMIT:
            return web.Response(status=429, text="Too many requests", headers=wait)
        case FaultKind.UNAVAILABLE:
            return web.Response(status=503, text="No server is available", headers=wait)
        case FaultKind.HTML:
            return web.Response(text=_PAGE, content_type="text/html")
        case FaultKind.MOVED:
            place = f"https://elsewhere.example{request.path_qs}"
            return web.Response(status=301, headers={"Location": place})
        case _:  # IGNORED
            return web.Response(status=204)


def _damaged(fault: Fault, true: web.Response) -> web.Response:
    body = true.body if isinstance(true.body, bytes) else b""
    if fault.kind is FaultKind.TRUNCATED:
        cut = body[: len(body) // 2] or b'{"member":[{"wonum"'
        return web.Response(body=cut, content_type="application/json")
    told = json.loads(body)
    if fault.kind is FaultKind.TWICE:
        told["member"] = [one for member in told["member"] for one in (member, member)]
    elif fault.field in told:
        told[fault.field] = fault.value
    else:
        for member in told.get("member", [told]):
            if not fault.record or fault.record in member.values():
                member[fault.field] = fault.value
    return web.Response(body=json.dumps(told).encode(), content_type="application/json")
