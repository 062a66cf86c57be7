"""The emulated Maximo's HTTP server, on a free port of 127.0.0.1."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from ssl import SSLContext
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.typedefs import Middleware

from dragoman.testing.listening import Listener, Running
from dragoman.testing.maximo.errors import Refused
from dragoman.testing.maximo.faults import Faults, Handler
from dragoman.testing.maximo.routes import PREFIXES, USER, Routes, base_of, is_lean
from dragoman.testing.maximo.schema import STRUCTURES, Attribute, Kind
from dragoman.testing.maximo.store import Row, Store

KEY = Attribute(name="dragomankey", kind=Kind.TEXT, length=40)
"""The attribute of one's own in which the gateway keeps its key."""


class EmulatedMaximo(Running):
    """One emulated Maximo: an asynchronous context manager, or `start()` and `stop()`.

    `store` is what it knows, `faults` what shall go wrong; `requests` lists what came in, as
    (method, path and query, headers). `api_key` is the gateway's, whose user is DRAGOMAN. zone: of
    the server. attributes: added to every structure. synonyms: further status values by domain.
    etags: whether ETag and If-Match work. Times have fractions of seconds that JSON doesn't show.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        zone: str = "America/New_York",
        attributes: Iterable[Attribute] = (KEY,),
        synonyms: Mapping[str, Mapping[str, str]] | None = None,
        etags: bool = True,
    ) -> None:
        more = tuple(attributes)
        self.faults = Faults()
        self.store = Store(
            [one.with_attributes(more) for one in STRUCTURES],
            lambda: now() + self.faults.clock_offset,
            ZoneInfo(zone),
            synonyms or {},
        )
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []
        self.api_key = secrets.token_urlsafe(32)
        self._etags = etags
        self._listener = Listener()

    @property
    def url(self) -> str:
        """Base address, up to /maximo."""
        return f"{self._listener.origin}/maximo"

    async def start(self, tls: SSLContext | None = None) -> None:
        """Listen; after a stop, on the same port with the same records. tls makes it https."""
        application = web.Application(middlewares=[self._middleware()], client_max_size=2**26)
        application.router.add_routes(Routes(self.store, self.faults, etags=self._etags).table())
        await self._listener.open(application, tls=tls)

    async def stop(self) -> None:
        """Stop listening and cut what is open; the records stay."""
        await self._listener.close()

    def open(self, structure: str = "mxapiwo", *, user: str = "wilson", **values: Any) -> Row:
        """Somebody opens a record at the desk."""
        known = self.store.structures[structure]
        kind = {"class": known.object} if "class" in known.keys else {}
        return self.store.create(known, {"siteid": "BEDFORD", **kind, **values}, user)

    def edit(self, row: Row, *, user: str = "wilson", **values: Any) -> None:
        """Somebody changes a record."""
        self.store.update(row, values, user)

    def set_status(self, row: Row, status: str, *, user: str = "wilson") -> None:
        """Somebody changes a record's status."""
        self.store.change_status(row, status, user)

    def rows(self, structure: str = "mxapiwo") -> Sequence[Row]:
        """All records of a structure, in the order they were made."""
        return self.store.of(self.store.structures[structure])

    def _middleware(self) -> Middleware:
        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.requests.append((request.method, request.path_qs, dict(request.headers)))
            try:
                answer = await self.faults.answer(request, lambda one: self._checked(one, handler))
            except Refused as refused:
                answer = _error(request, refused)
            now = self.store.now().astimezone(UTC)
            answer.headers["Date"] = format_datetime(now, usegmt=True)
            # seen: it makes a session at every call, which goes before the API key if sent back
            answer.headers["Set-Cookie"] = f"JSESSIONID={secrets.token_hex(8)}; Path=/maximo"
            return answer

        return middleware

    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if "JSESSIONID" in request.cookies:
            raise Refused("BMXAA0021E")
        key = request.headers.get("apikey", "")
        if not key:
            raise Refused("BMXAA0021E")
        if not secrets.compare_digest(key.encode(), self.api_key.encode()):
            raise Refused("BMXAA9549E", status=self.faults.bad_key_status)
        request[USER] = "dragoman"
        return await handler(request)


def _error(request: web.Request, refused: Refused) -> web.Response:
    known = request.path.startswith(PREFIXES)
    base = f"{request.url.origin()}{base_of(request) if known else ''}"
    body = json.dumps(refused.body(base, lean=is_lean(request))).encode()
    return web.Response(status=refused.status, body=body, content_type="application/json")
