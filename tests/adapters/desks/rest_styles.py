"""A desk that speaks in any of the ways that REST desks do: paging, times, log-ins, conditions."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from aiohttp import web

from dragoman.desks.rest import PLUGIN
from dragoman.desks.rest.client import RestDesk
from dragoman.desks.rest.fields import merged
from dragoman.testing.rest.server import EmulatedRestDesk, Json, answer
from tests.adapters.desks.witnesses import ShiftingClock

PLAIN: Json = {
    "auth": {"type": "basic", "username": "gateway", "password": {"env": "STYLES_PASSWORD"}},
    "record": {"updated_at": "updated"},
    "requests": {
        "list": {"path": "/items", "query": {"since": "{since}"}, "items": "items"},
        "get": {"path": "/items/{id}"},
        "update": {"path": "/items/{id}"},
    },
}
PASSWORD = "pä:ss wörd"


class StylesDesk(EmulatedRestDesk):
    """`records` by id. Each attribute is one of its habits."""

    prefix = "/api/v1"

    def __init__(self, clock: ShiftingClock) -> None:
        super().__init__(clock.now)
        self.clock = clock
        self.records: dict[str, Json] = {}
        self.style = "page"
        self.most = 100
        self.tells_total = False
        self.ignores_filter = False
        self.newest_first = False
        self.read_since: Callable[[str], datetime] = datetime.fromisoformat
        self.write_time: Callable[[datetime], Any] = lambda at: at.isoformat()
        self.next_host = ""
        self.allow: Callable[[web.Request], bool] = is_basic
        self.log_ins = 0
        self.session = "s0"
        self.seen_headers: list[dict[str, str]] = []
        self.sent_bodies: list[Any] = []
        self.needs_version = False
        self.adapters: list[RestDesk] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/items", self._list),
            web.post("/api/v1/search", self._search),
            web.get("/api/v1/items/{id}", self._show),
            web.patch("/api/v1/items/{id}", self._patch),
            web.put("/api/v1/items/{id}", self._patch),
            web.post("/api/v1/items/{id}/close", self._close),
            web.post("/api/v1/login", self._log_in),
            web.post("/api/v1/token", self._token),
        ]

    def refusal(self, request: web.Request) -> web.Response | None:
        self.seen_headers.append(dict(request.headers))
        if request.path.endswith(("/login", "/token")) or self.allow(request):
            return None
        return answer({"message": "who are you?"}, 401)

    def open(self, name: str, *, ago_s: float = 0, **more: Any) -> str:
        number = str(len(self.records) + 1)
        at = self.now().astimezone(UTC).replace(microsecond=0) - timedelta(seconds=ago_s)
        self.records[number] = {
            "id": number,
            "name": name,
            "state": "new",
            "v": 1,
            "at": at,
            **more,
        }
        return number

    def edit(self, number: str, **changes: Any) -> None:
        record = self.records[number]
        record.update(changes)
        record["v"] += 1
        record["at"] = self.now().astimezone(UTC).replace(microsecond=0)

    def shown(self, record: Json) -> Json:
        told = {key: value for key, value in record.items() if key != "at"}
        return {"updated": self.write_time(record["at"]), **told}

    async def _list(self, request: web.Request) -> web.Response:
        return self._page(dict(request.query), request)

    async def _search(self, request: web.Request) -> web.Response:
        body = {key: str(value) for key, value in (await request.json()).items()}
        return self._page(body, request)

    def _page(self, asked: dict[str, str], request: web.Request) -> web.Response:
        chosen = sorted(self.records.values(), key=lambda one: (one["at"], int(one["id"])))
        if "since" in asked and not self.ignores_filter:
            since = self.read_since(asked["since"])
            chosen = [one for one in chosen if one["at"] >= since]
        if "behind" in asked:
            chosen = [one for one in self.records.values() if int(one["id"]) > int(asked["behind"])]
        if self.newest_first:
            chosen.reverse()
        size = min(int(asked.get("size", 10)), self.most)
        at = int(asked.get("at", 0)) if asked.get("at", "0").isdecimal() else 0
        start = (max(at, 1) - 1) * size if self.style == "page" else at
        items = [self.shown(one) for one in chosen[start : start + size]]
        body: Json = {"items": items} | ({"total": len(chosen)} if self.tells_total else {})
        following = at + 1 if self.style == "page" else start + size
        headers: dict[str, str] = {}
        if start + size < len(chosen):
            host = self.next_host or self.url.removesuffix(self.prefix)
            query = "&".join(f"{k}={v}" for k, v in asked.items() if k != "at")
            address = f"{host}{self.prefix}/items?{query}&at={following}"
            if self.style == "link":
                headers["Link"] = f'<{address}&x=a,b>; rel="next", <{address}>; rel="last"'
            body["next"] = address if self.style == "next" else following
        elif self.style == "cursor":
            body["next"] = None
        return answer(body, 200, **headers)

    async def _show(self, request: web.Request) -> web.Response:
        record = self.records.get(request.match_info["id"])
        if record is None:
            return answer({"message": "no such item"}, 404)
        return answer(self.shown(record), ETag=f'"{record["v"]}"')

    async def _patch(self, request: web.Request) -> web.Response:
        record = self.records.get(request.match_info["id"])
        if record is None:
            return answer({"message": "no such item"}, 404)
        if request.content_type == "application/x-www-form-urlencoded":
            body: Json = dict(parse_qsl(await request.text()))
        else:
            body = await request.json()
        self.sent_bodies.append(body)
        wanted = body.pop("v", None)
        if self.needs_version and str(wanted) != str(record["v"]):
            return answer({"message": "it changed meanwhile"}, 409)
        match = request.headers.get("If-Match")
        if match is not None and match != f'"{record["v"]}"':
            return answer({"message": "precondition failed"}, 412)
        self.edit(record["id"], **{key: body[key] for key in body if key in record})
        return web.Response(status=204)

    async def _close(self, request: web.Request) -> web.Response:
        record = self.records[request.match_info["id"]]
        self.sent_bodies.append(await request.json())
        self.edit(record["id"], state="closed")
        return answer({})

    async def _log_in(self, request: web.Request) -> web.Response:
        text = await request.text()
        form = request.content_type.endswith("form-urlencoded")
        body = dict(parse_qsl(text)) if form else await request.json()
        if body.get("pass") != PASSWORD:
            return answer({"message": "no"}, 403)
        self.log_ins += 1
        self.session = f"s{self.log_ins}"
        told = answer({"data": {"token": self.session}})
        told.headers["X-Subject-Token"] = self.session
        told.set_cookie("csrftoken", f"c{self.log_ins}")
        told.set_cookie("sessionid", self.session, httponly=True)
        return told

    async def _token(self, request: web.Request) -> web.Response:
        body = dict(parse_qsl(await request.text()))
        if body.get("scope") != "items" or body.get("client_secret") != PASSWORD:
            return answer({"error": "invalid_scope"}, 400)
        self.log_ins += 1
        self.session = f"t{self.log_ins}"
        return answer({"access_token": self.session, "expires_in": 3600})


def is_basic(request: web.Request) -> bool:
    pair = base64.b64encode(f"gateway:{PASSWORD}".encode()).decode()
    return request.headers.get("Authorization") == f"Basic {pair}"


def at_zone(zone: str, pattern: str) -> Callable[[datetime], str]:
    """Writes times as a desk in a zone does."""
    return lambda at: at.astimezone(ZoneInfo(zone)).strftime(pattern)


def connected(desk: StylesDesk, **changes: Any) -> RestDesk:
    """An adapter with the plain settings and changes put over them."""
    below = {**PLAIN, "url": desk.url}
    whole = merged({key: one for key, one in below.items() if key != "auth"}, changes)
    whole = {"auth": PLAIN["auth"], **whole}
    settings = PLUGIN.settings.model_validate(whole)
    made = PLUGIN.connect("styles", settings, desk.clock)
    assert isinstance(made, RestDesk)
    desk.adapters.append(made)
    return made
