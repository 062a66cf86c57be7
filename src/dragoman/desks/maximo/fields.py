"""Reading and writing Maximo's values: times, records, conditions, comparisons.

Used by the rest of this adapter. Records are lean JSON: attributes by lower-case name, null ones
left out, times with the offset of the server's zone. Source: IBM Maximo REST API Guide,
"Filtering", "Selecting"; refusals recorded from installations (lists without spaces, no `or`).
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Any

from dragoman.domain.errors import BadInput
from dragoman.ports.desk import DeskRecord

Raw = Mapping[str, object]
SUMMARY = 100
"""Characters that the description of a work log entry holds."""

_TEXT = r'"[^"\\]*"'
_LITERAL = rf"(?:{_TEXT}|-?\d+(?:\.\d+)?|true|false)"
_TERM = re.compile(
    rf"([a-z_][a-z0-9_]*)(?:(>=|<=|!=|=|>|<)({_LITERAL})| in (\[{_LITERAL}(?:,{_LITERAL})*\]))"
)
_SPACED = re.compile(rf"({_TEXT})|\s*(>=|<=|!=|=|>|<|,|\[|\])\s*")


def stamp(moment: datetime) -> str:
    """A time as conditions take it: ISO 8601 in UTC, in seconds, with its offset."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def moment(found: object, field: str) -> datetime:
    """A time of an answer. Raises BadInput, also for one without an offset."""
    try:
        time = datetime.fromisoformat(found) if isinstance(found, str) else None
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadInput(
        "no time with an offset",
        field=field,
        value=str(found)[:60],
        mend="YYYY-MM-DDThh:mm:ss±hh:mm",
    )


def text_of(raw: Raw, field: str) -> str:
    """One attribute as text, "" if it is null or left out."""
    found = raw.get(field)
    if isinstance(found, bool):
        return "true" if found else "false"
    return "" if found is None else str(found)


def uid_of(raw: Raw, uid: str) -> str:
    """The unique number. Raises BadInput."""
    found = raw.get(uid)
    if isinstance(found, bool) or not isinstance(found, int) or found <= 0:
        raise BadInput("the record has no usable number", field=uid, value=repr(found)[:60])
    return str(found)


def version_of(raw: Raw) -> str:
    """The rowstamp, which changes with every update. Raises BadInput."""
    found = raw.get("_rowstamp")
    if not isinstance(found, str) or not found:
        raise BadInput("the record has no rowstamp", field="_rowstamp", value=repr(found)[:60])
    return found


def record_of(raw: object, uid: str) -> DeskRecord:
    """A record of the port. Raises BadInput if this isn't a record."""
    if not isinstance(raw, Mapping):
        raise BadInput("this is no record but " + type(raw).__name__, value=repr(raw)[:60])
    author = raw.get("changeby")
    return DeskRecord(
        external_id=uid_of(raw, uid),
        version=version_of(raw),
        updated_at=moment(raw.get("changedate"), "changedate"),
        updated_by=author if isinstance(author, str) else "",
        raw=raw,
    )


def same(wanted: str, raw: Raw, field: str) -> bool:
    """Whether an attribute has a value, whatever the way it is written."""
    left, right = wanted.replace("\r\n", "\n").strip(), text_of(raw, field).replace("\r\n", "\n")
    right = right.strip()
    if left.casefold() == right.casefold() or left.casefold() == unescape(right).casefold():
        return True
    numbers = all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in (left, right))
    if numbers and float(left) == float(right):
        return True
    flags = {"1": "true", "0": "false"}
    if isinstance(raw.get(field), bool) and flags.get(left) == right:
        return True
    return _instant(left) is not None and _instant(left) == _instant(right)


def plain(raw: Raw, field: str) -> str:
    """One attribute as a text that is equal for equal values: times in UTC, lines as ours."""
    text = text_of(raw, field).replace("\r\n", "\n").strip()
    instant = _instant(text)
    return text if instant is None else instant.isoformat()


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if len(text) >= 19 else None
    except ValueError:
        return None
    return None if found is None or found.tzinfo is None else found.astimezone(UTC)


def entry(text: str, mark: str, logtype: str, *, viewable: bool) -> dict[str, object]:
    """A work log entry: the beginning as its summary, all of it with the mark as its details."""
    first = text.strip().partition("\n")[0].strip()
    summary = first if len(first) <= SUMMARY else first[: SUMMARY - 1].rstrip() + "…"
    return {
        "description": summary or mark[:SUMMARY],
        "description_longdescription": f"{text}\n{mark}",
        "logtype": logtype,
        "clientviewable": viewable,
    }


