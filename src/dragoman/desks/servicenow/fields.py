"""Reading ServiceNow's values: cells, timestamps, records, and encoded queries.

Used by the rest of this adapter. Records are asked for with sysparm_display_value=all, so that
every field is `{"value": …, "display_value": …}`: value is raw (sys_id, number of a choice, time
in UTC), display_value is what people see (in the account's language and time zone).
Source: ServiceNow Table API reference; "Operators available for filters and queries".
"""

import operator
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from dragoman.domain.errors import BadInput
from dragoman.ports.desk import DeskRecord

BASE = ("sys_id", "sys_updated_on", "sys_updated_by", "sys_mod_count")
"""Fields that every answer must hold."""

_STAMP = "%Y-%m-%d %H:%M:%S"
_TERM = re.compile(
    r"([a-z0-9_.]+)(!=|>=|<=|=|>|<|NOT IN|IN|ISNOTEMPTY|ISEMPTY|STARTSWITH|NOT LIKE|LIKE)(.*)"
)


def stamp(moment: datetime) -> str:
    """A time as queries take it: UTC, in seconds."""
    return moment.astimezone(UTC).strftime(_STAMP)


def moment(text: str, field: str) -> datetime:
    """A raw timestamp, which is in UTC whatever the account's zone. Raises BadInput."""
    found = None
    if len(text) == 19 and text[10] == " ":
        with suppress(ValueError):
            found = datetime.fromisoformat(text)  # a tenth of strptime's cost
    if found is None:
        raise BadInput(
            "no timestamp of ServiceNow", field=field, value=str(text), mend="YYYY-MM-DD HH:MM:SS"
        )
    return found.replace(tzinfo=UTC)


def value_of(raw: Mapping[str, object], field: str) -> str | None:
    """The raw value of a field, None if it is missing or isn't a text."""
    return _part(raw, field, "value")


def display_of(raw: Mapping[str, object], field: str) -> str | None:
    """What people see in a field, None if it is missing or isn't a text."""
    return _part(raw, field, "display_value")


def _part(raw: Mapping[str, object], field: str, part: str) -> str | None:
    cell = raw.get(field)
    found = cell.get(part) if isinstance(cell, Mapping) else cell
    return found if isinstance(found, str) else None


def required(raw: Mapping[str, object], field: str) -> str:
    """The raw value of a field that can't be empty. Raises BadInput naming it."""
    found = value_of(raw, field)
    if not found:
        shown = repr(raw.get(field))[:60] if field in raw else "missing"
        raise BadInput(f"the record has no usable {field}", field=field, value=shown)
    return found


def version_of(raw: Mapping[str, object]) -> str:
    """The update count with the time of the update: both change with every update."""
    return f"{required(raw, 'sys_mod_count')}@{required(raw, 'sys_updated_on')}"


def record_of(raw: object) -> DeskRecord:
    """A record of the port. Raises BadInput if this isn't a record."""
    if not isinstance(raw, Mapping):
        raise BadInput("this is no record but " + type(raw).__name__, value=repr(raw)[:60])
    return DeskRecord(
        external_id=required(raw, "sys_id"),
        version=version_of(raw),
        updated_at=moment(required(raw, "sys_updated_on"), "sys_updated_on"),
        updated_by=value_of(raw, "sys_updated_by") or "",
        raw=raw,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    field: str
    operator: str
    operand: str

    def holds(self, value: str) -> bool:
        """ServiceNow compares text without regard to letter case, and numbers as numbers."""
        left, right = value.casefold(), self.operand.casefold()
        match self.operator:
            case "=":
                return left == right
            case "!=":
                return left != right
            case "IN":
                return left in right.split(",")
            case "NOT IN":
                return left not in right.split(",")
            case "ISEMPTY":
                return left == ""
            case "ISNOTEMPTY":
                return left != ""
            case "STARTSWITH":
                return left.startswith(right)
            case "LIKE":
                return right in left
            case "NOT LIKE":
                return right not in left
            case _:
                return left != "" and _ORDER[self.operator](_key(left), _key(right))


_ORDER: Mapping[str, Callable[[tuple[int, float, str], tuple[int, float, str]], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def _key(text: str) -> tuple[int, float, str]:
    return (0, float(text), "") if re.fullmatch(r"-?\d+(\.\d+)?", text) else (1, 0.0, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedQuery:
    """An encoded query that can be checked again on the rows that come back.

    ServiceNow leaves out a part that names an unknown field, and then answers with everything; so
    only what we can check ourselves may stand in it. groups: all must hold, one term of each.
    """

    text: str
    groups: tuple[tuple[_Term, ...], ...]

    @classmethod
    def parse(cls, text: str) -> "EncodedQuery":
        """Raises BadInput naming the part that can't be checked."""
        groups: list[tuple[_Term, ...]] = []
        for part in filter(None, text.split("^")):
            alternative = part.startswith("OR") and not part.startswith("ORDERBY")
            match = _TERM.fullmatch(part[2:] if alternative else part)
            if match is None or part.startswith("NQ") or "javascript:" in part:
                raise BadInput(
                    f"the part {part[:80]!r} can't be checked on our side",
                    field="query",
                    value=part,
                    mend="use field, operator and value (=, !=, IN, NOT IN, ISEMPTY, ISNOTEMPTY, "
                    "STARTSWITH, LIKE, >, >=, <, <=), joined by ^ and ^OR",
                )
            term = _Term(field=match[1], operator=match[2], operand=match[3])
            if alternative and groups:
                groups[-1] = (*groups[-1], term)
            else:
                groups.append((term,))
        return cls(text="^".join(filter(None, text.split("^"))), groups=tuple(groups))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that `holds` looks at, to be asked for with the rows."""
        return tuple(dict.fromkeys(term.field for group in self.groups for term in group))

    def missing(self, row: Mapping[str, object]) -> str:
        """A field of the query that the desk left out of its answer; "" if there is none."""
        return next((name for name in self.fields if name not in row), "")

    def holds(self, row: Mapping[str, object]) -> bool:
        """Whether a row with raw values fulfils the query."""
        return all(
            any(term.holds(value_of(row, term.field) or "") for term in group)
            for group in self.groups
        )
