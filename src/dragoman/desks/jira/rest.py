"""Jira's REST API version 3, as far as a gateway needs it. No policy, only the wire.

Used by all of this adapter's parts. A search knows changes late;
whole issues are always read directly, by id or key, which is never stale.
Source: Jira Cloud REST API version 3.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from dragoman.desks.jira.adf import document, plain
from dragoman.desks.jira.errors import BadQuery, Gone, json_of
from dragoman.desks.jira.fields import BASE, record_of
from dragoman.domain.errors import Permanent
from dragoman.ports.desk import DeskRecord
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import BodyTooLarge, NotJson

_API = "/rest/api/3"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of a search. token: of the next page, "" for none."""

    rows: Sequence[object]
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A way out of a status. fields: of its screen; required: those it can't do without."""

    id: str
    name: str
    target: str
    target_id: str
    fields: frozenset[str] = field(default_factory=frozenset)
    required: frozenset[str] = field(default_factory=frozenset)


class Rest:
    """The calls on one project. fields: those of whole issues; none means all."""

    def __init__(self, http: HttpClient, project: str, fields: Iterable[str]) -> None:
        self.http = http
        self.project = project
        chosen = tuple(fields)
        self._fields = tuple(dict.fromkeys((*BASE, *chosen))) if chosen else ("*all",)

    async def search(
        self,
        jql: str,
        fields: Sequence[str],
        size: int,
        token: str = "",
        fresh: Sequence[str] = (),
    ) -> Found:
        """A page of rows with a few fields. Raises BadQuery.

        fresh: ids of up to fifty issues that the search shall see as they are now.
        """
        body: dict[str, object] = {"jql": jql, "fields": list(fields), "maxResults": size}
        if token:
            body["nextPageToken"] = token
        if fresh:
            body["reconcileIssues"] = [int(one) for one in fresh]
        try:
            told = await self.json("POST", "/search/jql", "a search", json=body)
        except BodyTooLarge:
            raise
        except Permanent as error:
            raise BadQuery(
                error.text, field="jql", value=jql, mend="check project and jql"
            ) from error
        rows = told.get("issues") if isinstance(told, Mapping) else None
        if not isinstance(rows, list):
            raise NotJson("the answer to a search holds no list of issues")
        return Found(rows=rows, token=str(told.get("nextPageToken") or ""))

    async def whole(self, ids: Sequence[str], fields: Sequence[str] = ()) -> Sequence[object]:
        """Issues by id or key, as they are now; those that aren't there are left out."""
        told = await self.json(
            "POST",
            "/issue/bulkfetch",
            "a read of several issues",
            json={
                "issueIdsOrKeys": list(ids),
                "fields": list(fields or self._fields),
                "expand": [] if fields else ["changelog"],
            },
        )
        issues = told.get("issues") if isinstance(told, Mapping) else None
        if not isinstance(issues, list):
            raise NotJson("the answer to a read of several issues holds no list of them")
        return issues

    async def read(self, issue: str, also: Iterable[str] = ()) -> DeskRecord:
        """One issue. also: fields to ask for besides the chosen ones. Raises Gone."""
        fields = dict.fromkeys((*self._fields, *also))
        raw = await self._of_one(
            "GET",
            issue,
            "",
            "a read",
            params={"fields": ",".join(fields), "expand": "changelog"},
        )
        record = record_of(raw)
        if record.external_id != issue:
            raise Gone(f"issue {issue} is {record.external_id} now")
        return record

    async def create(self, fields: Mapping[str, object]) -> str:
        """Open an issue; returns its id."""
        told = await self.json("POST", "/issue", "a new issue", json={"fields": dict(fields)})
        found = told.get("id") if isinstance(told, Mapping) else None
        if not isinstance(found, str) or not found:
            raise NotJson("the answer doesn't tell the id of the new issue")
        return found

    async def edit(self, issue: str, fields: Mapping[str, object]) -> None:
        """Change fields of the edit screen."""
        await self._of_one("PUT", issue, "", "a change", json={"fields": dict(fields)})

    async def transitions(self, issue: str) -> Sequence[Transition]:
        """The transitions that our account may make now, with the fields of their screens."""
        told = await self._of_one(
            "GET", issue, "/transitions", "its transitions", params={"expand": "transitions.fields"}
        )
        listed = told.get("transitions") if isinstance(told, Mapping) else None
        return [_transition(one) for one in listed or () if isinstance(one, Mapping)]

    async def move(self, issue: str, transition: str, fields: Mapping[str, object]) -> None:
        """Make a transition, with the fields of its screen."""
        body = {"transition": {"id": transition}, "fields": dict(fields)}
        await self._of_one("POST", issue, "/transitions", "a transition", json=body)

    async def say(self, issue: str, text: str, *, internal: bool) -> None:
        """Add a comment, which customers of a service project see unless it is internal."""
        body: dict[str, object] = {"body": document(text)}
        if internal:
            body["properties"] = [{"key": "sd.public.comment", "value": {"internal": True}}]
        await self._of_one("POST", issue, "/comment", "a comment", json=body)

    async def texts(self, issue: str, start: int) -> Sequence[str]:
        """Texts of comments, newest first, a hundred from number `start` on."""
        told = await self._of_one(
            "GET",
            issue,
            "/comment",
            "its comments",
            params={"orderBy": "-created", "startAt": str(start), "maxResults": "100"},
        )
        listed = told.get("comments") if isinstance(told, Mapping) else None
        if not isinstance(listed, list):
            raise NotJson("the answer to a read of comments holds no list of them")
        return [plain(one.get("body")) for one in listed if isinstance(one, Mapping)]

    async def fields(self) -> Sequence[object]:
        """All fields of the site with their schemas."""
        told = await self.json("GET", "/field", "the list of fields")
        if not isinstance(told, list):
            raise NotJson("the list of fields isn't a list")
        return told

    async def edit_screen(self, issue: str) -> Mapping[str, Any]:
        """The fields that our account may edit on an issue: id → metadata."""
        told = await self._of_one("GET", issue, "/editmeta", "its edit screen")
        found = told.get("fields") if isinstance(told, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    async def json(self, method: str, path: str, doing: str, **more: Any) -> Any:
        """A call on none in particular; path: below the API's version."""
        answer: HttpAnswer = await self.http.request(method, f"{_API}{path}", **more)
        return json_of(answer, self.http, doing, one_issue=False)

    async def _of_one(self, method: str, issue: str, path: str, doing: str, **more: Any) -> Any:
        """A call on one issue, by its id. Raises Gone for what can't be one."""
        if not issue.isascii() or not issue.isdecimal() or len(issue) > 18:
            raise Gone("no id of an issue", field="external_id", value=issue)
        address = f"{_API}/issue/{quote(issue, safe='')}{path}"
        answer: HttpAnswer = await self.http.request(method, address, **more)
        return json_of(answer, self.http, f"{doing} of issue {issue}", one_issue=True)


def _transition(raw: Mapping[str, Any]) -> Transition:
    target = raw.get("to")
    to: Mapping[str, Any] = target if isinstance(target, Mapping) else {}
    screen = raw.get("fields")
    fields: Mapping[str, Any] = screen if isinstance(screen, Mapping) else {}
    return Transition(
        id=str(raw.get("id", "")),
        name=str(raw.get("name", "")),
        target=str(to.get("name", "")),
        target_id=str(to.get("id", "")),
        fields=frozenset(fields),
        required=frozenset(
            name
            for name, meta in fields.items()
            if isinstance(meta, Mapping)
            and meta.get("required")
            and not meta.get("hasDefaultValue")
        ),
    )


def quoted(text: str) -> str:
    """A text as JQL takes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def second(moment: datetime) -> datetime:
    """The whole second before: the index may know seconds only."""
    return moment.replace(microsecond=0)


def millis(moment: datetime) -> int:
    """A time as JQL compares it exactly, whatever the zone of the account."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
