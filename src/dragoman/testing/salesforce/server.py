"""The HTTP front of the emulated org, on a free port of 127.0.0.1.

Made by `emulated`. It turns requests into calls and answers into responses, checks the session,
counts calls, and lets faults strike.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, unquote

import msgspec
from aiohttp import web

from dragoman.testing.listening import Listener
from dragoman.testing.salesforce.errors import Refused
from dragoman.testing.salesforce.faults import Fault, FaultKind, Faults, no_session, refused, spoilt
from dragoman.testing.salesforce.login import Sessions
from dragoman.testing.salesforce.router import VERSIONS, Router
from dragoman.testing.salesforce.wire import Answer, Call

JSON = "application/json;charset=UTF-8"


class Front:
    """Serves one org. requests: (method, path) of every call to the REST API. api_limit: calls a
    day; past it every call is refused.
    """

    def __init__(self, router: Router, sessions: Sessions, now: Callable[[], datetime]) -> None:
        self.router = router
        self.sessions = sessions
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        self.api_limit = 100_000
        self._now = now
        self._listener = Listener()

    @property
    def url(self) -> str:
        """The instance's address, with no slash at its end."""
        return self._listener.origin

    async def start(self, tls: ssl.SSLContext | None) -> None:
        """Listen; after a stop, on the same port."""
        application = web.Application(client_max_size=2**26)
        application.router.add_post("/services/oauth2/token", self._token)
        application.router.add_post("/services/Soap/u/{version}", self._soap)
        application.router.add_get("/services/data", self._versions)
        application.router.add_route("*", "/services/data/{version}{rest:.*}", self._data)
        await self._listener.open(application, tls=tls)

    async def stop(self) -> None:
        """Stop listening and cut what is open, also what waits for a farewell of TLS."""
        await self._listener.close()

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(parse_qsl(await request.text()))
        status, told = self.sessions.oauth(form, request.headers.get("Authorization", ""), self.url)
        return self._response(status, msgspec.json.encode(told), JSON, {})

    async def _soap(self, request: web.Request) -> web.Response:
        version = request.match_info["version"]
        status, told = self.sessions.soap(await request.text(), self.url, version)
        return self._response(status, told.encode(), "text/xml;charset=UTF-8", {})

    async def _versions(self, _: web.Request) -> web.Response:
        told = [{"label": v, "url": f"/services/data/v{v}", "version": v} for v in VERSIONS]
        return self._response(200, msgspec.json.encode(told), JSON, {})

    async def _data(self, request: web.Request) -> web.Response:
        call, sent = await self._call(request)
        path = request.raw_path
        self.requests.append((call.method, path.partition("?")[0]))
        fault = self.faults.take(call, path, lambda: "" if call.method == "GET" else path + sent)
        if fault is not None and not fault.after_commit:
            replaced = refused(fault)
            if replaced is not None:
                return self._told(replaced, replaced.body(), JSON)
            if fault.kind in (FaultKind.HANG, FaultKind.RESET):
                return await self._struck(request, fault, Answer())
        answer = self._answer(call)
        if fault is None:
            fault = self.faults.take(call, path, lambda: answer.body().decode())
        if fault is None:
            return self._told(answer, answer.body(), JSON)
        return await self._struck(request, fault, refused(fault) or answer)

    async def _struck(self, request: web.Request, fault: Fault, answer: Answer) -> web.Response:
        if fault.kind in (FaultKind.HANG, FaultKind.SLOW):
            await asyncio.sleep(fault.seconds)
        if fault.kind in (FaultKind.HANG, FaultKind.RESET):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # into the void
        body = spoilt(fault, answer)
        html = fault.kind is FaultKind.HTML
        if html:
            answer.status = fault.status or 200
        return self._told(answer, body, "text/html" if html else JSON)

    async def _call(self, request: web.Request) -> tuple[Call, str]:
        rest = request.raw_path.partition("?")[0].split("/")[4:]
        sent = (await request.read()).decode(errors="replace")
        try:
            body = msgspec.json.decode(sent) if sent else None
        except msgspec.DecodeError:  # whoever needs the body refuses a call without one
            body = None
        call = Call(
            method=request.method,
            version=request.match_info["version"],
            parts=tuple(unquote(part) for part in rest if part),
            query=request.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            user=self.sessions.user_of(request.headers.get("Authorization", "")) or "",
        )
        return call, sent

    def _answer(self, call: Call) -> Answer:
        if not call.user:
            return no_session()
        if call.version.removeprefix("v") not in VERSIONS:
            error = Refused("NOT_FOUND", "The requested resource does not exist", status=404)
            return Answer(status=404, payload=error.body())
        over = refused(Fault(kind=FaultKind.RATE_LIMIT))
        if len(self.requests) > self.api_limit and over is not None:
            return over
        self.router.limits = (len(self.requests), self.api_limit)
        return self.router.answer(call)

    def _told(self, answer: Answer, body: bytes, kind: str) -> web.Response:
        usage = f"api-usage={len(self.requests)}/{self.api_limit}"
        headers = {"Sforce-Limit-Info": usage, **answer.headers}
        return self._response(answer.status, body, kind, headers)

    def _response(
        self, status: int, body: bytes, kind: str, headers: Mapping[str, str]
    ) -> web.Response:
        date = format_datetime(self._now().astimezone(UTC), usegmt=True)
        told = {"Content-Type": kind, "Date": date, **headers}
        return web.Response(status=status, body=body, headers=told)
