"""The site's fields: which there are, and how a text becomes the JSON that each of them takes.

Used by `writes.py` and `creation.py`. The list is read at the first write, and again when a name
is missing in it.
Source: Jira Cloud REST API, "Get fields" and the JSON shapes of field types.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from dragoman.desks.jira.adf import document
from dragoman.desks.jira.fields import moment
from dragoman.desks.jira.rest import Rest
from dragoman.domain.errors import Permanent

_BY_VALUE = frozenset({"option", "option-with-child"})
_BY_NAME = frozenset(
    {"priority", "resolution", "issuetype", "securitylevel", "group", "version", "component"}
)
_BY_KEY = frozenset({"project", "issuelink", "issue"})
_DOCUMENTS = frozenset({"description", "environment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """schema: of one field, as Jira tells it."""

    id: str
    name: str
    schema: Mapping[str, object]

    @property
    def is_document(self) -> bool:
        """Whether it holds a document rather than a line of text."""
        custom = str(self.schema.get("custom", ""))
        return self.schema.get("system") in _DOCUMENTS or custom.endswith(":textarea")


class Catalogue:
    """The fields by id."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._fields: dict[str, FieldType] = {}

    async def encoded(self, values: Mapping[str, str]) -> dict[str, object]:
        """The `fields` object that writes these. Raises Permanent for an unknown field."""
        if set(values) - set(self._fields):
            self._fields = {
                one.id: one for one in map(type_of, await self._rest.fields()) if one.id
            }
        for name in values:
            if name not in self._fields:
                raise self.unknown(name, values[name], self._fields)
        return {name: _encoded(self._fields[name], value) for name, value in values.items()}

    def unknown(self, name: str, value: str, among: Iterable[str]) -> Permanent:
        """The error for a field that isn't there, with the nearest ones and then some others."""
        known = sorted(among)
        names = {self._named(one).lower(): one for one in known}
        near = difflib.get_close_matches(name.lower(), [*names, *map(str.lower, known)], 3, 0.5)
        by_id = {one.lower(): one for one in known}
        first = [names.get(one) or by_id[one] for one in near]
        listed = list(dict.fromkeys([*first, *known]))[:20]
        told = ", ".join(f"{one} ({self._named(one)})" for one in listed)
        return Permanent(
            f"Jira has no field {name} that the account may write",
            field=name,
            value=value,
            mend=f"custom fields go by id; there are {told}" if told else "check the rights",
        )

    def _named(self, field: str) -> str:
        return self._fields[field].name if field in self._fields else field


def type_of(raw: object) -> FieldType:
    """A row of the site's list of fields."""
    told: Mapping[str, object] = raw if isinstance(raw, Mapping) else {}
    schema = told.get("schema")
    return FieldType(
        id=str(told.get("id") or ""),
        name=str(told.get("name") or ""),
        schema=schema if isinstance(schema, Mapping) else {},
    )


def _encoded(field: FieldType, value: str) -> object:
    kind = str(field.schema.get("type", "string"))
    if kind == "array":
        parts = [part.strip() for part in value.split(",") if part.strip()]
        return [_one(field, str(field.schema.get("items", "string")), part) for part in parts]
    return _one(field, kind, value) if value else None


def _one(field: FieldType, kind: str, value: str) -> object:
    if field.is_document:
        return document(value)
    if kind == "number":
        try:
            return float(value)
        except ValueError:
            raise Permanent(
                "this is no number", field=field.id, value=value, mend="write digits and a point"
            ) from None
    if kind in ("date", "datetime"):
        return _time(field, kind, value)
    if kind in _BY_VALUE:
        return {"value": value}
    if kind in _BY_NAME:
        return {"name": value}
    if kind in _BY_KEY:
        return {"key": value}
    return {"accountId": value} if kind == "user" else value


def _time(field: FieldType, kind: str, value: str) -> str:
    """A day, or a time as Jira wants it: milliseconds, and an offset without a colon."""
    try:
        if kind == "date":
            return datetime.fromisoformat(value).date().isoformat()
        found = moment(value, field.id)
    except ValueError:
        raise Permanent(
            "this is no date", field=field.id, value=value, mend="write it like 2026-01-31"
        ) from None
    return f"{found:%Y-%m-%dT%H:%M:%S}.{found.microsecond // 1000:03}+0000"
