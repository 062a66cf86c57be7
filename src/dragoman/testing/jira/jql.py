"""The emulated Jira's query language: from text to a tree, with Jira's own complaints.

Called by `search` and `webhooks`; `jql_match` evaluates the tree. Source: "Use advanced search
with JQL", its fields, operators and keywords. What isn't emulated (WAS, CHANGED, most functions)
is refused with 400 as an unknown part would be.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.testing.jira.wire import Refused

_TOKEN = re.compile(
    r"""\s*(?:
        "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
      | (?P<operator>!=|>=|<=|!~|[=><~]) | (?P<mark>[(),])
      | (?P<word>[^\s"'!=><~(),]+)
    )""",
    re.VERBOSE,
)
_RESERVED = frozenset({"and", "or", "not", "order", "by", "in", "is", "empty", "null"})
_OPERATORS = frozenset({"=", "!=", ">", ">=", "<", "<=", "~", "!~"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """kind: word, text (quoted), operator or mark. at: its character, from 1."""

    kind: str
    text: str
    at: int

    def says(self, word: str) -> bool:
        """Whether this is an unquoted keyword."""
        return self.kind == "word" and self.text.lower() == word


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """field operator values. operator: as written, or in, not in, is, is not. values: None is
    EMPTY; a function comes as `name()`.
    """

    field: str
    operator: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """kind: and, or, not."""

    kind: str
    parts: tuple["Node", ...]


Node = Clause | Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """where: None for no condition at all. order: (field, descending)."""

    where: Node | None
    order: Sequence[tuple[str, bool]] = ()


def parse(text: str) -> Query:
    """Raises Refused (400) with the words of Jira's parser."""
    return _Parser(_tokens(text)).query()


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(
                f"The character '{text[at:].strip()[0]}' is a reserved JQL character.", at + 1
            )
        kind = match.lastgroup or ""
        value = match[kind]
        if kind in ("double", "single"):
            kind, value = "text", re.sub(r"\\(.)", r"\1", value)
        found.append(Token(kind=kind, text=value, at=match.start(match.lastgroup or 0) + 1))
        at = match.end()
    return found


def _wrong(words: str, at: int) -> Refused:
    return Refused(400, f"Error in the JQL Query: {words} (line 1, character {at})")


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def query(self) -> Query:
        first = self._peek()
        where = None if first is None or first.says("order") else self._either()
        order: list[tuple[str, bool]] = []
        if self._takes("order"):
            if not self._takes("by"):
                raise self._expected("'BY'")
            order.append(self._sorting())
            while self._takes(","):
                order.append(self._sorting())
        if self._peek() is not None:
            raise self._expected("either 'OR' or 'AND'")
        return Query(where=where, order=order)

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self, wanted: str) -> Token:
        token = self._peek()
        if token is None:
            raise self._expected(wanted)
        self._at += 1
        return token

    def _takes(self, text: str) -> bool:
        token = self._peek()
        if token is None or not (token.says(text) or (token.kind == "mark" and token.text == text)):
            return False
        self._at += 1
        return True

    def _expected(self, wanted: str) -> Refused:
        token = self._peek()
        if token is None:
            return Refused(
                400, f"Error in the JQL Query: Expecting {wanted} before the end of the query."
            )
        return _wrong(f"Expecting {wanted} but got '{token.text}'.", token.at)

    def _sorting(self) -> tuple[str, bool]:
        name = self._next("a field name").text
        descending = self._takes("desc")
        if not descending:
            self._takes("asc")
        return name, descending

    def _either(self) -> Node:
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Group(kind="or", parts=tuple(parts))

    def _both(self) -> Node:
        parts = [self._single()]
        while self._takes("and"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else Group(kind="and", parts=tuple(parts))

    def _single(self) -> Node:
        if self._takes("not"):
            return Group(kind="not", parts=(self._single(),))
        if self._takes("("):
            inner = self._either()
            if not self._takes(")"):
                raise self._expected("')'")
            return inner
        return self._clause()

    def _clause(self) -> Node:
        token = self._next("a field name")
        if token.kind not in ("word", "text") or (
            token.kind == "word" and token.text.lower() in _RESERVED
        ):
            self._at -= 1
            raise self._expected("a field name")
        operator = self._operator()
        if operator in ("in", "not in"):
            return Clause(field=token.text, operator=operator, values=self._list())
        return Clause(field=token.text, operator=operator, values=(self._value(),))

    def _operator(self) -> str:
        token = self._peek()
        if token is not None and token.kind == "operator" and token.text in _OPERATORS:
            self._at += 1
            return token.text
        if self._takes("in"):
            return "in"
        if self._takes("is"):
            return "is not" if self._takes("not") else "is"
        if self._takes("not"):
            if self._takes("in"):
                return "not in"
            raise self._expected("'IN'")
        raise self._expected(
            "operator, the valid operators are '=', '!=', '<', '>', '<=', '>=', '~', '!~', "
            "'IN', 'NOT IN', 'IS' and 'IS NOT',"
        )

    def _list(self) -> tuple[str | None, ...]:
        if not self._takes("("):
            raise self._expected("'('")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        if not self._takes(")"):
            raise self._expected("')'")
        return tuple(values)

    def _value(self) -> str | None:
        token = self._next("either a value, list or function")
        if token.says("empty") or token.says("null"):
            return None
        if token.kind not in ("word", "text") or (
            token.kind == "word" and token.text.lower() in _RESERVED
        ):
            self._at -= 1
            raise self._expected("either a value, list or function")
        if token.kind == "word" and self._takes("("):
            if not self._takes(")"):
                raise self._expected("')'")
            return f"{token.text.lower()}()"
        return token.text
