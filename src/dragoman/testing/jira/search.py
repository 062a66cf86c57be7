"""Search in the emulated Jira: /search/jql in both methods, and the approximate count.

Called by `routes`. Source: Jira Cloud REST API, "Issue search": pages by nextPageToken, no total,
ids alone unless fields are named, queries without any condition refused, and up to fifty issues
that the search sees as they are (reconcileIssues).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from dragoman.testing.jira.jql import Query, parse
from dragoman.testing.jira.jql_match import Meaning
from dragoman.testing.jira.render import View
from dragoman.testing.jira.schema import User
from dragoman.testing.jira.store import Issue, Store
from dragoman.testing.jira.wire import Refused, answer, number

MOST, MOST_IDS, MOST_RECONCILED = 100, 5000, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a page ended: the sort key of its last issue."""

    jql: str
    after: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One search. fields: () means ids alone."""

    jql: str
    fields: Sequence[str] = ()
    size: int = 50
    token: str = ""
    reconcile: Sequence[int] = ()
    expand: str = ""
    properties: Sequence[str] = ()


class Search:
    """Answers searches; it keeps the tokens that it gave out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._places: dict[str, _Place] = {}

    def page(self, asked: Asked, user: User, view: View) -> web.Response:
        """One page. Raises Refused (400)."""
        query = self._bounded(asked.jql)
        meaning = Meaning(self._store, user)
        key = meaning.key(query)
        found = sorted(self._found(query, meaning, user, asked.reconcile), key=key)
        if asked.token:
            place = self._places.get(asked.token)
            if place is None or place.jql != asked.jql:
                raise Refused(400, "The provided next page token is invalid or expired.")
            found = [issue for issue in found if place.after < key(issue)]
        only_ids = not set(asked.fields) - {"id", "key"}
        size = max(1, min(asked.size, MOST_IDS if only_ids else MOST))
        page = found[:size]
        body: dict[str, object] = {"issues": [self._row(issue, asked, view) for issue in page]}
        if len(found) > size:
            token = f"Ch0jU3RyaW5n{len(self._places):x}"
            self._places[token] = _Place(jql=asked.jql, after=key(page[-1]))
            body["nextPageToken"] = token
        body["isLast"] = len(found) <= size
        return answer(body)

    def count(self, jql: str, user: User) -> int:
        """How many issues match. Raises Refused (400)."""
        query = self._bounded(jql)
        return len(self._found(query, Meaning(self._store, user), user, ()))

    def _bounded(self, jql: str) -> Query:
        query = parse(jql)
        if query.where is None:
            raise Refused(
                400,
                "Unbounded JQL queries are not allowed here. Please add a search restriction to "
                "your query.",
            )
        return query

    def _found(
        self, query: Query, meaning: Meaning, user: User, reconcile: Sequence[int]
    ) -> list[Issue]:
        test = meaning.test(query.where)
        if "browse" not in user.may:
            return []
        return [issue for issue in self._store.indexed(reconcile) if test(issue)]

    def _row(self, issue: Issue, asked: Asked, view: View) -> dict[str, object]:
        if not asked.fields:
            return {"id": str(issue.id)}
        row = view.issue(issue, asked.fields, asked.expand)
        if asked.properties:
            kept = {
                name: issue.properties[name]
                for name in asked.properties
                if name in issue.properties
            }
            row["properties"] = kept
        return row


def asked_by_post(body: Mapping[str, Any]) -> Asked:
    """A search as the body of a POST. Raises Refused (400)."""
    known = {
        *("jql", "fields", "maxResults", "nextPageToken", "reconcileIssues", "expand"),
        *("properties", "fieldsByKeys", "failFast"),
    }
    strange = sorted(set(body) - known)
    if strange or not isinstance(body.get("fields") or [], list):
        raise Refused(
            400, "Invalid request payload. Refer to the REST API documentation and try again."
        )
    return Asked(
        jql=str(body.get("jql") or ""),
        fields=[str(name) for name in body.get("fields") or ()],
        size=int(body.get("maxResults") or 50),
        token=str(body.get("nextPageToken") or ""),
        reconcile=_reconciled(body.get("reconcileIssues") or ()),
        expand=str(body.get("expand") or ""),
        properties=[str(name) for name in body.get("properties") or ()],
    )


def asked_by_get(query: Mapping[str, str], lists: Mapping[str, Sequence[str]]) -> Asked:
    """A search as the parameters of a GET. lists: those that may be repeated."""

    def many(name: str) -> list[str]:
        parts = [part for text in lists.get(name, ()) for part in text.split(",")]
        return [part.strip() for part in parts if part.strip()]

    return Asked(
        jql=query.get("jql", ""),
        fields=many("fields"),
        size=number(query.get("maxResults", ""), 50),
        token=query.get("nextPageToken", ""),
        reconcile=_reconciled(many("reconcileIssues")),
        expand=query.get("expand", ""),
        properties=many("properties"),
    )


def _reconciled(ids: Sequence[Any]) -> list[int]:
    if len(ids) > MOST_RECONCILED:
        raise Refused(400, f"At most {MOST_RECONCILED} issues can be reconciled.")
    return [int(one) for one in ids]
