"""The part of SOQL that a gateway and its witnesses use: parsed into a query, not yet run.

Called by `select`. SELECT fields or COUNT() FROM one object, WHERE with comparisons, LIKE, IN, NOT,
AND, OR and parentheses, ORDER BY, LIMIT and OFFSET. AND and OR may not be mixed without
parentheses, as in Salesforce. Source: SOQL and SOSL Reference.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from dragoman.testing.salesforce.errors import Refused

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^'\\]|\\.)*')
      | (?P<time>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}))
      | (?P<date>\d{4}-\d{2}-\d{2})
      | (?P<number>[+-]?\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)
      | (?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_SIGNS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})

Literal = str | float | bool | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A text in quotes. like: as a pattern, with \\% and \\_ still escaped."""

    text: str
    like: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """field, sign (=, !=, <, <=, >, >=, LIKE, IN, NOT IN), and one value or several."""

    field: str
    sign: str
    values: Sequence["Quoted | Literal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Conditions joined by AND, OR, or one of them under NOT."""

    by: str
    parts: Sequence["Condition"]


Condition = Comparison | Joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parsed query. fields: empty for COUNT(). order: (field, descending)."""

    fields: Sequence[str]
    source: str
    where: Condition | None
    order: Sequence[tuple[str, bool]]
    limit: int | None
    offset: int


def parse(text: str) -> Query:
    """Raises Refused with MALFORMED_QUERY."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                raise _unexpected(text[place:].strip()[:1])
            assert match.lastgroup is not None
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()

    def query(self) -> Query:
        self._expect("SELECT")
        fields = self._fields()
        self._expect("FROM")
        source = self._word()
        where = self._joined() if self._accept("WHERE") else None
        order: list[tuple[str, bool]] = []
        if self._accept("ORDER"):
            self._expect("BY")
            order = [self._ordering()]
            while self._accept(","):
                order.append(self._ordering())
        limit = self._count() if self._accept("LIMIT") else None
        offset = self._count() if self._accept("OFFSET") else 0
        if self._at < len(self._tokens):
            raise _unexpected(self._tokens[self._at][1])
        return Query(
            fields=fields, source=source, where=where, order=order, limit=limit, offset=offset
        )

    def _fields(self) -> list[str]:
        names = [self._word()]
        if names[0].upper() == "COUNT" and self._accept("("):
            self._expect(")")
            return []
        while self._accept(","):
            names.append(self._word())
        return names

    def _ordering(self) -> tuple[str, bool]:
        name = self._word()
        descending = self._accept("DESC")
        if not descending:
            self._accept("ASC")
        return name, descending

    def _joined(self) -> Condition:
        parts = [self._condition()]
        by = ""
        while self._at < len(self._tokens):
            word = self._tokens[self._at][1].upper()
            if word not in ("AND", "OR"):
                break
            if by and by != word:
                raise _unexpected(word)
            by = word
            self._at += 1
            parts.append(self._condition())
        return Joined(by=by, parts=parts) if by else parts[0]

    def _condition(self) -> Condition:
        if self._accept("NOT"):
            return Joined(by="NOT", parts=[self._condition()])
        if self._accept("("):
            inner = self._joined()
            self._expect(")")
            return inner
        field = self._word()
        if self._accept("LIKE"):
            return Comparison(field=field, sign="LIKE", values=[self._literal()])
        negated = self._accept("NOT")
        if negated or self._is("IN"):
            self._expect("IN")
            self._expect("(")
            values = [self._literal()]
            while self._accept(","):
                values.append(self._literal())
            self._expect(")")
            return Comparison(field=field, sign="NOT IN" if negated else "IN", values=values)
        kind, sign = self._next()
        if kind != "sign" or sign not in _SIGNS:
            raise _unexpected(sign)
        return Comparison(
            field=field, sign="!=" if sign == "<>" else sign, values=[self._literal()]
        )

    def _literal(self) -> Quoted | Literal:
        kind, text = self._next()
        match kind:
            case "text":
                return Quoted(text=_unquoted(text, ""), like=_unquoted(text, "%_"))
            case "time":
                return datetime.fromisoformat(text).astimezone(UTC)
            case "date":
                found = date.fromisoformat(text)
                return datetime(found.year, found.month, found.day, tzinfo=UTC)
            case "number":
                return float(text)
            case "word" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "word" if text.lower() == "null":
                return None
            case _:
                raise _unexpected(text)

    def _count(self) -> int:
        kind, text = self._next()
        if kind != "number" or not text.isdecimal():
            raise _unexpected(text)
        return int(text)

    def _word(self) -> str:
        kind, text = self._next()
        if kind != "word":
            raise _unexpected(text)
        return text

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise _unexpected("<EOF>")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, wanted: str) -> bool:
        return (
            self._at < len(self._tokens)
            and self._tokens[self._at][0] in ("word", "sign")
            and self._tokens[self._at][1].upper() == wanted
        )

    def _accept(self, wanted: str) -> bool:
        found = self._is(wanted)
        self._at += found
        return found

    def _expect(self, wanted: str) -> None:
        if not self._accept(wanted):
            raise _unexpected(
                self._tokens[self._at][1] if self._at < len(self._tokens) else "<EOF>"
            )


def _unexpected(token: str) -> Refused:
    return Refused("MALFORMED_QUERY", f"unexpected token: {token!r}")


def _unquoted(text: str, kept: str) -> str:
    """The text within quotes. kept: characters that stay escaped."""
    return re.sub(
        r"\\(.)",
        lambda match: match[0] if match[1] in kept else _ESCAPES.get(match[1], match[1]),
        text[1:-1],
        flags=re.DOTALL,
    )
