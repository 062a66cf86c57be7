"""What the emulated REST desks share: a server on a free port of 127.0.0.1, faults, a clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from dragoman.testing.listening import Listener, Running
from dragoman.testing.rt.faults import Faults, Handler

Json = dict[str, Any]


def answer(body: object, status: int = 200, **headers: str) -> web.Response:
    """A JSON answer."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        charset="utf-8",
        headers=headers,
    )


class EmulatedRestDesk(Running):
    """An asynchronous context manager. `faults` is what shall go wrong; `requests` lists what came
    in, as (method, path with query). now: the desk's clock, which its Date header tells.
    """

    prefix = ""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        self._listener = Listener()

    @property
    def url(self) -> str:
        """The base address, with no slash at its end."""
        return f"{self._listener.origin}{self.prefix}"

    def routes(self) -> list[web.RouteDef]:
        """What the desk answers; for subclasses."""
        raise NotImplementedError

    def refusal(self, request: web.Request) -> web.Response | None:
        """The answer to a request without the right credentials; for subclasses."""
        raise NotImplementedError

    async def start(self, port: int = 0) -> None:
        """Listen. port: 0 for a free one; after a stop, the same one with the same records."""
        application = web.Application(middlewares=[self._middleware()], client_max_size=2**24)
        application.router.add_routes(self.routes())
        await self._listener.open(application, port=port)

    async def stop(self) -> None:
        """Stop listening and cut what is open; the records stay."""
        await self._listener.close()

    def _middleware(self) -> Middleware:
        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.requests.append((request.method, str(request.rel_url)))
            told = await self.faults.answer(request, lambda one: self._checked(one, handler))
            told.headers["Date"] = format_datetime(self.now().astimezone(UTC), usegmt=True)
            return told

        return middleware

    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = self.refusal(request)
        if refused is not None:
            return refused
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return web.Response(status=404)
