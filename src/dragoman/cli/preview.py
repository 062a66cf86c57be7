"""Both directions of a desk's mapping for one record: what is read, and what would be written.

Used by mapping.py for `dragoman map preview`. Plain data, JSON-ready; reads, writes nothing.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from dragoman.cli.telling import tellings
from dragoman.config.mapping import RULES
from dragoman.config.model import DeskTable
from dragoman.config.paths import absent
from dragoman.domain.errors import BadInput
from dragoman.domain.mapping import Rule, Seen, Why, looked_up
from dragoman.domain.status import Told
from dragoman.ports.desk import Comparison, Desk, DeskRecord

_BUILT_IN = {
    "number": "no rule: the record's id",
    "priority": "no rule: 3",
    "opened_at": "no rule: the time of the record's update",
    "phase": "no rule: open",
}


def preview(
    table: DeskTable, name: str, desk: Desk, record: DeskRecord, now: datetime
) -> dict[str, Any]:
    """The whole of it. desk: asked what the record has, without I/O. See docs/reference/cli.md."""
    read = [_read(table, field, record.raw) for field in (*RULES, *_extras(table))]
    result: dict[str, Any] = {
        "desk": name,
        "id": record.external_id,
        "version": record.version,
        "case": not any(one["error"] for one in read),
        "when": "",
        "read": read,
        "write": [],
        "silent": [],
    }
    try:
        if not table.incoming.wanted(record.raw):
            result |= {"case": False, "when": "read.when is not true of it"}
    except BadInput as error:
        result |= {"case": False, "when": str(error)}
    if any(one["error"] for one in read):
        return result
    draft = table.incoming.draft(record.external_id, record.version, record.updated_at, record.raw)
    told = tellings(table, name, draft, now)
    result["write"] = [
        _write(desk, record, status, telling.payload) | {"empty": list(telling.empty)}
        for status, telling in told.items()
    ]
    result["silent"] = [status for status in Told if status not in told]
    return result


def _extras(table: DeskTable) -> Iterator[str]:
    return (f"fields.{name}" for name in table.incoming.fields)


def _read(table: DeskTable, field: str, raw: Mapping[str, object]) -> dict[str, Any]:
    incoming = table.incoming
    own = field.removeprefix("fields.")
    rule = incoming.rules.get(field) if own == field else incoming.fields[own]
    row: dict[str, Any] = {"field": field, "path": "", "found": None, "value": None}
    row |= {"why": _BUILT_IN.get(field, "no rule"), "error": None}
    try:
        if rule is not None:
            seen = looked_up(field, rule, raw)
            row |= {"path": rule.path, "found": seen.found, "value": seen.value}
            row["why"] = _why(rule, seen, raw)
        value = incoming.one(field, raw)
        row["value"] = value.isoformat() if isinstance(value, datetime) else value
    except BadInput as error:
        row["path"] = "" if rule is None else rule.path
        row["error"] = {"text": error.text, "value": error.value, "mend": error.mend}
    return row


def _why(rule: Rule, seen: Seen, raw: Mapping[str, object]) -> str:
    """Why the value is what it is, "" where it simply stands at the path."""
    default = "no value" if rule.default is None else "the default"
    match seen.why:
        case Why.CONST:
            return "a constant of the mapping"
        case Why.MAP:
            return f"value map: {seen.found} = {seen.value}"
        case Why.NO_KEY:
            taken = "taken as it is" if rule.default is None else "so the default"
            return f"the value map has no key {seen.found!r}, {taken}"
        case Why.NOTHING:
            missing = absent(rule.path, raw) or "the path gives nothing"
            return f"{missing}, so {default}"
        case _:
            return ""


def _write(
    desk: Desk, record: DeskRecord, status: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """One status. Of a fault the record is a new one, so there is nothing to compare with."""
    compare = desk if isinstance(desk, Comparison) and status in set(Told) else None
    fields = []
    for name, value in payload["fields"].items():
        now = None if compare is None else compare.held(record, name)
        changes = None if compare is None or now is None else not compare.has(record, name, value)
        fields.append({"field": name, "value": value, "now": now, "changes": changes})
    expect = []
    for name, allowed in payload["expect"].items():
        now = None if compare is None else compare.held(record, name)
        holds = None if compare is None else any(compare.has(record, name, v) for v in allowed)
        expect.append({"field": name, "allowed": list(allowed), "now": now, "holds": holds})
    said = {"comment": payload["comment"], "note": payload["note"]}
    return {"status": status, "fields": fields, **said, "expect": expect}
