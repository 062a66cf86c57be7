"""The emulated Jira's addresses: /rest/api/2, 3 and latest, and the webhooks' administration.

Called by `server` with requests whose account is known. Source: Jira Cloud REST API, versions 2
and 3 (issues, comments, transitions, changelog, properties, fields, users), and "Webhooks".
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from dragoman.testing.jira.edits import Edits, allow
from dragoman.testing.jira.render import View, named_json, status_json, user_json
from dragoman.testing.jira.schema import ISSUE_TYPES, PRIORITIES, RESOLUTIONS, STATUSES, User
from dragoman.testing.jira.search import Search, asked_by_get, asked_by_post
from dragoman.testing.jira.store import Issue, Store
from dragoman.testing.jira.webhooks import EVENTS, Webhooks
from dragoman.testing.jira.wire import NO_ISSUE, Refused, answer, body_of, number

USER = web.RequestKey("user", User)
"""Whose request it is."""

_API = r"/rest/api/{version:2|3|latest}"
_MOST_FETCHED = 100


class Call:
    """One request: who asks, in which version."""

    def __init__(self, request: web.Request, store: Store) -> None:
        self.request = request
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

    def page(self, default: int) -> tuple[int, int]:
        """(startAt, maxResults)."""
        query = self.request.query
        start, size = number(query.get("startAt", ""), 0), query.get("maxResults", "")
        return start, min(number(size, default), 100)


class Routes:
    """The handlers, by address."""

    def __init__(self, store: Store, webhooks: Webhooks) -> None:
        self._store = store
        self._search = Search(store)
        self._issues = IssueRoutes(store)
        self._webhooks = webhooks

    def table(self) -> list[web.RouteDef]:
        """All routes of the site."""
        hooks = "/rest/webhooks/1.0/webhook"
        return [
            web.get(f"{_API}/serverInfo", self._server_info),
            web.get(f"{_API}/myself", self._myself),
            web.get(f"{_API}/field", self._fields),
            web.get(f"{_API}/status", self._statuses),
            web.get(f"{_API}/priority", self._named),
            web.get(f"{_API}/resolution", self._named),
            web.get(f"{_API}/issuetype", self._named),
            web.get(f"{_API}/project/{{key}}", self._project),
            web.get(f"{_API}/search/jql", self._search_get),
            web.post(f"{_API}/search/jql", self._search_post),
            web.post(f"{_API}/search/approximate-count", self._count),
            web.get(f"{_API}/search", self._gone),
            web.post(f"{_API}/search", self._gone),
            *self._issues.table(),
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


class IssueRoutes:
    """The handlers below /issue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> list[web.RouteDef]:
        """Their routes."""
        issue = f"{_API}/issue/{{issue}}"
        return [
            web.post(f"{_API}/issue", self._create),
            web.post(f"{_API}/issue/bulkfetch", self._bulk),
            web.get(f"{_API}/issue/createmeta/{{project}}/issuetypes", self._types),
            web.get(
                f"{_API}/issue/createmeta/{{project}}/issuetypes/{{type}}", self._create_screen
            ),
            web.get(issue, self._read),
            web.put(issue, self._edit),
            web.delete(issue, self._delete),
            web.get(f"{issue}/editmeta", self._edit_screen),
            web.get(f"{issue}/transitions", self._transitions),
            web.post(f"{issue}/transitions", self._transition),
            web.get(f"{issue}/changelog", self._changelog),
            web.get(f"{issue}/comment", self._comments),
            web.post(f"{issue}/comment", self._comment),
            web.get(f"{issue}/comment/{{comment}}", self._one_comment),
            web.get(f"{issue}/properties", self._property_keys),
            web.route("*", f"{issue}/properties/{{key}}", self._property),
        ]

    def _found(self, call: Call) -> Issue:
        if "browse" not in call.user.may:
            raise Refused(404, NO_ISSUE)
        return self._store.find(call.part("issue"))

    async def _create(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        issue = call.edits.create(await body_of(request), call.user)
        shown = call.view.issue(issue, ())
        return answer({name: shown[name] for name in ("id", "key", "self")}, 201)

    async def _bulk(self, request: web.Request) -> web.Response:
        call, body = Call(request, self._store), await body_of(request)
        asked = body.get("issueIdsOrKeys")
        if not isinstance(asked, list) or not asked:
            raise Refused(400, "issueIdsOrKeys must not be empty")
        if len(asked) > _MOST_FETCHED:
            raise Refused(400, f"At most {_MOST_FETCHED} issues can be fetched.")
        found: dict[int, Issue] = {}
        missing: list[str] = []
        for one in map(str, asked):
            try:
                issue = self._store.find(one)
                found[issue.id] = issue
            except Refused:
                missing.append(one)
        fields, expand = body.get("fields") or ["*navigable"], ",".join(body.get("expand") or ())
        rows = [call.view.issue(found[number], fields, expand) for number in sorted(found)]
        for row in rows if body.get("properties") else ():
            held = found[int(str(row["id"]))].properties
            row["properties"] = {key: held[key] for key in body["properties"] if key in held}
        errors = [{"id": one, "errorMessage": NO_ISSUE} for one in missing]
        return answer({"expand": "names", "issues": rows, "issueErrors": errors})

    async def _types(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        types = call.view.project()["issueTypes"]
        return answer({"startAt": 0, "maxResults": 50, "total": 3, "issueTypes": types})

    async def _create_screen(self, request: web.Request) -> web.Response:
        fields = list(Call(request, self._store).view.screen().values())
        return answer({"startAt": 0, "maxResults": 50, "total": len(fields), "fields": fields})

    async def _read(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        query = request.query
        fields = [one for text in query.getall("fields", []) for one in text.split(",")]
        return answer(call.view.issue(self._found(call), fields, query.get("expand", "")))

    async def _edit(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        call.edits.edit(self._found(call), await body_of(request), call.user)
        return answer(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        allow(call.user, "admin")
        self._store.delete(self._found(call), call.user)
        return answer(status=204)

    async def _edit_screen(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        self._found(call)
        return answer({"fields": call.view.screen() if "edit" in call.user.may else {}})

    async def _transitions(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        wanted = request.query.get("transitionId", "")
        offered = [
            call.view.transition(
                one, with_fields="transitions.fields" in request.query.get("expand", "")
            )
            for one in call.edits.offered(self._found(call), call.user)
            if wanted in ("", str(one.id))
        ]
        return answer({"expand": "transitions", "transitions": offered})

    async def _transition(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        call.edits.transition(self._found(call), await body_of(request), call.user)
        return answer(status=204)

    async def _changelog(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        histories = self._found(call).histories
        start, size = call.page(100)
        page = histories[start : start + size]
        return answer(
            {
                "startAt": start,
                "maxResults": size,
                "total": len(histories),
                "isLast": start + size >= len(histories),
                "values": [call.view.history(one) for one in page],
            }
        )

    async def _comments(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        issue = self._found(call)
        start, size = call.page(100)
        comments = issue.comments
        if request.query.get("orderBy", "").startswith("-"):
            comments = comments[::-1]
        expand = request.query.get("expand", "")
        page = [call.view.comment(issue, one, expand) for one in comments[start : start + size]]
        total = len(issue.comments)
        return answer({"startAt": start, "maxResults": size, "total": total, "comments": page})

    async def _comment(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        issue = self._found(call)
        comment = call.edits.comment(issue, await body_of(request), call.user)
        return answer(call.view.comment(issue, comment), 201)

    async def _one_comment(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        issue = self._found(call)
        for one in issue.comments:
            if str(one.id) == call.part("comment"):
                return answer(call.view.comment(issue, one, request.query.get("expand", "")))
        raise Refused(404, f"Can not find a comment for the id: {call.part('comment')}.")

    async def _property_keys(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        keys = self._found(call).properties
        base = f"{call.view.base}/issue/{call.part('issue')}/properties"
        return answer({"keys": [{"key": key, "self": f"{base}/{key}"} for key in keys]})

    async def _property(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        held, key = self._found(call).properties, call.part("key")
        match request.method:
            case "PUT":
                allow(call.user, "edit")
                known = key in held
                held[key] = await request.json()
                return answer(None, 200 if known else 201)
            case "GET" if key in held:
                return answer({"key": key, "value": held[key]})
            case "DELETE" if key in held:
                allow(call.user, "edit")
                del held[key]
                return answer(status=204)
        raise Refused(404, f"The property with key '{key}' does not exist.")


def _hook(number_: int, name: str, url: str) -> Mapping[str, Any]:
    return {"id": number_, "name": name, "url": url, "enabled": True, "self": f"webhook/{number_}"}
