"""Runs SOQL on the emulated org and shows records as JSON, a batch at a time.

Called by `router` for /query, /queryAll and query locators. Texts compare without regard to letter
case, ids with it; what a query names must exist and fit in type, else it is refused, as in
Salesforce. Source: SOQL and SOSL Reference, REST API Developer Guide (Query).
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from dragoman.testing.salesforce.errors import Refused
from dragoman.testing.salesforce.ids import long_id, new_id
from dragoman.testing.salesforce.org import Org
from dragoman.testing.salesforce.schema import Field, Row, Schema, Value
from dragoman.testing.salesforce.soql import Comparison, Condition, Joined, Query, Quoted, parse
from dragoman.testing.salesforce.store import Table
from dragoman.testing.salesforce.values import shown

_CURSORS = 10
_REFERENCES = ("id", "reference")
Read = Callable[[Row], Value]
Test = Callable[[Row], bool]


class Select:
    """The queries of one org. batch_size: records of one answer at most."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.batch_size = 2000
        self._cursors: OrderedDict[str, list[dict[str, object]]] = OrderedDict()
        self._cursor_numbers = 0

    def run(self, text: str, version: str, *, deleted: bool, batch: int) -> dict[str, object]:
        """Answer a query. deleted: as /queryAll. batch: records of one answer. Raises Refused."""
        query = parse(text)
        table = self._source(query.source)
        rows = self._matching(table, query, deleted=deleted)
        if not query.fields:
            return {"totalSize": len(rows), "done": True, "records": []}
        paths = [self._path(table.schema, name) for name in query.fields]
        records = [self._shown(table.schema, row, paths, version) for row in rows]
        return self._batch(records, len(records), version, batch)

    def more(self, locator: str, version: str) -> dict[str, object]:
        """Go on with a query. Raises Refused for an unknown or forgotten locator."""
        name, _, size = locator.partition("-")
        rest = self._cursors.pop(name, None)
        if rest is None:
            raise Refused("INVALID_QUERY_LOCATOR", "invalid query locator")
        total, _, batch = size.partition("-")
        return self._batch(rest, int(total), version, int(batch))

    def record(self, schema: Schema, row: Row, names: Iterable[str], version: str) -> object:
        """One record with these fields, as the resource of a single row shows it."""
        paths = [self._path(schema, name) for name in names]
        return self._shown(schema, row, paths, version)

    def _source(self, name: str) -> Table:
        found = self._org.store.tables.get(name.lower())
        if found is None:
            raise Refused("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return found

    def _batch(
        self, records: list[dict[str, object]], total: int, version: str, batch: int
    ) -> dict[str, object]:
        head, rest = records[:batch], records[batch:]
        answer: dict[str, object] = {"totalSize": total, "done": not rest, "records": head}
        if rest:
            self._cursor_numbers += 1
            name = new_id("01g", self._cursor_numbers)
            self._cursors[name] = rest
            if len(self._cursors) > _CURSORS:
                self._cursors.popitem(last=False)
            locator = f"{name}-{total}-{batch}"
            answer["nextRecordsUrl"] = f"/services/data/{version}/query/{locator}"
        return answer

    def _matching(self, table: Table, query: Query, *, deleted: bool) -> list[Row]:
        test = self._test(table.schema, query.where) if query.where else lambda _: True
        found, order = _candidates(table, query.where)
        rows = (row for row in found if (deleted or not row["IsDeleted"]) and test(row))
        end = None if query.limit is None else query.offset + query.limit
        wanted = [(".".join(self._path(table.schema, name)), down) for name, down in query.order]
        if wanted == [(name, False) for name in order[: len(wanted)]]:
            return list(islice(rows, query.offset, end))
        ordered = list(rows)
        for name, descending in reversed(query.order):
            read, _ = self._reader(table.schema, name)
            ordered.sort(key=lambda row, read=read: _rank(read(row)), reverse=descending)  # type: ignore[misc]  # a lambda with a default has no inferred type
        return ordered[query.offset : end]

    def _path(self, schema: Schema, name: str) -> tuple[str, ...]:
        """A field with its relationships, spelt as the schema spells them."""
        head, _, rest = name.partition(".")
        if rest:
            reference = self._reference(schema, head)
            target = self._source(reference.refers_to).schema
            return (reference.relationship, *self._path(target, rest))
        return (self._field(schema, head).name,)

    def _reader(self, schema: Schema, name: str) -> tuple[Read, Field]:
        """How to read a field, through its relationships, and the field itself."""
        head, _, rest = name.partition(".")
        if not rest:
            field = self._field(schema, head)
            return lambda row: row[field.name], field
        reference = self._reference(schema, head)
        target = self._source(reference.refers_to)
        inner, field = self._reader(target.schema, rest)

        def read(row: Row) -> Value:
            other = target.get(str(row[reference.name]))
            return None if other is None else inner(other)

        return read, field

    def _field(self, schema: Schema, name: str) -> Field:
        found = self._org.rules.field(schema, name)
        if found is None:
            raise Refused(
                "INVALID_FIELD",
                f"\nERROR at Row:1:Column:1\nNo such column '{name}' on entity '{schema.name}'. "
                "If you are attempting to use a custom field, be sure to append the '__c' after "
                "the custom field name.",
            )
        return found

    def _reference(self, schema: Schema, name: str) -> Field:
        for field in schema.fields.values():
            if field.relationship.lower() == name.lower() and field.relationship:
                return field
        raise Refused(
            "INVALID_FIELD",
            f"\nERROR at Row:1:Column:1\nDidn't understand relationship '{name}' in field path.",
        )

    def _shown(
        self, schema: Schema, row: Row, paths: Iterable[tuple[str, ...]], version: str
    ) -> dict[str, object]:
        address = f"/services/data/{version}/sobjects/{schema.name}/{row['Id']}"
        told: dict[str, object] = {"attributes": {"type": schema.name, "url": address}}
        for head, *rest in paths:
            if not rest:
                told[head] = shown(row[head])
                continue
            reference = self._reference(schema, head)
            target = self._source(reference.refers_to)
            other = target.get(str(row[reference.name]))
            if other is None:
                told[head] = None
                continue
            before = told.get(head)
            inner = self._shown(target.schema, other, [tuple(rest)], version)
            told[head] = {**before, **inner} if isinstance(before, dict) else inner
        return told

    def _test(self, schema: Schema, where: Condition) -> Test:
        if isinstance(where, Joined):
            tests = [self._test(schema, part) for part in where.parts]
            match where.by:
                case "AND":
                    return lambda row: all(test(row) for test in tests)
                case "OR":
                    return lambda row: any(test(row) for test in tests)
                case _:
                    return lambda row: not tests[0](row)
        read, field = self._reader(schema, where.field)
        if where.sign == "LIKE":
            pattern = _like(field, where)
            return lambda row: pattern.fullmatch(str(read(row) or "")) is not None
        wanted = [_comparable(field, value) for value in where.values]
        match where.sign:
            case "=" | "IN":
                return lambda row: _folded(field, read(row)) in wanted
            case "!=" | "NOT IN":
                return lambda row: _folded(field, read(row)) not in wanted
            case sign:
                return _ordered(read, field, sign, wanted[0])


def _ordered(read: Read, field: Field, sign: str, limit: Value) -> Test:
    if field.type == "boolean":
        raise Refused("INVALID_FIELD", f"invalid operator on boolean field: {field.name}")
    compare = _COMPARE[sign]

    def test(row: Row) -> bool:
        value = _folded(field, read(row))
        return value is not None and limit is not None and compare(value, limit)

    return test


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _candidates(table: Table, where: Condition | None) -> tuple[Iterator[Row], Sequence[str]]:
    """Rows among which those of the query are, by id, index or time where it names one.

    And the fields in whose order they come, so that a query in this order may stop at its limit.
    """
    parts = where.parts if isinstance(where, Joined) and where.by == "AND" else (where,)
    comparisons = [part for part in parts if isinstance(part, Comparison)]
    known = [(table.schema.find(part.field), part) for part in comparisons]
    since: list[datetime] = []
    last = ""
    for field, part in known:
        value = part.values[0]
        if field is None:
            continue
        if field.type == "id" and part.sign in ("=", "IN"):
            ids = dict.fromkeys(_comparable(field, one) for one in part.values)
            found = (table.get(str(one)) for one in ids)
            return (row for row in found if row is not None), ()
        if field.name in table.schema.indexed and part.sign == "=" and isinstance(value, Quoted):
            return table.having(field.name, _comparable(field, value)), ("Id",)
        if field.type == "id" and part.sign == ">":
            last = max(last, str(_comparable(field, value)))
        if field.name == "SystemModstamp" and part.sign in (">=", ">", "="):
            since += [value] if isinstance(value, datetime) else []
    if since:
        return table.since(max(since)), ("SystemModstamp", "Id")
    return table.after(last), ("Id",)


def _comparable(field: Field, value: object) -> Value:
    """A literal as it compares with the field's values. Raises Refused if it doesn't fit."""
    if value is None:
        return None
    if field.type in _REFERENCES:
        try:
            return long_id(value.text if isinstance(value, Quoted) else "")
        except ValueError as error:
            raise Refused(
                "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {field.name}"
            ) from error
    kinds: Mapping[str, type] = {"datetime": datetime, "boolean": bool, "double": float}
    wanted = kinds.get(field.type, Quoted)
    if not isinstance(value, wanted):
        quoted = "should be" if wanted is Quoted else "should not be"
        raise Refused(
            "INVALID_FIELD",
            f"value of filter criterion for field '{field.name}' must be of type {field.type} and "
            f"{quoted} enclosed in quotes",
        )
    return value.text.casefold() if isinstance(value, Quoted) else value  # type: ignore[return-value]  # one of the kinds above


def _folded(field: Field, value: Value) -> Value:
    if isinstance(value, str) and field.type not in _REFERENCES:
        return value.casefold()
    return value


def _like(field: Field, where: Comparison) -> re.Pattern[str]:
    pattern = where.values[0]
    if not isinstance(pattern, Quoted) or field.type not in ("string", "textarea", "picklist"):
        raise Refused("INVALID_FIELD", f"invalid operator on {field.type} field: {field.name}")
    parts = re.findall(r"\\[%_]|.", pattern.like, re.DOTALL)
    special = {"%": ".*", "_": ".", r"\%": "%", r"\_": "_"}
    text = "".join(special.get(part, re.escape(part)) for part in parts)
    return re.compile(text, re.IGNORECASE | re.DOTALL)


def _rank(value: Value) -> tuple[int, Any]:
    """Nulls first, as SOQL sorts them."""
    if value is None:
        return (0, 0)
    return (1, value)
