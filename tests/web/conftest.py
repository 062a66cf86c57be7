"""A gateway on a journal in memory, served over real HTTP, and a desk's signed calls."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dragoman import plugins
from dragoman.bootstrap import Shims, opened
from dragoman.config.load import load
from dragoman.domain.delivery import Delivery
from dragoman.domain.robot import Robot
from dragoman.ports.journal import Find
from dragoman.runtime.gateway import Gateway
from dragoman.security.signatures import sign_standard
from dragoman.testing.memory_journal import MemoryJournal
from dragoman.web.app import create_app
from dragoman.web.server import WebServer

SECRETS = ("whsec_bmV3ZXIgc2VjcmV0IG9mIHRoZSBkZXNr", "whsec_b2xkZXIgc2VjcmV0IG9mIHRoZSBkZXNr")
TOKENS = {"reader": "token-of-the-reader", "operator": "token-of-the-operator"}
CONFIG = """
[site]
name = "test"
[api]
listen = "127.0.0.1:0"
[[api.tokens]]
name = "reader"
token = { env = "TEST_READER" }
scopes = ["read"]
[[api.tokens]]
name = "operator"
token = { env = "TEST_OPERATOR" }
[broker]
url = "mqtt://127.0.0.1:9"
[desks.snow]
type = "servicenow"
url = "http://127.0.0.1:9"
auth = { type = "basic", username = "u", password = { env = "TEST_PASSWORD" } }
poll = { enabled = false }
[desks.snow.webhook]
secrets = [{ env = "TEST_SECRET_0" }, { env = "TEST_SECRET_1" }]
[desks.plain]
type = "rt"
url = "http://127.0.0.1:9"
auth = { type = "token", token = { env = "TEST_PASSWORD" } }
queue = "Robots"
poll = { enabled = false }
[desks.plain.webhook]
scheme = "hmac-sha256"
header = "X-Hub-Signature-256"
secrets = [{ env = "TEST_SECRET_0" }]
[desks.polled]
type = "servicenow"
url = "http://127.0.0.1:9"
auth = { type = "basic", username = "u", password = { env = "TEST_PASSWORD" } }
[fleets.hall]
type = "vda5050"
[missions.inspect]
actions = [{ type = "inspect" }]
[locations."Dock 1"]
node = "dock-1"
x = 4.0
y = 4.0
map = "map"
"""


@dataclass(slots=True)
class Call:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class Served:
    """A served gateway."""

    url: str
    gateway: Gateway
    journal: MemoryJournal
    client: aiohttp.ClientSession
    config_file: Path
    sent: int = field(default=0)

    async def call(self, method: str, path: str, *, token: str = "operator", **more: Any) -> Call:
        """A call of the API as the owner of a token; "" for none."""
        headers = dict(more.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {TOKENS.get(token, token)}"
        async with self.client.request(method, self.url + path, headers=headers, **more) as answer:
            text = await answer.text()
            is_json = "json" in answer.headers.get("content-type", "")
            body = json.loads(text) if is_json else text
            return Call(answer.status, dict(answer.headers), body)

    async def get(self, path: str, **more: Any) -> Call:
        """Read below /api/v1."""
        return await self.call("GET", f"/api/v1{path}", **more)

    async def post(self, path: str, body: object, **more: Any) -> Call:
        """Act below /api/v1."""
        return await self.call("POST", f"/api/v1{path}", json=body, **more)

    async def hook(
        self,
        body: bytes,
        *,
        desk: str = "snow",
        secret: str = SECRETS[0],
        delivery: str = "",
        age_s: float = 0.0,
    ) -> Call:
        """A webhook, signed."""
        self.sent += 1
        sent_at = datetime.now(UTC) - timedelta(seconds=age_s)
        headers = sign_standard(delivery or f"msg-{self.sent}", sent_at, body, secret)
        return await self.call(
            "POST", f"/hooks/{desk}", token="", data=io.BytesIO(body), headers=headers
        )

    async def dead(self, desk: str = "snow") -> list[Delivery]:
        """The dead letters of the way in."""
        where = {"target": f"intake:{desk}", "state": "dead"}
        return list((await self.journal.find(Delivery, Find(where=where))).rows)


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    environment = {
        "TEST_READER": TOKENS["reader"],
        "TEST_OPERATOR": TOKENS["operator"],
        "TEST_PASSWORD": "password",
        "TEST_SECRET_0": SECRETS[0],
        "TEST_SECRET_1": SECRETS[1],
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "dragoman.toml"
    file.write_text(CONFIG, encoding="utf-8")
    config = load(file, plugins, secrets=True)
    journal = MemoryJournal()
    async with AsyncExitStack() as stack:
        shims = Shims(journal=lambda _: journal)
        gateway = await stack.enter_async_context(opened(config, shims=shims))
        server = WebServer(config.api)
        url = server.bind()
        await server.start(create_app(gateway, config))
        stack.push_async_callback(server.stop)
        client = await stack.enter_async_context(aiohttp.ClientSession())
        yield Served(url, gateway, journal, client, file)
        await asyncio.sleep(0)


def record(number: int = 1, **more: object) -> dict[str, Any]:
    """An incident as the Table API shows it with display values."""
    values = {
        "sys_id": f"{number:032x}",
        "number": f"INC{number:07}",
        "state": "1",
        "active": "true",
        "category": "inspect",
        "short_description": "a noise",
        "priority": "3",
        "location": "Dock 1",
        "sys_mod_count": "0",
        "sys_updated_by": "robin",
        "sys_updated_on": "2026-03-01 12:00:00",
        "sys_created_on": "2026-03-01 12:00:00",
        "opened_at": "2026-03-01 12:00:00",
        **more,
    }
    return {name: {"value": value, "display_value": value} for name, value in values.items()}


def notice(number: int = 1, **more: object) -> bytes:
    """The body of a webhook that carries its record."""
    shown = record(number, **more)
    sys_id = shown["sys_id"]["value"]
    return json.dumps(
        {"event": "incident.created", "table": "incident", "sys_id": sys_id, "record": shown}
    ).encode()


def robot(number: int) -> Robot:
    """A robot that never reported."""
    return Robot(id=f"acme/r{number}", fleet="hall", manufacturer="acme", serial=f"r{number}")