def marked(raw: Raw, log: str, mark: str) -> int:
    """How many entries of a record's work log have a mark. Raises BadInput if there is no log.

    Details may come back as rich text, that is, as HTML.
    """
    entries = raw.get(log, [])
    if not isinstance(entries, list):
        raise BadInput("the work log is no list", field=log, value=repr(entries)[:60])
    texts = (one.get("description_longdescription") for one in entries if isinstance(one, Mapping))
    return sum(isinstance(text, str) and mark in unescape(text) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    field: str
    operator: str
    operands: tuple[str, ...]

    def holds(self, raw: Raw) -> bool:
        held = raw.get(self.field)
        if self.operands == ('"*"',):
            return (held not in (None, "")) is (self.operator == "=")
        if held in (None, ""):
            return False
        if self.operator in ("=", "in"):
            return any(_equal(held, operand) for operand in self.operands)
        if self.operator == "!=":
            return not _equal(held, self.operands[0])
        left, right = _ordered(held), _ordered(_value(self.operands[0]))
        return left[0] == right[0] and _ORDER[self.operator](left, right)


_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def _value(literal: str) -> object:
    if literal.startswith('"'):
        return literal[1:-1]
    return literal == "true" if literal in ("true", "false") else float(literal)


def _equal(held: object, literal: str) -> bool:
    value = _value(literal)
    if isinstance(value, str) and isinstance(held, str):
        if "%" in value:
            pattern = ".*".join(map(re.escape, value.split("%")))
            return re.fullmatch(pattern, held, re.DOTALL | re.IGNORECASE) is not None
        instants = _instant(held), _instant(value)
        return held.casefold() == value.casefold() or (
            None not in instants and instants[0] == instants[1]
        )
    return held == value


def _ordered(value: object) -> tuple[int, float, str]:
    if isinstance(value, str):
        instant = _instant(value)
        return (2, instant.timestamp(), "") if instant else (1, 0.0, value)
    return (0, float(value), "") if isinstance(value, int | float) else (3, 0.0, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """An oslc.where that can be checked again on the records that come back.

    So only attributes of the record itself may stand in it, joined by `and`: Maximo has no
    dependable `or`, and no brackets.
    """

    text: str
    terms: tuple[_Term, ...]

    @classmethod
    def parse(cls, text: str) -> "Where":
        """Raises BadInput naming the part that can't be checked."""
        terms: list[_Term] = []
        parts: list[str] = []
        for part in _parts(text):
            tidy = _SPACED.sub(lambda found: found[1] or found[2], part.strip())
            tidy = re.sub(r"\s+in\s*\[", " in [", tidy)
            match = _TERM.fullmatch(tidy)
            if match is None:
                raise BadInput(
                    f"the part {part.strip()[:80]!r} can't be checked on our side",
                    field="where",
                    value=part,
                    mend='use attribute, operator and value (=, !=, >, >=, <, <=, in ["A","B"]), '
                    "joined by and; texts and times stand in double quotes",
                )
            listed = match[4] is not None
            operands = re.findall(_LITERAL, match[4]) if listed else [match[3]]
            terms.append(
                _Term(
                    field=match[1], operator="in" if listed else match[2], operands=tuple(operands)
                )
            )
            parts.append(tidy)
        return cls(text=" and ".join(parts), terms=tuple(terms))

    @property
    def fields(self) -> Sequence[str]:
        """The attributes that `holds` looks at, to be asked for with the records."""
        return tuple(dict.fromkeys(term.field for term in self.terms))

    def holds(self, raw: Raw) -> bool:
        """Whether a record fulfils the condition."""
        return all(term.holds(raw) for term in self.terms)

    def joined(self, *conditions: str) -> str:
        """This condition and others."""
        return " and ".join(filter(None, (self.text, *conditions)))


def _parts(text: str) -> list[str]:
    """Split at `and`, but not inside quotes."""
    if not text.strip():
        return []
    pieces = re.split(rf"({_TEXT})|\s+and\s+", text)
    parts = [""]
    # re.split gives text, group, text, group …; the group is None where it split at `and`
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            parts[-1] += piece
        elif piece is None:
            parts.append("")
        else:
            parts[-1] += piece
    return parts
