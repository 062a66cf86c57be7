"""A server whose answers a test sets, for the HTTP client's tests."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from aiohttp import web

SECRET = "s3cret-that-must-not-show"
Answer = web.StreamResponse | Awaitable[web.StreamResponse]


class Server:
    """A server whose next answers a test sets; it keeps what came in."""

    def __init__(self) -> None:
        self.answer: Callable[[web.BaseRequest], Answer] = lambda request: web.json_response(
            {"path": request.path_qs}
        )
        self.seen: list[web.BaseRequest] = []
        self.bodies: list[bytes] = []
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        found = self.answer(request)
        return found if isinstance(found, web.StreamResponse) else await found


ServerT = TypeVar("ServerT", bound=Server)


@asynccontextmanager
async def serving(server: ServerT, tls: ssl.SSLContext | None = None) -> AsyncIterator[ServerT]:
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()
