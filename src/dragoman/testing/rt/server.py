"""The emulated Request Tracker's HTTP server: REST 2.0 on a free port of 127.0.0.1."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.typedefs import Middleware

from dragoman.testing.listening import Listener, Running
from dragoman.testing.rt.errors import Refused
from dragoman.testing.rt.faults import Faults, Handler
from dragoman.testing.rt.routes import DOCUMENT, MESSAGE, PREFIX, USER, Routes, answer
from dragoman.testing.rt.store import Store, User

CUSTOM_FIELDS = ("RobotID", "RobotState", "GatewayCorrelation", "Location", "Destination", "Task")


class EmulatedRequestTracker(Running):
    """One emulated desk: an asynchronous context manager, or `start()` and `stop()`.

    `store` is what it knows, `faults` what shall go wrong; `requests` lists what came in, as
    (method, path). It has two accounts, `svc-gateway` and `pat-requester`, that see its queue
    and not the other one, Facilities.
    """

    def __init__(
        self,
        *,
        queue: str = "Robots",
        custom_fields: Sequence[str] = CUSTOM_FIELDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = Store(
            queue=queue, hidden_queue="Facilities", custom_fields=custom_fields, now=now
        )
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        self.gateway_token = f"1-39-{secrets.token_hex(16)}"
        self.requester_token = f"1-42-{secrets.token_hex(16)}"
        self._listener = Listener()

    @property
    def url(self) -> str:
        """Base address of REST 2.0, with no slash at its end."""
        return f"{self._listener.origin}{PREFIX}"

    async def start(self) -> None:
        """Listen; after a stop, on the same port with the same tickets."""
        application = web.Application(middlewares=[self._middleware()], client_max_size=2**24)
        application.router.add_routes(Routes(self.store).table())
        await self._listener.open(application)

    async def stop(self) -> None:
        """Stop listening and cut what is open; the tickets stay."""
        await self._listener.close()

    def _middleware(self) -> Middleware:
        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.requests.append((request.method, request.path.removeprefix(PREFIX)))
            return await self.faults.answer(request, lambda one: self._checked(one, handler))

        return middleware

    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            request[USER] = self._user(request)
            return await handler(request)
        except Refused as refused:
            if not refused.message:
                return web.Response(status=refused.status, headers={"Content-Type": DOCUMENT})
            return answer({"message": refused.message}, status=refused.status, kind=MESSAGE)
        except web.HTTPException as error:
            return answer({"message": error.reason}, status=error.status, kind=MESSAGE)

    def _user(self, request: web.Request) -> User:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        names = {self.gateway_token: "svc-gateway", self.requester_token: "pat-requester"}
        if scheme.lower() != "token" or token not in names:
            raise Refused(401, "Unauthorized")
        return self.store.user(names[token])
