"""The emulated Jira's addresses: /rest/api/2, 3 and latest, and the webhooks' administration.

Called by `server` with requests whose account is known. Source: Jira Cloud REST API, versions 2
and 3 (issues, comments, transitions, changelog, properties, fields, project statuses, users), and
"Webhooks".
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from dragoman.testing.jira.call import API, Call
from dragoman.testing.jira.edits import allow
from dragoman.testing.jira.issue_routes import IssueRoutes, TalkRoutes
from dragoman.testing.jira.render import named_json, status_json, user_json
from dragoman.testing.jira.schema import ISSUE_TYPES, PRIORITIES, RESOLUTIONS, STATUSES
from dragoman.testing.jira.search import Search, asked_by_get, asked_by_post
from dragoman.testing.jira.store import Store
from dragoman.testing.jira.webhooks import EVENTS, Webhooks
from dragoman.testing.jira.wire import Refused, answer, body_of


class Routes:
    """The handlers, by address."""

    def __init__(self, store: Store, webhooks: Webhooks) -> None:
        self._store = store
        self._search = Search(store)
        self._below = [*IssueRoutes(store).table(), *TalkRoutes(store).table()]
        self._webhooks = webhooks

    def table(self) -> list[web.RouteDef]:
        """All routes of the site."""
        hooks = "/rest/webhooks/1.0/webhook"
        return [
            web.get(f"{API}/serverInfo", self._server_info),
            web.get(f"{API}/myself", self._myself),
            web.get(f"{API}/field", self._fields),
            web.get(f"{API}/status", self._statuses),
            web.get(f"{API}/priority", self._named),
            web.get(f"{API}/resolution", self._named),
            web.get(f"{API}/issuetype", self._named),
            web.get(f"{API}/project/{{key}}", self._project),
            web.get(f"{API}/search/jql", self._search_get),
            web.post(f"{API}/search/jql", self._search_post),
            web.post(f"{API}/search/approximate-count", self._count),
            web.get(f"{API}/search", self._gone),
            web.post(f"{API}/search", self._gone),
            *self._below,
            web.get(hooks, self._hooks),
            web.post(hooks, self._hook_added),
            web.delete(f"{hooks}/{{id}}", self._hook_removed),
        ]

    async def _server_info(self, request: web.Request) -> web.Response:
        return answer(
            {
                "baseUrl": f"{request.scheme}://{request.host}",
                "version": "1001.0.0-SNAPSHOT",
                "versionNumbers": [1001, 0, 0],
                "deploymentType": "Cloud",
                "serverTitle": "Jira",
                "serverTime": Call(request, self._store).view.time(self._store.now()),
            }
        )

    async def _myself(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        if not call.user.account_id:
            raise Refused(401, "Client must be authenticated to access this resource.")
        return answer(user_json(call.user, call.view.base) | {"emailAddress": call.user.email})

    async def _fields(self, request: web.Request) -> web.Response:
        view = Call(request, self._store).view
        return answer([view.field(one) for one in self._store.fields.values()])

    async def _statuses(self, request: web.Request) -> web.Response:
        view = Call(request, self._store).view
        return answer([status_json(name, view.base) for name in STATUSES])

    async def _named(self, request: web.Request) -> web.Response:
        kind = request.path.rpartition("/")[2]
        names = {"priority": PRIORITIES, "resolution": RESOLUTIONS, "issuetype": ISSUE_TYPES}[kind]
        view = Call(request, self._store).view
        return answer([named_json(self._store.fields[kind], name, view.base) for name in names])

    async def _project(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        if call.part("key") not in (self._store.project, "10000") or "browse" not in call.user.may:
            raise Refused(404, f"No project could be found with key '{call.part('key')}'.")
        return answer(call.view.project())

    async def _search_get(self, request: web.Request) -> web.Response:
        query = request.query
        lists = {
            name: query.getall(name, []) for name in ("fields", "reconcileIssues", "properties")
        }
        call = Call(request, self._store)
        return self._search.page(asked_by_get(query, lists), call.user, call.view)

    async def _search_post(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        return self._search.page(asked_by_post(await body_of(request)), call.user, call.view)

    async def _count(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        user = Call(request, self._store).user
        return answer({"count": self._search.count(str(body.get("jql") or ""), user)})

    async def _gone(self, _request: web.Request) -> web.Response:
        raise Refused(
            410,
            "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.",
        )

    async def _hooks(self, request: web.Request) -> web.Response:
        allow(Call(request, self._store).user, "admin")
        return answer(
            [_hook(one.id, one.name, one.url) for one in self._webhooks.registered.values()]
        )

    async def _hook_added(self, request: web.Request) -> web.Response:
        allow(Call(request, self._store).user, "admin")
        body = await body_of(request)
        filters = body.get("filters") or {}
        added = self._webhooks.register(
            str(body.get("url")),
            secret=str(body.get("secret") or ""),
            events=tuple(body.get("events") or EVENTS),
            jql=str(filters.get("issue-related-events-section", "")),
            name=str(body.get("name") or ""),
        )
        return answer(_hook(added.id, added.name, added.url), 201)

    async def _hook_removed(self, request: web.Request) -> web.Response:
        allow(Call(request, self._store).user, "admin")
        if self._webhooks.registered.pop(int(request.match_info["id"]), None) is None:
            raise Refused(404, "The webhook does not exist.")
        return answer(status=204)


def _hook(number: int, name: str, url: str) -> Mapping[str, Any]:
    return {"id": number, "name": name, "url": url, "enabled": True, "self": f"webhook/{number}"}
