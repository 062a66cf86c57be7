"""An emulated desk with the REST API of Redmine, as far as a gateway uses it.

What it does like Redmine: times in seconds; pages of at most 100; a PUT answers 204 without a body
and leaves out what it doesn't know or doesn't allow; filters on unknown or unsearchable fields are
left out; notes are journals, which only a single issue shows; no ETag, no lock_version.
Source: app/controllers/issues_controller.rb, app/views/issues/*.api.rsb, app/models/issue.rb of
Redmine 6; the wiki pages Rest_api and Rest_Issues.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from aiohttp import web

from dragoman.testing.rest.server import EmulatedRestDesk, Json, answer

STATUSES = {
    1: ("New", False),
    2: ("In Progress", False),
    3: ("Resolved", False),
    5: ("Closed", True),
    6: ("Rejected", True),
}
PRIORITIES = {1: "Low", 2: "Normal", 3: "High", 4: "Urgent"}
MOVES = {1: {2, 3, 5, 6}, 2: {1, 3, 5, 6}, 3: {2, 5}, 5: {2}, 6: {2}}
"""The statuses that the workflow allows from each."""

CATEGORIES = {1: "Hall 1", 2: "Server Room"}
FIELDS = {7: "Gateway key", 8: "Robot"}
USERS = {4: "Gateway", 5: "Pat"}
GATEWAY, PAT = 4, 5
_DEFAULT_LIMIT, _MOST = 25, 100
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


class EmulatedRedmine(EmulatedRestDesk):
    """`issues` is what it knows. searchable: custom fields that are set up as filters."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(now)
        self.issues: dict[int, Json] = {}
        self.api_key = secrets.token_hex(20)
        self.person_key = secrets.token_hex(20)
        self.searchable = {7}

    def routes(self) -> list[web.RouteDef]:
        """As config/routes.rb of Redmine."""
        return [
            web.get("/issues.json", self._index),
            web.post("/issues.json", self._create),
            web.get("/issues/{id}.json", self._show),
            web.put("/issues/{id}.json", self._update),
        ]

    def refusal(self, request: web.Request) -> web.Response | None:
        """The key stands in a header or in the query."""
        return None if self._author(request) else web.Response(status=401)

    def _author(self, request: web.Request) -> int:
        """Whose key it is: the gateway's, or Pat's, for people who try by hand; 0: nobody's."""
        key = request.headers.get("X-Redmine-API-Key") or request.query.get("key")
        return {self.api_key: GATEWAY, self.person_key: PAT}.get(key or "", 0)

    def open(self, subject: str, **more: Any) -> int:
        """A person opens an issue; returns its number."""
        return self._new({"subject": subject, **more}, PAT)

    def edit(self, number: int, *, author: int = PAT, **changes: Any) -> None:
        """Somebody changes an issue, or says something (notes)."""
        self._apply(self.issues[number], changes, author)

    def value(self, number: int, field: int) -> str:
        """A custom field of an issue."""
        return str(self.issues[number]["custom"].get(field, ""))

    def _new(self, values: Json, author: int) -> int:
        number = max(self.issues, default=0) + 1
        stamp = self.now().astimezone(UTC).strftime(_STAMP)
        issue: Json = {"id": number, "subject": "", "description": "", "status_id": 1}
        issue |= {
            "priority_id": 2,
            "category_id": 0,
            "custom": {},
            "journals": [],
            "author": author,
        }
        issue |= {"created_on": stamp, "updated_on": stamp}
        self.issues[number] = issue
        self._set(issue, values)
        return number

    def _set(self, issue: Json, values: Json) -> bool:
        """Take the attributes that are known and allowed; whether any changed."""
        before = {**issue, "custom": dict(issue["custom"])}
        for name in ("subject", "description"):
            if name in values:
                issue[name] = str(values[name])
        status = values.get("status_id")
        if str(status).isdecimal() and int(str(status)) in MOVES[issue["status_id"]]:
            issue["status_id"] = int(str(status))
        priority = values.get("priority_id")
        if str(priority).isdecimal() and int(str(priority)) in PRIORITIES:
            issue["priority_id"] = int(str(priority))
        category = values.get("category_id")
        if str(category).isdecimal() and int(str(category)) in CATEGORIES:
            issue["category_id"] = int(str(category))
        listed = values.get("custom_fields", [])
        custom = {str(one.get("id")): one.get("value") for one in listed}
        for name, value in {**custom, **values.get("custom_field_values", {})}.items():
            if name.isdecimal() and int(name) in FIELDS:
                issue["custom"][int(name)] = str(value)
        return before != issue

    def _apply(self, issue: Json, values: Json, author: int) -> None:
        changed = self._set(issue, values)
        notes = str(values.get("notes") or "")
        if not (changed or notes):
            return
        stamp = self.now().astimezone(UTC).strftime(_STAMP)
        issue["updated_on"] = stamp
        issue["journals"].append(
            {
                "id": sum(len(one["journals"]) for one in self.issues.values()) + 1,
                "user": {"id": author, "name": USERS[author]},
                "notes": notes,
                "created_on": stamp,
                "private_notes": values.get("private_notes") in (True, "true", "1"),
                "details": [],
            }
        )

    async def _index(self, request: web.Request) -> web.Response:
        query = request.query
        chosen = [one for one in self.issues.values() if _fits(one, query, self.searchable)]
        since = query.get("updated_on", "")
        if since:
            try:
                least = datetime.fromisoformat(since.removeprefix(">=")).astimezone(UTC)
            except ValueError:
                return answer({"errors": ["Updated is invalid"]}, 422)
            chosen = [one for one in chosen if one["updated_on"] >= least.strftime(_STAMP)]
        chosen.sort(key=lambda one: one["id"], reverse=True)
        for name in reversed(query.get("sort", "").split(",")):
            key, _, way = name.partition(":")
            if key in ("id", "updated_on"):
                chosen.sort(key=itemgetter(key), reverse=way == "desc")
        limit = min(int(query.get("limit", _DEFAULT_LIMIT)), _MOST)
        offset = int(query.get("offset", 0))
        shown = [_shown(one) for one in chosen[offset : offset + limit]]
        body = {"issues": shown, "total_count": len(chosen), "offset": offset, "limit": limit}
        return answer(body)

    async def _show(self, request: web.Request) -> web.Response:
        issue = self._found(request)
        if issue is None:
            return web.Response(status=404)
        journals = "journals" in request.query.get("include", "")
        return answer({"issue": _shown(issue, journals=journals)})

    async def _update(self, request: web.Request) -> web.Response:
        issue = self._found(request)
        if issue is None:
            return web.Response(status=404)
        values = (await request.json()).get("issue", {})
        if "subject" in values and not str(values["subject"]).strip():
            return answer({"errors": ["Subject cannot be blank"]}, 422)
        self._apply(issue, values, self._author(request))
        return web.Response(status=204)

    async def _create(self, request: web.Request) -> web.Response:
        values = (await request.json()).get("issue", {})
        if not str(values.get("subject") or "").strip():
            return answer({"errors": ["Subject cannot be blank"]}, 422)
        number = self._new(values, self._author(request))
        shown = {"issue": _shown(self.issues[number])}
        return answer(shown, 201, Location=f"{self.url}/issues/{number}")

    def _found(self, request: web.Request) -> Json | None:
        number = request.match_info["id"]
        return self.issues.get(int(number)) if number.isdecimal() else None


