"""ServiceNow's encoded queries (sysparm_query): parse, plan and run.

Called by `api` for lists. Source: the product documentation "Operators available for filters and
queries", "Encoded query strings" and the Table API's note on invalid queries: a part that names an
unknown field or holds no usable value is left out, and the rest answers; so a query whose only
part is invalid answers with every record, unless glide.invalid_query.returns_no_rows is true.

Grammar: conditions joined by ^ (and); ^OR binds to the condition before it; ^NQ starts another
whole query, and the results are united; ORDERBY and ORDERBYDESC sort; ^^ is a literal ^.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf

from dragoman.testing.servicenow.conditions import Context, NotEmulatedError, Test, condition
from dragoman.testing.servicenow.schema import FieldType
from dragoman.testing.servicenow.store import Row, Store, Table

_OPERATORS = (
    "DOES NOT CONTAIN|NOT LIKE|NOTLIKE|NOT IN|ISNOTEMPTY|ISEMPTY|EMPTYSTRING|ANYTHING|NSAMEAS|"
    "SAMEAS|STARTSWITH|ENDSWITH|CONTAINS|BETWEEN|LIKE|IN|ON|!=|>=|<=|=|>|<"
)
_TERM = re.compile(rf"([a-z0-9_.]+)({_OPERATORS})(.*)", re.DOTALL)
# Operators that the real desk knows and this one doesn't: refuse loudly, never misread.
_UNKNOWN_OPERATOR = re.compile(
    r"[a-z0-9_.]*(JOIN|RLQUERY|DYNAMIC|RELATIVE|DATEPART|VALCHANGES|CHANGES|MORETHAN|LESSTHAN|"
    r"INSTANCEOF|NOTON|GT_FIELD|LT_FIELD|MATCH_|SUBQUERY)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    path: str
    operator: str
    operand: str
    test: Test


# All conditions of a group are alternatives; all groups of a query must hold.
_Group = tuple[_Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parsed query over one table. `ignored` lists the parts that were left out as invalid."""

    table: str
    alternatives: tuple[tuple[_Group, ...], ...]
    order: tuple[tuple[str, bool], ...]
    ignored: tuple[str, ...]

    def rows(self, store: Store) -> list[Row]:
        """The matching rows in the asked order; otherwise in the order they were inserted."""
        table = store.tables[self.table]
        if len(self.alternatives) == 1:
            found = list(_select(table, self.alternatives[0]))
        else:
            seen: dict[str, Row] = {}
            for groups in self.alternatives:
                for row in _select(table, groups):
                    seen.setdefault(row["sys_id"], row)
            found = list(seen.values())
        for path, descending in reversed(self.order):
            found.sort(key=_sort_key(store, self.table, path), reverse=descending)
        return found


def parse(encoded: str, table: str, context: Context) -> Query:
    """Parse an encoded query. Raises NotEmulatedError for an operator beyond this emulation."""
    alternatives: list[tuple[_Group, ...]] = []
    groups: list[list[_Condition]] = []
    order: list[tuple[str, bool]] = []
    ignored: list[str] = []
    # An OR behind an invalid part joins no other part: it becomes a part of its own.
    joinable = False
    for raw in encoded.replace("^^", "\0").split("^"):
        term = raw.replace("\0", "^")
        if term.startswith("NQ"):
            alternatives.append(tuple(tuple(group) for group in groups))
            groups, joinable, term = [], False, term[2:]
        if not term or term == "EQ" or term.startswith("GROUPBY"):
            continue
        if term.startswith("ORDERBY"):
            descending = term.startswith("ORDERBYDESC")
            path = term[11:] if descending else term[7:]
            if context.store.field(table, path) is None:
                ignored.append(term)
            else:
                order.append((path, descending))
            continue
        alternative = term.startswith("OR")
        parsed = _parse_term(term[2:] if alternative else term, table, context)
        if parsed is None:
            ignored.append(term)
        elif alternative and joinable:
            groups[-1].append(parsed)
        else:
            groups.append([parsed])
        joinable = parsed is not None or (alternative and joinable)
    alternatives.append(tuple(tuple(group) for group in groups))
    return Query(
        table=table,
        alternatives=tuple(alternatives),
        order=tuple(order),
        ignored=tuple(ignored),
    )


def _parse_term(term: str, table: str, context: Context) -> _Condition | None:
    if _UNKNOWN_OPERATOR.match(term):
        raise NotEmulatedError(f"query part {term!r}")
    match = _TERM.fullmatch(term)
    if match is None:
        return None
    path, operator, operand = match.groups()
    found = context.store.field(table, path)
    if found is None:
        return None
    resolved = context.resolve(operand)
    test = condition(context.store, table, path, found, operator, resolved)
    if test is None:
        return None
    return _Condition(path=path, operator=operator, operand=resolved, test=test)


def _select(table: Table, groups: tuple[_Group, ...]) -> Iterator[Row]:
    candidates: Iterable[Row] = _candidates(table, groups)
    if not groups:
        yield from candidates
        return
    if all(len(group) == 1 for group in groups):
        tests = [group[0].test for group in groups]
        for row in candidates:
            if all(test(row) for test in tests):
                yield row
        return
    for row in candidates:
        if all(any(item.test(row) for item in group) for group in groups):
            yield row


def _candidates(table: Table, groups: tuple[_Group, ...]) -> Iterable[Row]:
    """The smallest set of rows an index offers that contains every match."""
    single = [group[0] for group in groups if len(group) == 1]
    for item in single:
        if item.operand and table.indexes(item.path) and item.operator in ("=", "IN"):
            values = [item.operand] if item.operator == "=" else item.operand.split(",")
            if "NULL" not in values:
                return table.where(item.path, values)
    bounds = [
        (item.operand, item.operator == ">=")
        for item in single
        if item.path == "sys_updated_on" and item.operator in (">=", ">")
    ]
    if bounds:
        # A bound without a time of day is a prefix of the stamps it admits, so it sorts first.
        stamp, inclusive = max(bounds)
        return table.updated_since(stamp, inclusive=inclusive)
    return table


def _sort_key(store: Store, table: str, path: str) -> Callable[[Row], tuple[float, str]]:
    """How rows sort by a field: empty values first, numbers by size, references as displayed."""
    found = store.field(table, path)
    assert found is not None, "parse() drops an order by an unknown field"
    if found.type is FieldType.INTEGER:
        return lambda row: _numeric(store.value(table, row, path))
    if found.type is FieldType.REFERENCE:

        def shown(row: Row) -> tuple[float, str]:
            value = store.value(table, row, path)
            return (0.0, (store.display(found.reference, value) or value).casefold())

        return shown
    if "." in path:
        return lambda row: (0.0, store.value(table, row, path).casefold())
    return lambda row: (0.0, row[path].casefold())


def _numeric(value: str) -> tuple[float, str]:
    return (float(value), "") if value else (-inf, "")


__all__ = ["Context", "NotEmulatedError", "Query", "parse"]
