"""A small ticket system over real HTTP, for the tests: replace it by what your desk answers.

`GET /tickets?since&after&limit` lists by (time of update, id), `?key=` finds one by our key. PATCH
takes `{"fields", "comments"}` with If-Match, and ignores fields that it doesn't know.
"""

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from dragoman.testing.rest.server import EmulatedRestDesk, answer

FIELDS = ("title", "state", "kind", "location", "priority")
ACCOUNT = "gateway"


class FakeExample(EmulatedRestDesk):
    """An asynchronous context manager; see the base class for faults and the clock."""

    token = "a-token-of-the-test"  # noqa: S105 - of a server that lives for one test

    tickets: dict[str, dict[str, Any]]
    comments: dict[str, list[dict[str, Any]]]

    def routes(self) -> list[web.RouteDef]:
        """What the desk answers."""
        self.tickets, self.comments = {}, {}
        return [
            web.get("/tickets", self._list),
            web.post("/tickets", self._create),
            web.get("/tickets/{id}", self._read),
            web.patch("/tickets/{id}", self._update),
            web.get("/tickets/{id}/comments", self._comments),
        ]

    def refusal(self, request: web.Request) -> web.Response | None:
        """401 without the token."""
        if request.headers.get("Authorization") == f"Bearer {self.token}":
            return None
        return answer({"error": "who are you?"}, 401)

    def open(self, title: str, author: str = "pat", key: str = "") -> str:
        """A person opens a ticket; returns its id."""
        number = str(len(self.tickets) + 1)
        self.tickets[number] = {"id": number, "version": 0, "key": key, "state": "new"}
        self.comments[number] = []
        self.change(number, author, title=title, kind="inspect", location="", priority="3")
        return number

    def change(self, number: str, author: str, **fields: str) -> None:
        """Somebody changes a ticket."""
        ticket = self.tickets[number]
        ticket.update(fields)
        ticket.setdefault("created_at", self._now())
        ticket |= {"version": ticket["version"] + 1, "updated_at": self._now()}
        ticket["updated_by"] = author

    def spoil(self, number: str) -> None:
        """Make a ticket that no gateway can take in."""
        self.tickets[number]["version"] = None

    def _now(self) -> str:
        return self.now().astimezone(UTC).isoformat(timespec="seconds")

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        since = datetime.fromisoformat(query.get("since", "1970-01-01T00:00:00+00:00"))
        place = (since, int(query.get("after") or -1))
        found = [
            one
            for one in sorted(self.tickets.values(), key=_place)
            if _place(one) > place and query.get("key") in (None, one["key"])
        ]
        return answer({"items": found[: int(query.get("limit", "100"))]})

    async def _read(self, request: web.Request) -> web.Response:
        return answer(self._found(request))

    async def _comments(self, request: web.Request) -> web.Response:
        return answer({"items": self.comments[self._found(request)["id"]]})

    async def _create(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        number = self.open("", ACCOUNT, key=str(body.get("key", "")))
        self._apply(number, body)
        return answer(self.tickets[number], 201)

    async def _update(self, request: web.Request) -> web.Response:
        ticket = self._found(request)
        if request.headers.get("If-Match", str(ticket["version"])) != str(ticket["version"]):
            return answer({"error": "the ticket has changed"}, 412)
        self._apply(ticket["id"], json.loads(await request.read()))
        return answer(ticket)

    def _apply(self, number: str, body: dict[str, Any]) -> None:
        known = {name: text for name, text in body["fields"].items() if name in FIELDS}
        self.change(number, ACCOUNT, **known)
        self.comments[number] += body["comments"]

    def _found(self, request: web.Request) -> dict[str, Any]:
        ticket = self.tickets.get(request.match_info["id"])
        if ticket is None:
            raise web.HTTPNotFound
        return ticket


def _place(ticket: dict[str, Any]) -> tuple[datetime, int]:
    return datetime.fromisoformat(ticket["updated_at"]), int(ticket["id"])
