"""Answers the API's reads without a server, for the commands while no gateway runs.

Called by cli/offline.py with a gateway that is put together and not run. The answers come from the
API's own routes, so they are the same to the letter.
"""

from urllib.parse import unquote

from fastapi import FastAPI
from starlette.types import Message, Scope

from dragoman.config.model import Config
from dragoman.observe.metrics import Metrics
from dragoman.runtime.gateway import Gateway
from dragoman.web import cases, deliveries, problems, reports, robots
from dragoman.web.auth import Caller, Needs
from dragoman.web.state import Web

ROUTERS = (cases.router, robots.router, deliveries.router, reports.router)


async def answer(gateway: Gateway, config: Config, path: str) -> tuple[int, bytes]:
    """Status and body for a GET of a path with its query."""
    app = FastAPI(openapi_url=None)
    app.state.web = Web(gateway=gateway, config=config, metrics=Metrics())
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.dependency_overrides[Needs("read")] = _who_can_read_the_file
    return await _get(app, path)


async def _who_can_read_the_file() -> Caller:
    """The system has let them read the journal, so no token is asked for."""
    return Caller(name="local", scopes=frozenset({"read"}))


async def _get(app: FastAPI, path: str) -> tuple[int, bytes]:
    """One request in the server's place (ASGI 3, HTTP)."""
    plain, _, query = path.partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(plain),
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
    }
    status, body = 500, bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    await app(scope, receive, send)
    return status, bytes(body)
