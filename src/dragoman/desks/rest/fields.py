"""Reading a desk's records by the paths of the configuration, and writing and comparing fields.

Used by the rest of this adapter.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from dragoman.config.jmes import reader
from dragoman.desks.rest.settings import FieldTable, RecordTable
from dragoman.desks.rest.times import parsed
from dragoman.domain.errors import BadInput, Conflict, Permanent
from dragoman.ports.desk import DeskRecord

MAX_ID = 200
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
_PLAIN = FieldTable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An item of a list. mark: changes when the item does. exact: whether each change changes it;
    at: of the update, None if the desk tells none.
    """

    id: str
    at: datetime | None
    mark: str
    exact: bool
    raw: Mapping[str, Any]


class Shape:
    """The record as `[desks.NAME.record]` describes it."""

    def __init__(self, table: RecordTable) -> None:
        self._table = table
        self._id = reader(table.id)
        self._version = None if table.version is None else reader(table.version)
        self._updated_at = None if table.updated_at is None else reader(table.updated_at)
        self._updated_by = None if table.updated_by is None else reader(table.updated_by)

    def row(self, item: object) -> Row:
        """Raises BadInput for what is no record, naming the path."""
        raw = self._mapping(item)
        version = self._told(raw)
        return Row(
            id=self.id_of(raw),
            at=self._moment(raw),
            mark=version or self.hash_of(raw),
            exact=bool(version),
            raw=raw,
        )

    def record(self, item: object, etag: str, seen_at: datetime) -> DeskRecord:
        """A whole record of the port. seen_at: stands for the update of a desk that tells none."""
        raw = self._mapping(item)
        version = etag if self._table.etag else self._told(raw)
        author = None if self._updated_by is None else self._updated_by(raw)
        return DeskRecord(
            external_id=self.id_of(raw),
            version=version or self.hash_of(raw),
            updated_at=self._moment(raw) or seen_at,
            updated_by="" if author is None else str(author)[:200],
            raw=raw,
        )

    def row_id(self, item: object) -> str:
        """The id of an item of a list. Raises BadInput."""
        return self.id_of(self._mapping(item))

    def id_of(self, raw: Mapping[str, Any]) -> str:
        """The record's id as text."""
        found = self._id(raw)
        usable = isinstance(found, str | int) and not isinstance(found, bool)
        if not usable or not 0 < len(str(found)) <= MAX_ID or not str(found).isprintable():
            raise BadInput(
                "the record has no usable id",
                field=self._table.id,
                value="missing" if found is None else repr(found)[:60],
                mend="set record.id to the path of a text or number that never changes",
            )
        return str(found)

    def hash_of(self, raw: Mapping[str, Any]) -> str:
        """What stands for a version where the desk has none."""
        kept = {key: value for key, value in raw.items() if key not in self._table.ignore}
        return hashlib.sha256(msgspec.json.encode(kept, order="deterministic")).hexdigest()[:16]

    def _mapping(self, item: object) -> Mapping[str, Any]:
        if not isinstance(item, Mapping):
            raise BadInput("this is no record but " + type(item).__name__, value=repr(item)[:60])
        return item

    def _told(self, raw: Mapping[str, Any]) -> str:
        found = None if self._version is None else self._version(raw)
        return str(found)[:200] if isinstance(found, str | int | float) else ""

    def _moment(self, raw: Mapping[str, Any]) -> datetime | None:
        if self._updated_at is None:
            return None
        table, found = self._table, self._updated_at(raw)
        return parsed(found, table.time_format, table.zone, table.updated_at or "")


