"""The part of TicketSQL that searches need: comparisons joined by AND, OR and parentheses.

Source: the grammar as Request Tracker 5 documents it, and its recorded answers. Fields are looked
up by name in what the caller passes; `CF.{Name}` is a custom field.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

Value = str | int | datetime
Row = Mapping[str, Value]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""(?P<aggregator>\b(?:AND|OR)\b)
      | (?P<operator>!=|>=|<=|=|>|<|\bNOT\s+LIKE\b|\bLIKE\b|\bIS\s+NOT\b|\bIS\b)
      | (?P<value>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\b\d+\b|\bNULL\b)
      | (?P<field>(?:CF|CustomField)\.\{[^}]+\}|[A-Za-z]\w*)
      | (?P<open>\() | (?P<close>\))""",
    re.VERBOSE | re.IGNORECASE,
)
_COMPARE: Mapping[str, Callable[[Value, Value], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


class QueryError(ValueError):
    """A search that Request Tracker refuses with 400; the message is the one it gives."""


def compile_query(text: str, fields: frozenset[str]) -> Test:
    """Return a function that tells whether a row fits. Raises QueryError.

    `fields` are the names that rows have, in lower case; custom fields are `cf.NAME`.
    """
    return _Parser(text, fields).parse()


class _Parser:
    def __init__(self, text: str, fields: frozenset[str]) -> None:
        self._text = text
        self._fields = fields
        # Request Tracker passes over what it can't read, such as "~~"; so does this.
        self._tokens = list(_TOKEN.finditer(text))
        self._at = 0

    def parse(self) -> Test:
        test = self._either()
        if self._at < len(self._tokens):
            raise self._expected("AGGREGATOR")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._accept("aggregator", "OR"):
            tests.append(self._both())
        return lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._accept("aggregator", "AND"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._accept("open"):
            test = self._either()
            self._take("close", "CLOSE_PAREN")
            return test
        name = self._take("field", "KEYWORD or OPEN_PAREN")
        sign = re.sub(r"\s+", " ", self._take("operator", "OPERATOR").upper())
        wanted = _unquote(self._take("value", "VALUE"))
        key = re.sub(r"^(?:CF|CustomField)\.\{(.+)\}$", r"cf.\1", name, flags=re.IGNORECASE)
        if key.lower() not in self._fields and not key.startswith("cf."):
            raise QueryError(f"Unknown field: {name}")
        return _comparison(key.lower(), sign, wanted)

    def _accept(self, kind: str, word: str = "") -> bool:
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.lastgroup == kind and word in ("", token[0].upper()):
                self._at += 1
                return True
        return False

    def _take(self, kind: str, expected: str) -> str:
        if self._accept(kind):
            return self._tokens[self._at - 1][0]
        raise self._expected(expected)

    def _expected(self, what: str) -> QueryError:
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            place = f"{self._text[: token.start()]}>{token[0]}<--here"
        else:
            place = f"{self._text}><--here"
        return QueryError(f"Wrong query, expecting a {what} in '{place}'")


def _unquote(text: str) -> str:
    if text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return "" if text.upper() == "NULL" else text


def _comparison(key: str, sign: str, wanted: str) -> Test:
    if "LIKE" in sign:
        part = wanted.strip("%").lower()
        return lambda row: (part in str(row.get(key, "")).lower()) != sign.startswith("NOT")
    if sign.startswith("IS"):
        return lambda row: (str(row.get(key, "")) == wanted) != sign.endswith("NOT")
    if key == "status" and wanted in ("__Active__", "__Inactive__"):
        key, wanted = "activity", wanted.strip("_").lower()
    compare = _COMPARE[sign]

    def test(row: Row) -> bool:
        value = row.get(key, "")
        if isinstance(value, datetime):
            return compare(value, _date(wanted))
        if isinstance(value, int):
            return wanted.lstrip("-").isdigit() and compare(value, int(wanted))
        return compare(value.lower(), wanted.lower())

    return test


def _date(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
