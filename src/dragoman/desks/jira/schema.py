"""Which fields the project's issues have: implements ports/schema.py.

Used by `client.py`. The site's list of fields gives names and types; the create screen of the issue
type that we open says which are mandatory and what they allow, if the account may open one; the
project gives the statuses.
Source: Jira Cloud REST API version 3: "Get fields", "Get create field metadata for a project and
issue type id", "Get all statuses for project".
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from dragoman.config.paths import key
from dragoman.desks.jira.catalogue import FieldType, type_of
from dragoman.desks.jira.fields import CATEGORY, STATUS
from dragoman.desks.jira.rest import Rest
from dragoman.desks.jira.settings import JiraSettings
from dragoman.domain.errors import NeedsHuman, Permanent
from dragoman.ports.schema import DeskField
from dragoman.transport.http_errors import NotJson

_MOST_PAGES = 20
_OWN = frozenset(
    {
        *("created", "updated", "creator", "project", "votes", "watches", "workratio"),
        *("lastViewed", "statuscategorychangedate", "issuekey", "thumbnail", "subtasks"),
    }
)
"""Fields that nobody writes once there is an issue."""
_FILLED = frozenset({"project", "issuetype", "reporter", "labels"})
"""Mandatory ones that the adapter or Jira itself fills in."""
_ENDS = {"option": ".value", "option-with-child": ".value", "user": ".displayName"}
_NAMED = frozenset(
    {"priority", "resolution", "issuetype", "status", "securitylevel", "project", "group"}
)
CATEGORIES = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}


async def fields(rest: Rest, settings: JiraSettings) -> Sequence[DeskField]:
    """See `Schema.fields`. The category of the status stands at the end, as a field of its own."""
    screen: dict[str, Mapping[str, Any]] = {}
    with suppress(Permanent, NeedsHuman):  # an account that opens no issues needn't see it
        for about in await _create_screen(rest, settings.issue_type):
            screen[str(about.get("fieldId") or about.get("key"))] = about
    statuses = _statuses(
        await rest.json("GET", f"/project/{rest.project}/statuses", "its statuses")
    )
    found = [
        _field(one, screen.get(one.id, {}), statuses)
        for one in map(type_of, await rest.fields())
        if one.id
    ]
    category = DeskField(
        name=CATEGORY,
        label="Category of the status",
        type="status category",
        path=f"fields.{STATUS}.{CATEGORY}.key",
        writable=False,
        choices=CATEGORIES,
    )
    return [*found, category]


async def _create_screen(rest: Rest, issue_type: str) -> Sequence[Mapping[str, Any]]:
    """The fields of the create screen of an issue type, by its name; empty if there is none."""
    path = f"/issue/createmeta/{rest.project}/issuetypes"
    for one in await _pages(rest, path, "issueTypes"):
        if str(one.get("name", "")).casefold() == issue_type.casefold():
            return await _pages(rest, f"{path}/{one.get('id')}", "fields")
    return ()


async def _pages(rest: Rest, path: str, name: str) -> Sequence[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for _ in range(_MOST_PAGES):
        start = {"startAt": str(len(found)), "maxResults": "50"}
        told = await rest.json("GET", path, "what a new issue needs", params=start)
        rows = told.get(name) if isinstance(told, Mapping) else None
        if not isinstance(rows, list):
            raise NotJson("the answer to what a new issue needs holds no list")
        found += [row for row in rows if isinstance(row, Mapping)]
        total = told.get("total")
        if not rows or (isinstance(total, int) and len(found) >= total):
            break
    return found


def _field(one: FieldType, about: Mapping[str, Any], statuses: Mapping[str, str]) -> DeskField:
    kind = str(one.schema.get("type", ""))
    end = _ENDS.get(kind, ".name" if kind in _NAMED else "")
    whole = f"fields.{key(one.id)}"
    needed = bool(about.get("required")) and not about.get("hasDefaultValue")
    return DeskField(
        name=one.id,
        label=one.name,
        type=f"{kind} of {one.schema.get('items')}" if kind == "array" else kind,
        path=f"text.{key(one.id)}" if one.is_document else whole + end,
        mandatory=needed and one.id not in _FILLED,
        writable=one.id not in _OWN,
        choices=statuses if one.id == STATUS else _choices(about),
        also=(whole,) if one.is_document or end else (),
    )


def _choices(about: Mapping[str, Any]) -> Mapping[str, str]:
    """Values as the mapping writes them."""
    allowed = about.get("allowedValues")
    listed = allowed if isinstance(allowed, list) else []
    values = (
        one.get("value") or one.get("name") or one.get("key")
        for one in listed
        if isinstance(one, Mapping)
    )
    return {str(value): str(value) for value in values if value}


def _statuses(types: object) -> Mapping[str, str]:
    """Name → name of the category, of all issue types."""
    found: dict[str, str] = {}
    for one in types if isinstance(types, list) else ():
        listed = one.get("statuses") if isinstance(one, Mapping) else None
        for status in listed if isinstance(listed, list) else ():
            category = status.get("statusCategory")
            label = category.get("name", "") if isinstance(category, Mapping) else ""
            found.setdefault(str(status.get("name")), str(label))
    return found