class Fields:
    """The fields of the mapping, as `[desks.NAME.fields]` describes them."""

    def __init__(self, tables: Mapping[str, FieldTable]) -> None:
        self._tables = tables
        self._readers = {n: reader(t.path) for n, t in tables.items() if t.path is not None}

    def values(self, raw: Mapping[str, Any], name: str) -> Sequence[str] | None:
        """What a record has in a field, in each way that it tells it; None if it has no such."""
        read = self._readers.get(name)
        found = read(raw) if read is not None else raw.get(name)
        if found is None and (read is None) and name not in raw:
            return None
        if isinstance(found, Mapping):
            keys = ("id", "name", "value", "label", "key")
            return [_text(found[key]) for key in keys if found.get(key) is not None]
        return [_text(found)]

    def is_unread(self, raw: Mapping[str, Any], name: str) -> bool:
        """Whether a record has no such field, so that a write of it could not be checked."""
        return self._tables.get(name, _PLAIN).verify and self.values(raw, name) is None

    def same(self, wanted: str, raw: Mapping[str, Any], name: str) -> bool:
        """Whether a field has a value, whatever the way it is written."""
        held = self.values(raw, name)
        if held is None:
            return False
        if self._tables.get(name, _PLAIN).type == "list":
            return any(_members(wanted) == _members(one) for one in held)
        return any(_equal(wanted, one) for one in held)

    def has(self, record: DeskRecord, fields: Mapping[str, str]) -> bool:
        """Whether all fields have these values."""
        return all(self.same(value, record.raw, name) for name, value in fields.items())

    def meets(self, record: DeskRecord, expect: Mapping[str, Sequence[str]]) -> None:
        """Raises Conflict unless the record is as a write expects it."""
        for name, allowed in expect.items():
            if not any(self.same(value, record.raw, name) for value in allowed):
                held = " / ".join(self.values(record.raw, name) or ())
                raise Conflict(
                    f"record {record.external_id[:60]} changed at the desk: {name} is {held!r}",
                    field=name,
                    value=held,
                    mend=f"the write expects {' or '.join(map(repr, allowed))}",
                )

    def took(self, record: DeskRecord, fields: Mapping[str, str]) -> None:
        """Raises Permanent for the first field that the desk ignored or altered."""
        for name, value in fields.items():
            if not self._tables.get(name, _PLAIN).verify or self.same(value, record.raw, name):
                continue
            held = self.values(record.raw, name)
            if held is None:
                raise Permanent(
                    f"record {record.external_id[:60]} has no field {name} in the desk's answer",
                    field=name,
                    value=value,
                    mend=f"correct the name, or say where it is read in fields.{name}.path",
                )
            raise Permanent(
                f"the desk took the write, but {name} of record {record.external_id[:60]} is "
                f"{' / '.join(held)!r} now",
                field=name,
                value=value,
                mend="use a value that the desk accepts in this state, and check the rights",
            )

    def placed(self, fields: Mapping[str, str], below: str) -> dict[str, Any]:
        """The part of a body that writes these fields. below: dotted place of them all."""
        body: dict[str, Any] = {}
        for name, value in fields.items():
            table = self._tables.get(name, _PLAIN)
            own = table.put.split(".") if table.put is not None else [name]
            put(body, [*filter(None, below.split(".")), *own], _typed(value, table, name))
        return body


def put(body: dict[str, Any], path: Sequence[str], value: object) -> None:
    """Set a value in nested tables, making those that aren't there."""
    for key in path[:-1]:
        inner = body.setdefault(key, {})
        if not isinstance(inner, dict):
            inner = body[key] = {}
        body = inner
    body[path[-1]] = value


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two bodies as one, tables within tables too."""
    whole = dict(below)
    for key, value in above.items():
        old = whole.get(key)
        deeper = isinstance(old, Mapping) and isinstance(value, Mapping)
        whole[key] = merged(old, value) if deeper else value  # type: ignore[arg-type] # see deeper
    return whole


def _typed(value: str, table: FieldTable, name: str) -> object:
    try:
        match table.type:
            case "integer":
                return int(value) if value else None
            case "number":
                return float(value) if value else None
            case "boolean":
                return {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}[value.lower()]
            case "list":
                return [part.strip() for part in value.split(",") if part.strip()]
            case _:
                return value
    except (ValueError, KeyError):
        raise BadInput(
            f"this is no {table.type}",
            field=name,
            value=value,
            mend=f"map it in the mapping, or change fields.{name}.type",
        ) from None


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    if isinstance(value, Mapping):
        return _text(next((value[key] for key in ("id", "name", "value") if key in value), ""))
    return str(value)


def _members(text: str) -> frozenset[str]:
    return frozenset(part.strip().casefold() for part in text.split(",") if part.strip())


def _equal(wanted: str, held: str) -> bool:
    left, right = wanted.replace("\r\n", "\n").strip(), held.replace("\r\n", "\n").strip()
    if left.casefold() == right.casefold():
        return True
    if all(re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", text) for text in (left, right)):
        return float(left) == float(right)
    low = {left.lower(), right.lower()}
    return low <= _TRUE or low <= _FALSE
