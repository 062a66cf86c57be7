"""The emulated Jira's addresses below /issue: issues, their workflow, comments and properties.

Part of `routes`. Source: Jira Cloud REST API, versions 2 and 3.
"""

from aiohttp import web

from dragoman.testing.jira.call import API, Call
from dragoman.testing.jira.edits import allow
from dragoman.testing.jira.render import named_json, status_json
from dragoman.testing.jira.schema import ISSUE_TYPES, STATUSES
from dragoman.testing.jira.store import Issue, Store
from dragoman.testing.jira.wire import NO_ISSUE, Refused, answer, body_of

_ISSUE = f"{API}/issue/{{issue}}"
_MOST_FETCHED = 100


class IssueRoutes:
    """The handlers of issues and their workflow."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> list[web.RouteDef]:
        """Their routes."""
        return [
            web.post(f"{API}/issue", self._create),
            web.post(f"{API}/issue/bulkfetch", self._bulk),
            web.get(f"{API}/issue/createmeta/{{project}}/issuetypes", self._types),
            web.get(f"{API}/issue/createmeta/{{project}}/issuetypes/{{type}}", self._create_screen),
            web.get(f"{API}/project/{{project}}/statuses", self._statuses),
            web.get(_ISSUE, self._read),
            web.put(_ISSUE, self._edit),
            web.delete(_ISSUE, self._delete),
            web.get(f"{_ISSUE}/editmeta", self._edit_screen),
            web.get(f"{_ISSUE}/transitions", self._transitions),
            web.post(f"{_ISSUE}/transitions", self._transition),
            web.get(f"{_ISSUE}/changelog", self._changelog),
        ]

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

    async def _statuses(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        if call.part("project") not in (self._store.project, "10000"):
            raise Refused(404, f"No project could be found with key '{call.part('project')}'.")
        statuses = [status_json(name, call.view.base) for name in STATUSES]
        field = self._store.fields["issuetype"]
        types = [named_json(field, name, call.view.base) for name in ISSUE_TYPES]
        return answer([one | {"subtask": False, "statuses": statuses} for one in types])

    async def _read(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        query = request.query
        fields = [one for text in query.getall("fields", []) for one in text.split(",")]
        return answer(call.view.issue(call.issue(), fields, query.get("expand", "")))

    async def _edit(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        call.edits.edit(call.issue(), await body_of(request), call.user)
        return answer(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        allow(call.user, "admin")
        self._store.delete(call.issue(), call.user)
        return answer(status=204)

    async def _edit_screen(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        call.issue()
        return answer({"fields": call.view.screen() if "edit" in call.user.may else {}})

    async def _transitions(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        wanted = request.query.get("transitionId", "")
        offered = [
            call.view.transition(
                one, with_fields="transitions.fields" in request.query.get("expand", "")
            )
            for one in call.edits.offered(call.issue(), call.user)
            if wanted in ("", str(one.id))
        ]
        return answer({"expand": "transitions", "transitions": offered})

    async def _transition(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        call.edits.transition(call.issue(), await body_of(request), call.user)
        return answer(status=204)

    async def _changelog(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        histories = call.issue().histories
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


class TalkRoutes:
    """The handlers of an issue's comments and properties."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> list[web.RouteDef]:
        """Their routes."""
        return [
            web.get(f"{_ISSUE}/comment", self._comments),
            web.post(f"{_ISSUE}/comment", self._comment),
            web.get(f"{_ISSUE}/comment/{{comment}}", self._one_comment),
            web.get(f"{_ISSUE}/properties", self._property_keys),
            web.route("*", f"{_ISSUE}/properties/{{key}}", self._property),
        ]

    async def _comments(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        issue = call.issue()
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
        issue = call.issue()
        comment = call.edits.comment(issue, await body_of(request), call.user)
        return answer(call.view.comment(issue, comment), 201)

    async def _one_comment(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        issue = call.issue()
        for one in issue.comments:
            if str(one.id) == call.part("comment"):
                return answer(call.view.comment(issue, one, request.query.get("expand", "")))
        raise Refused(404, f"Can not find a comment for the id: {call.part('comment')}.")

    async def _property_keys(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        keys = call.issue().properties
        base = f"{call.view.base}/issue/{call.part('issue')}/properties"
        return answer({"keys": [{"key": key, "self": f"{base}/{key}"} for key in keys]})

    async def _property(self, request: web.Request) -> web.Response:
        call = Call(request, self._store)
        held, key = call.issue().properties, call.part("key")
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
