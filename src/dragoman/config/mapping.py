"""Compiles the field mapping of a desk: JMESPath into readers, texts into templates.

Called by load.py, so that a bad expression or an unknown placeholder stops the start, with its
line and column, and never shows up at the first case. JMESPath: https://jmespath.org.
"""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import jmespath
from jmespath.exceptions import JMESPathError, ParseError
from jmespath.functions import Functions

from dragoman.config.model import ReadRule, ReadTable, WriteRule, WriteTable
from dragoman.config.positions import Path
from dragoman.config.problems import Problem
from dragoman.domain.errors import BadInput
from dragoman.domain.mapping import (
    CASE_VALUES,
    FAULT,
    FAULT_CLEARED,
    FAULT_VALUES,
    Incoming,
    Outgoing,
    Reader,
    Rule,
    Update,
    Written,
)
from dragoman.domain.template import Template, parse

RULES = ("number", "kind", "title", "priority", "location", "opened_at", "phase", "due_by")
"""The values of a case that a mapping reads, beside its extra fields."""

_EVALUATION = (JMESPathError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)
T = TypeVar("T")


class Compiler:
    """Collects the problems of one desk's mapping. at: the desk's path in the file."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self.problems: list[Problem] = []

    def incoming(self, table: ReadTable) -> Incoming:
        """The `read` table, compiled. Look at `problems` afterwards."""
        at = (*self.at, "read")
        rules = {name: self._rule((*at, name), getattr(table, name)) for name in RULES}
        fields = {
            name: self._rule((*at, "fields", name), rule) for name, rule in table.fields.items()
        }
        return Incoming(
            rules={name: rule for name, rule in rules.items() if rule is not None},
            fields={name: rule for name, rule in fields.items() if rule is not None},
            when=self._reader((*at, "when"), table.when),
            zone=ZoneInfo(table.zone),
            time_format=table.time_format or "",
        )

    def outgoing(self, tables: Mapping[str, WriteTable], fields: Collection[str]) -> Outgoing:
        """The `write` tables, compiled. fields: names that `{field.NAME}` may use."""
        updates = {}
        for name, table in tables.items():
            fault = name in (FAULT, FAULT_CLEARED)
            updates[name] = self._update(
                (*self.at, "write", name),
                table,
                partial(parse, names=FAULT_VALUES, fields=())
                if fault
                else partial(parse, names=CASE_VALUES, fields=fields),
            )
        return Outgoing(updates=updates)

    def _update(self, at: Path, table: WriteTable, read: Callable[[str], Template]) -> Update:
        def text(key: str, written: str) -> Template | None:
            return self._try((*at, key), written, lambda: read(written)) if written else None

        def field(name: str, rule: WriteRule) -> Written | None:
            value = self._try((*at, "fields", name), rule.value, lambda: read(rule.value))
            return (
                None if value is None else Written(value=value, map=rule.map, default=rule.default)
            )

        fields = {name: field(name, rule) for name, rule in table.fields.items()}
        return Update(
            comment=text("comment", table.comment),
            note=text("note", table.note),
            fields={name: one for name, one in fields.items() if one is not None},
            expect=table.expect,
        )

    def _rule(self, at: Path, rule: ReadRule | None) -> Rule | None:
        if rule is None:
            return None
        return Rule(
            path=rule.path or "",
            read=self._reader(at, rule.path),
            const=rule.const,
            map=rule.map,
            default=rule.default,
            required=rule.required,
        )

    def _reader(self, at: Path, path: str | None) -> Reader | None:
        return None if path is None else self._try(at, path, lambda: reader(path))

    def _try(self, at: Path, value: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except BadInput as error:
            shown = error.value or value
            self.problems.append(
                Problem(path=at, text=error.text, mend=error.mend, value=f'"{shown[:80]}"')
            )
            return None


def reader(path: str) -> Reader:
    """Compile a JMESPath. Raises BadInput naming the column; the reader raises BadInput too."""
    try:
        compiled: Any = jmespath.compile(path)
    except ParseError as error:
        at = min(error.lex_position, len(path)) + 1
        raise BadInput(
            f"this is no JMESPath: column {at} can't be read",
            value=path,
            mend="see https://jmespath.org; names with other signs than A-Z 0-9 _ stand in quotes",
        ) from error
    except JMESPathError as error:
        raise BadInput(
            "this is no JMESPath", value=path, mend="write one, like `number`"
        ) from error
    _check_functions(path, compiled.parsed)

    def read(raw: Mapping[str, object]) -> object:
        try:
            return compiled.search(raw)
        except _EVALUATION as error:
            raise BadInput(
                f"the path {path} can't be evaluated on this record ({type(error).__name__})",
                field=path,
                mend="let the path allow for missing values, like `a || b`",
            ) from error

    return read


def _check_functions(path: str, node: Mapping[str, Any]) -> None:
    """Find unknown functions and wrong numbers of arguments, which JMESPath tells at use only."""
    if node["type"] == "function_expression":
        name, given = node["value"], len(node["children"])
        if name not in Functions.FUNCTION_TABLE:
            near = get_close_matches(name, Functions.FUNCTION_TABLE, n=1)
            mend = (
                f"did you mean {near[0]}?" if near else "see the functions at https://jmespath.org"
            )
            column = path.find(name) + 1
            raise BadInput(f"column {column}: no function {name}", value=path, mend=mend)
        signature = Functions.FUNCTION_TABLE[name]["signature"]
        more = bool(signature) and signature[-1].get("variadic")
        if given < len(signature) or (given > len(signature) and not more):
            column = path.find(name) + 1
            raise BadInput(
                f"column {column}: {name} takes {len(signature)} arguments, not {given}",
                value=path,
                mend="see https://jmespath.org",
            )
    for child in node["children"]:
        if isinstance(child, Mapping):
            _check_functions(path, child)
