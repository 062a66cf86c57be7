"""An emulated desk with the REST API of django-helpdesk, as far as a gateway uses it.

What it does like django-helpdesk: no time of an update and no filter by one; pages with a `next`
address, and 404 after the last; the followups of a ticket stand in the ticket; unknown fields are
left out, unknown filter values too; addresses end with a slash, else 301.
Source: helpdesk/views/api.py, helpdesk/serializers.py and docs/api.rst of django-helpdesk; the
answers of Django REST framework.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from dragoman.testing.rest.server import EmulatedRestDesk, Json, answer

OPEN, REOPENED, RESOLVED, CLOSED, DUPLICATE = 1, 2, 3, 4, 5
GATEWAY, PAT = 2, 3
_WRITABLE = (
    *("title", "description", "resolution", "on_hold", "priority"),
    *("custom_gateway_key", "custom_location"),
)


class EmulatedHelpdesk(EmulatedRestDesk):
    """`tickets` is what it knows. It has the account `gateway` and one queue, 1."""

    prefix = "/helpdesk/api"

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(now)
        self.tickets: dict[int, Json] = {}
        self.password = secrets.token_urlsafe(12)
        self.person_password = secrets.token_urlsafe(12)

    def routes(self) -> list[web.RouteDef]:
        """As the router of Django REST framework makes them."""
        tickets = f"{self.prefix}/tickets"
        return [
            web.get(f"{tickets}/", self._index),
            web.post(f"{tickets}/", self._create),
            web.get(f"{tickets}/{{id}}/", self._show),
            web.patch(f"{tickets}/{{id}}/", self._update),
            web.post(f"{self.prefix}/followups/", self._follow_up),
            web.get(f"{tickets}/{{id}}", self._slash),
        ]

    def refusal(self, request: web.Request) -> web.Response | None:
        """Basic authentication."""
        if self._user(request):
            return None
        return answer({"detail": "Invalid username/password."}, 401)

    def _user(self, request: web.Request) -> int:
        """Who asks: the gateway, or Pat, for people who try by hand; 0: nobody known."""
        pairs = {f"gateway:{self.password}": GATEWAY, f"pat:{self.person_password}": PAT}
        users = {f"Basic {base64.b64encode(k.encode()).decode()}": v for k, v in pairs.items()}
        return users.get(request.headers.get("Authorization", ""), 0)

    def open(self, title: str, **more: Any) -> int:
        """A person opens a ticket; returns its number."""
        number = max(self.tickets, default=0) + 1
        self.tickets[number] = {
            "id": number,
            "queue": 1,
            "title": title,
            "description": "",
            "resolution": None,
            "submitter_email": "pat@example.com",
            "assigned_to": None,
            "status": OPEN,
            "on_hold": False,
            "priority": 3,
            "due_date": None,
            "merged_to": None,
            "custom_gateway_key": None,
            "custom_location": None,
            "followup_set": [],
            **more,
        }
        return number

    def follow_up(self, number: int, user: int, comment: str, **more: Any) -> Json:
        """Somebody says something, and may set a new status."""
        ticket = self.tickets[number]
        made = {
            "id": sum(len(one["followup_set"]) for one in self.tickets.values()) + 1,
            "ticket": number,
            "user": user,
            "title": "Comment",
            "comment": comment,
            "public": False,
            "new_status": None,
            "date": self.now().astimezone(UTC).isoformat().replace("+00:00", "Z"),
            **more,
        }
        ticket["followup_set"].append(made)
        ticket["status"] = made["new_status"] or ticket["status"]
        return made

    async def _index(self, request: web.Request) -> web.Response:
        query = request.query
        asked = {int(one) for one in query.get("status", "").split(",") if one in "12345" and one}
        chosen = [one for one in self.tickets.values() if not asked or one["status"] in asked]
        size, page = int(query.get("page_size", 25)), query.get("page", "1")
        pages = max(1, -(-len(chosen) // size))
        if not page.isdecimal() or not 1 <= int(page) <= pages:
            return answer({"detail": "Invalid page."}, 404)
        number = int(page)
        address = request.url.with_host("127.0.0.1")
        following = str(address.update_query(page=number + 1)) if number < pages else None
        results = chosen[(number - 1) * size : number * size]
        return answer({"count": len(chosen), "next": following, "results": results})

    async def _show(self, request: web.Request) -> web.Response:
        ticket = self._found(request)
        return _missing() if ticket is None else answer(ticket)

    async def _slash(self, request: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": f"{request.path}/"})

    async def _update(self, request: web.Request) -> web.Response:
        ticket = self._found(request)
        if ticket is None:
            return _missing()
        problems = self._set(ticket, await request.json())
        return answer(problems, 400) if problems else answer(ticket)

    async def _create(self, request: web.Request) -> web.Response:
        values = await request.json()
        missing = [one for one in ("queue", "title", "description") if not values.get(one)]
        if missing:
            return answer({one: ["This field is required."] for one in missing}, 400)
        number = self.open("")
        problems = self._set(self.tickets[number], values)
        if problems:
            del self.tickets[number]
            return answer(problems, 400)
        return answer(self.tickets[number], 201)

    def _set(self, ticket: Json, values: Json) -> Json:
        """Take what is known; returns problems by field, and then takes nothing."""
        status = str(values.get("status", ticket["status"]))
        if status not in ("1", "2", "3", "4", "5"):
            return {"status": [f'"{status}" is not a valid choice.']}
        if "title" in values and not str(values["title"]).strip():
            return {"title": ["This field may not be blank."]}
        ticket["status"] = int(status)
        ticket.update({name: values[name] for name in _WRITABLE if name in values})
        return {}

    async def _follow_up(self, request: web.Request) -> web.Response:
        values = await request.json()
        number = str(values.get("ticket"))
        if not number.isdecimal() or int(number) not in self.tickets:
            return answer({"ticket": [f'Invalid pk "{number}" - object does not exist.']}, 400)
        more = {name: values[name] for name in ("title", "public") if name in values}
        status = str(values.get("new_status") or "")
        if status not in ("", "1", "2", "3", "4", "5"):
            return answer({"new_status": [f'"{status}" is not a valid choice.']}, 400)
        if status:
            more["new_status"] = int(status)
        user = self._user(request)
        return answer(self.follow_up(int(number), user, str(values["comment"]), **more), 201)

    def _found(self, request: web.Request) -> Json | None:
        number = request.match_info["id"]
        return self.tickets.get(int(number)) if number.isdecimal() else None


def _missing() -> web.Response:
    return answer({"detail": "No Ticket matches the given query."}, 404)
