"""Compiles the field mapping of a desk: JMESPath into readers, texts into templates.

Called by load.py, so that an unknown placeholder stops the start, with its line, and never shows
up at the first case. The expressions were checked by the models already.
"""

from collections.abc import Collection, Iterator
from zoneinfo import ZoneInfo

from dragoman.config.jmes import reader
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
    Rule,
    Update,
    Written,
)
from dragoman.domain.template import Template, parse

RULES = ("number", "kind", "title", "priority", "location", "opened_at", "phase", "due_by")
"""The values of a case that a mapping reads, beside its extra fields."""


def rules(table: ReadTable) -> Iterator[tuple[tuple[str, ...], ReadRule]]:
    """Each rule that a `read` table has, with its keys below [desks.NAME]."""
    for name in RULES:
        rule = getattr(table, name)
        if rule is not None:
            yield ("read", name), rule
    for name, rule in table.fields.items():
        yield ("read", "fields", name), rule


def incoming(table: ReadTable) -> Incoming:
    """A valid `read` table, compiled."""
    own = {name: getattr(table, name) for name in RULES}
    return Incoming(
        rules={name: _rule(rule) for name, rule in own.items() if rule is not None},
        fields={name: _rule(rule) for name, rule in table.fields.items()},
        when=None if table.when is None else reader(table.when),
        zone=ZoneInfo(table.zone),
        time_format=table.time_format or "",
    )


def _rule(rule: ReadRule) -> Rule:
    return Rule(
        path=rule.path or "",
        read=None if rule.path is None else reader(rule.path),
        const=rule.const,
        map=rule.map,
        default=rule.default,
        required=rule.required,
    )


class UpdateCompiler:
    """Compiles one `write` table. at: its path in the file, the status last.

    fields: the names that `{field.NAME}` may use. problems: filled by `update`.
    """

    def __init__(self, at: Path, fields: Collection[str]) -> None:
        fault = at[-1] in (FAULT, FAULT_CLEARED)
        self.at = at
        self.names = FAULT_VALUES if fault else CASE_VALUES
        self.fields = () if fault else fields
        self.problems: list[Problem] = []

    def update(self, table: WriteTable) -> Update:
        """The templates of the table; those with problems are left out."""
        fields = {
            name: self._written(("fields", name), rule) for name, rule in table.fields.items()
        }
        return Update(
            comment=self._template(("comment",), table.comment) if table.comment else None,
            note=self._template(("note",), table.note) if table.note else None,
            fields={name: one for name, one in fields.items() if one is not None},
            expect=table.expect,
        )

    def _written(self, at: Path, rule: WriteRule) -> Written | None:
        value = self._template(at, rule.value)
        if value is None:
            return None
        return Written(value=value, map=rule.map, default=rule.default)

    def _template(self, at: Path, text: str) -> Template | None:
        try:
            return parse(text, self.names, self.fields)
        except BadInput as error:
            path = (*self.at, *at)
            value = f'"{(error.value or text)[:80]}"'
            self.problems.append(Problem(path=path, text=error.text, mend=error.mend, value=value))
            return None
