"""Faults that a test plans for the emulated Request Tracker's next answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which a desk can go wrong.

    `delay_s` holds the answer back. `applied` decides whether the request takes effect before it
    goes wrong, so that its sender can't know. `drops_connection` cuts the connection instead of
    answering; else the answer is `status` with `body`, or the true answer if `status` is None.
    """

    status: int | None = None
    body: str = '{"message":"Service Unavailable"}'
    headers: Mapping[str, str] = field(default_factory=dict)
    applied: bool = False
    drops_connection: bool = False
    delay_s: float = 0.0


class Faults:
    """The planned faults, used up in order by requests whose method and path fit."""

    def __init__(self) -> None:
        self._planned: list[tuple[Fault, str, str]] = []

    def plan(self, fault: Fault, *, times: int = 1, method: str = "", path: str = "") -> None:
        """Let the next `times` fitting requests go wrong.

        `method` is GET, POST or PUT and `path` a part of the path; empty ones fit every request.
        """
        self._planned += [(fault, method, path)] * times

    def clear(self) -> None:
        """Forget what is still planned."""
        self._planned.clear()

    @property
    def left(self) -> int:
        """How many planned faults no request has met yet."""
        return len(self._planned)

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request truly, or as the first fitting fault says."""
        fault = self._take(request)
        if fault is None:
            return await handler(request)
        await asyncio.sleep(fault.delay_s)
        true_answer = None
        if fault.applied or (fault.status is None and not fault.drops_connection):
            true_answer = await handler(request)
        if fault.drops_connection:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the planned fault dropped the connection")
        if fault.status is None and true_answer is not None:
            return true_answer
        headers = {"Content-Type": "application/json; charset=utf-8", **fault.headers}
        return web.Response(status=fault.status or 500, body=fault.body.encode(), headers=headers)

    def _take(self, request: web.Request) -> Fault | None:
        for index, (fault, method, path) in enumerate(self._planned):
            if method in ("", request.method) and path in request.path:
                del self._planned[index]
                return fault
        return None
