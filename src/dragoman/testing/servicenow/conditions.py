"""One condition of an encoded query: an operator on a field against an operand.

Called by `query`. Source: ServiceNow's "Operators available for filters and queries" and the
GlideSystem date methods. As on the real desk's database, text compares without regard to letter
case, != and NOT IN let empty values through, and >, >=, <, <= never match an empty value.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from operator import ge, gt, le, lt
from typing import Any

from dragoman.testing.servicenow.schema import Field, FieldType
from dragoman.testing.servicenow.store import Store

Test = Callable[[Mapping[str, str]], bool]
Value = Callable[[Mapping[str, str]], str]

STAMP = "%Y-%m-%d %H:%M:%S"
_STAMP_OPERAND = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?")
_SCRIPT = re.compile(r"gs\.(\w+)\((.*)\)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "LIKE": lambda value, part: part in value,
    "CONTAINS": lambda value, part: part in value,
    "STARTSWITH": lambda value, part: value.startswith(part),
    "ENDSWITH": lambda value, part: value.endswith(part),
    "NOT LIKE": lambda value, part: part not in value,
    "NOTLIKE": lambda value, part: part not in value,
    "DOES NOT CONTAIN": lambda value, part: part not in value,
}

# Whether a value must be there; None: either way.
_PRESENCE = {"ISEMPTY": False, "EMPTYSTRING": False, "ISNOTEMPTY": True, "ANYTHING": None}


class NotEmulatedError(Exception):
    """The real desk knows this and the emulated one doesn't; it answers 501, never a guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a query is evaluated in: the data, the desk's time, and who asks from which zone."""

    store: Store
    now: datetime
    user_sys_id: str
    zone: tzinfo

    def resolve(self, operand: str) -> str:
        """Replace javascript:gs.…() in an operand by the value it yields, in UTC."""
        if "javascript:" not in operand:
            return operand
        return "@".join(self._script(part) for part in operand.split("@"))

    def _script(self, part: str) -> str:
        text = part.removeprefix("javascript:")
        if text == part:
            return part
        match = _SCRIPT.fullmatch(text.strip().rstrip(";"))
        if match is None:
            raise NotEmulatedError(f"script {text!r}")
        name, arguments = (
            match.group(1),
            [item.strip().strip("'\"") for item in match.group(2).split(",") if item.strip()],
        )
        match name, arguments:
            case "getUserID", []:
                return self.user_sys_id
            case "dateGenerate", [day, moment]:
                return self._local(day, moment)
            case "minutesAgo" | "hoursAgo" | "daysAgo", [number] if number.isdigit():
                unit = name.removesuffix("Ago")
                return (self.now - timedelta(**{unit: int(number)})).strftime(STAMP)
            case _:
                raise NotEmulatedError(f"script {text!r}")

    def _local(self, day: str, moment: str) -> str:
        """A date in the asking user's time zone, as UTC: what gs.dateGenerate gives."""
        try:
            local = datetime.strptime(f"{day} {moment}", STAMP).replace(tzinfo=self.zone)
        except ValueError:
            return ""
        return local.astimezone(UTC).strftime(STAMP)


def condition(
    store: Store, table: str, path: str, found: Field, operator: str, operand: str
) -> Test | None:
    """A test of rows, or None if the operand makes the condition invalid (so it is left out)."""
    value = _getter(store, table, path)
    if operator in _PRESENCE:
        wanted = _PRESENCE[operator]
        return lambda row: wanted in (None, value(row) != "")
    if operator in ("SAMEAS", "NSAMEAS"):
        if store.field(table, operand) is None:
            return None
        other, same = _getter(store, table, operand), operator == "SAMEAS"
        return lambda row: (value(row) == other(row)) is same
    if operator in _TEXT:
        return _text(store, found, operator, operand, value)
    build = _BETWEEN_OR_MEMBER.get(operator, _comparison)
    return build(found, operator, operand, value)


def _getter(store: Store, table: str, path: str) -> Value:
    if "." in path:
        return lambda row: store.value(table, row, path)
    return lambda row: row.get(path, "")


def _membership(found: Field, operator: str, operand: str, value: Value) -> Test | None:
    wanted = operand.split(",") if operator in ("IN", "NOT IN") else [operand]
    if found.type is FieldType.BOOLEAN:
        wanted = [{"1": "true", "0": "false"}.get(item, item) for item in wanted]
    if found.type is FieldType.DATE_TIME and not all(
        item in ("", "NULL") or _STAMP_OPERAND.fullmatch(item) for item in wanted
    ):
        return None
    accepted = frozenset("" if item == "NULL" else item.casefold() for item in wanted)
    if operator in ("=", "IN"):
        return lambda row: value(row).casefold() in accepted
    return lambda row: value(row).casefold() not in accepted


def _typed(found: Field, operand: str) -> object:
    """An operand that orders like the field's values, or None if it can't be one."""
    if found.type is FieldType.INTEGER:
        return int(operand) if re.fullmatch(r"-?\d+", operand) else None
    if found.type is FieldType.DATE_TIME and not _STAMP_OPERAND.fullmatch(operand):
        return None
    return operand.casefold()


def _comparison(found: Field, operator: str, operand: str, value: Value) -> Test | None:
    bound = _typed(found, operand)
    if bound is None or operand == "":
        return None
    compare = _COMPARE[operator]
    if found.type is FieldType.DATE_TIME:
        text = str(bound)
        return lambda row: (mine := value(row)) != "" and compare(mine, text)

    def test(row: Mapping[str, str]) -> bool:
        mine = _typed(found, value(row)) if value(row) != "" else None
        return mine is not None and compare(mine, bound)

    return test


def _between(found: Field, operator: str, operand: str, value: Value) -> Test | None:
    # ON carries a label before its two bounds: "Today@from@to".
    parts = operand.split("@")
    if len(parts) != (3 if operator == "ON" else 2):
        return None
    lower = _comparison(found, ">=", parts[-2], value)
    upper = _comparison(found, "<=", parts[-1], value)
    if lower is None or upper is None:
        return None
    return lambda row: lower(row) and upper(row)


def _text(
    store: Store,
    found: Field,
    operator: str,
    operand: str,
    value: Value,
) -> Test:
    compare, part = _TEXT[operator], operand.casefold()
    if found.type is FieldType.REFERENCE:
        return lambda row: compare(store.display(found.reference, value(row)).casefold(), part)
    return lambda row: compare(value(row).casefold(), part)


_BETWEEN_OR_MEMBER: Mapping[str, Callable[[Field, str, str, Value], Test | None]] = {
    "=": _membership,
    "!=": _membership,
    "IN": _membership,
    "NOT IN": _membership,
    "BETWEEN": _between,
    "ON": _between,
}