def _shown(issue: Json, *, journals: bool = False) -> Json:
    """An issue as the API shows it; journals only where a single one is asked for."""
    status, priority = issue["status_id"], issue["priority_id"]
    name, closed = STATUSES[status]
    shown = {
        "id": issue["id"],
        "project": {"id": 1, "name": "Robots"},
        "tracker": {"id": 3, "name": "Task"},
        "status": {"id": status, "name": name, "is_closed": closed},
        "priority": {"id": priority, "name": PRIORITIES[priority]},
        "author": {"id": issue["author"], "name": USERS[issue["author"]]},
        "subject": issue["subject"],
        "description": issue["description"],
        "custom_fields": [
            {"id": number, "name": title, "value": issue["custom"].get(number, "")}
            for number, title in FIELDS.items()
        ],
        "created_on": issue["created_on"],
        "updated_on": issue["updated_on"],
    }
    if category := issue["category_id"]:
        shown["category"] = {"id": category, "name": CATEGORIES[category]}
    return shown | ({"journals": issue["journals"]} if journals else {})


def _fits(issue: Json, query: Any, searchable: set[int]) -> bool:
    """Open issues only, unless status_id says otherwise."""
    asked = query.get("status_id", "open")
    closed = STATUSES[issue["status_id"]][1]
    if asked != "*" and closed != (asked == "closed"):
        return False
    wanted = {n: query.get(f"cf_{n}") for n in searchable if f"cf_{n}" in query}
    return all(issue["custom"].get(number, "") == text for number, text in wanted.items())
