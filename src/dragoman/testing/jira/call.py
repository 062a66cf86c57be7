"""One request to the emulated Jira: who asks, in which version, about which issue.

Made by the handlers in `routes` and `issue_routes`.
"""

from aiohttp import web

from dragoman.testing.jira.edits import Edits
from dragoman.testing.jira.render import View
from dragoman.testing.jira.schema import User
from dragoman.testing.jira.store import Issue, Store
from dragoman.testing.jira.wire import NO_ISSUE, Refused, number

USER = web.RequestKey("user", User)
"""Whose request it is."""

API = r"/rest/api/{version:2|3|latest}"


class Call:
    """One request: who asks, in which version."""

    def __init__(self, request: web.Request, store: Store) -> None:
        self.request = request
        self._store = store
        self.user = request[USER]
        told = request.match_info.get("version", "2")
        version = 3 if told == "3" else 2
        self.edits = Edits(store, version)
        self.view = View(
            store=store,
            base=f"{request.scheme}://{request.host}/rest/api/{told}",
            version=version,
            reader=self.user,
        )

    def part(self, name: str) -> str:
        """A variable part of the address."""
        return self.request.match_info[name]

    def issue(self) -> Issue:
        """The issue of the address. Raises Refused (404)."""
        if "browse" not in self.user.may:
            raise Refused(404, NO_ISSUE)
        return self._store.find(self.part("issue"))

    def page(self, default: int) -> tuple[int, int]:
        """(startAt, maxResults)."""
        query = self.request.query
        start, size = number(query.get("startAt", ""), 0), query.get("maxResults", "")
        return start, min(number(size, default), 100)
