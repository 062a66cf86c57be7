"""The query parameters of a collection: oslc.where, oslc.orderBy, oslc.select.

Called by `routes`. What Maximo can't read it refuses with BMXAA8744E: brackets, `or`, a space after
the comma of a list, an order without its sign. IBM documents no id for an attribute that doesn't
exist; it is refused the same way here. Source: IBM Maximo REST API Guide, "Filtering", "Sorting
and paging", "Selecting"; the refusals were recorded from installations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from dragoman.testing.maximo.errors import Refused
from dragoman.testing.maximo.schema import Attribute, Kind

Values = Mapping[str, object]
_TEXT = r'"(?:[^"\\]|\\.)*"'
_LITERAL = rf"{_TEXT}|-?\d+(?:\.\d+)?|true|false"
_TERM = re.compile(
    rf"\s*([a-z_][a-z0-9_]*)\s*(?:(>=|<=|!=|=|>|<)\s*({_LITERAL})"
    rf"|\s+in\s+(\[(?:{_LITERAL})(?:,(?:{_LITERAL}))*\]))",
    re.IGNORECASE,
)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_ORDER = re.compile(r"([+-])([a-z_][a-z0-9_]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    """One condition. An operand of None stands for `"*"`: any value at all."""

    attribute: Attribute
    operator: str
    operands: tuple[object, ...]

    def holds(self, values: Values) -> bool:
        held = values.get(self.attribute.name)
        held = None if held == "" else held
        if self.operands == (None,):
            return (held is not None) is (self.operator == "=")
        if held is None:
            return False
        if self.operator in ("=", "in"):
            return any(_equal(held, operand) for operand in self.operands)
        if self.operator == "!=":
            return not _equal(held, self.operands[0])
        return _COMPARE[self.operator](held, self.operands[0])


def _equal(held: object, operand: object) -> bool:
    if isinstance(operand, str) and "%" in operand:
        pattern = ".*".join(map(re.escape, operand.split("%")))
        return re.fullmatch(pattern, str(held), re.DOTALL) is not None
    return held == operand


_COMPARE: Mapping[str, Callable[[object, object], bool]] = {
    ">": lambda left, right: _key(left) > _key(right),
    ">=": lambda left, right: _key(left) >= _key(right),
    "<": lambda left, right: _key(left) < _key(right),
    "<=": lambda left, right: _key(left) <= _key(right),
}


def _key(value: object) -> tuple[float, str]:
    if isinstance(value, datetime):
        return (value.timestamp(), "")
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the parameters for one object. zone: of times that are written without an offset."""

    attributes: Mapping[str, Attribute]
    zone: ZoneInfo

    def where(self, text: str) -> Callable[[Values], bool]:
        """The condition that oslc.where states. Raises Refused."""
        terms = [self._term(part) for part in _parts(text)] if text.strip() else []
        return lambda values: all(term.holds(values) for term in terms)

    def order(self, text: str) -> Callable[[Sequence[Values]], list[Values]]:
        """A function that sorts by oslc.orderBy, stably. Raises Refused."""
        keys: list[tuple[str, bool]] = []
        for part in filter(None, text.split(",")):
            match = _ORDER.fullmatch(part.strip())
            if match is None:
                raise Refused("BMXAA8744E", f"no sort order sign at {part!r}")
            keys.append((self._known(match[2]).name, match[1] == "-"))

        def sort(rows: Sequence[Values]) -> list[Values]:
            found = list(rows)
            for name, down in reversed(keys):
                found.sort(key=partial(_sortable, name), reverse=down)
            return found

        return sort

    def _term(self, part: str) -> _Term:
        match = _TERM.fullmatch(part)
        if match is None:
            raise Refused("BMXAA8744E", f"encountered {part[:60]!r}")
        attribute = self._known(match[1])
        listed = match[4] is not None
        raw = re.findall(_LITERAL, match[4]) if listed else [match[3]]
        operands = tuple(self._value(attribute, one) for one in raw)
        return _Term(attribute=attribute, operator="in" if listed else match[2], operands=operands)

    def _known(self, name: str) -> Attribute:
        attribute = self.attributes.get(name.lower())
        if attribute is None:
            raise Refused("BMXAA8744E", f"there is no attribute {name}")
        return attribute

    def _value(self, attribute: Attribute, literal: str) -> object:
        if literal == '"*"':
            return None
        quoted = literal.startswith('"')
        text = re.sub(r"\\(.)", r"\1", literal[1:-1]) if quoted else literal
        if attribute.kind is Kind.INTEGER and not quoted:
            return float(text) if "." in text else int(text)
        if attribute.kind is Kind.YES_NO and not quoted:
            return text.lower() in ("true", "1")
        if attribute.kind is Kind.TIME and quoted:
            return self._time(text)
        if attribute.kind in (Kind.INTEGER, Kind.YES_NO, Kind.TIME) or not quoted:
            raise Refused("BMXAA8744E", f"{literal} doesn't fit the type of {attribute.name}")
        return text.upper() if attribute.kind is Kind.UPPER else text

    def _time(self, text: str) -> datetime:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise Refused("BMXAA8744E", f"{text!r} is no ISO date") from None
        return found.replace(tzinfo=self.zone) if found.tzinfo is None else found


def _parts(text: str) -> list[str]:
    """Split at `and`, but not inside quotes."""
    parts, rest = [], text
    while True:
        match = _TERM.match(rest)
        if match is None:
            raise Refused("BMXAA8744E", f"encountered {rest[:60]!r}")
        parts.append(match[0])
        rest = rest[match.end() :]
        if not rest.strip():
            return parts
        joint = _AND.match(rest)
        if joint is None:
            raise Refused("BMXAA8744E", f"encountered {rest[:60]!r}")
        rest = rest[joint.end() :]


def _sortable(name: str, row: Values) -> tuple[bool, tuple[float, str]]:
    value = row.get(name)
    return (value is None, (0.0, "") if value is None else _key(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """What to tell of a record. everything: `*`. children: child object → its own select."""

    everything: bool = False
    names: tuple[str, ...] = ()
    children: Mapping[str, Select] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Select:
        """Read oslc.select or the header `properties`. Raises Refused."""
        names: list[str] = []
        children: dict[str, Select] = {}
        everything = False
        for part in _top_level(text):
            name, brace, inner = part.partition("{")
            name = name.strip().lower()
            if brace:
                if not inner.endswith("}"):
                    raise Refused("BMXAA8744E", f"encountered {part[:60]!r}")
                children[name] = cls.parse(inner[:-1])
            elif name == "*":
                everything = True
            elif name:
                names.append(name)
        return cls(everything=everything, names=tuple(names), children=children)


def _top_level(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]
