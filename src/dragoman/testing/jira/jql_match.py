"""Which issues a query finds, and in which order: the meaning of the emulated Jira's JQL.

Called by `search` and `webhooks`. A date may be milliseconds since 1970 (exact, no zone), or text
that is read to the minute in the asking user's zone, or a period such as -5m. Values that can't
be are refused as Jira does: that is how a misspelt project or status shows.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dragoman.testing.jira.documents import to_text
from dragoman.testing.jira.jql import Clause, Group, Node, Query
from dragoman.testing.jira.schema import CATEGORIES, STATUSES, Field, Kind, User
from dragoman.testing.jira.store import Issue, Store
from dragoman.testing.jira.wire import Refused

Test = Callable[[Issue], bool]
_PERIOD = re.compile(r"([+-]?)(\d+)([wdhm])")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_DATES = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
_KEYS = frozenset({"key", "issuekey", "id", "issue"})
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
}


class Meaning:
    """Compiles queries of one user."""

    def __init__(self, store: Store, user: User) -> None:
        self._store = store
        self._user = user
        self._clauses = {
            name.lower(): one
            for one in store.fields.values()
            for name in (one.id, one.name, *one.clauses)
        }

    def test(self, node: Node | None) -> Test:
        """A test for issues. Raises Refused (400)."""
        if node is None:
            return lambda _: True
        if isinstance(node, Clause):
            return self._clause(node)
        return self._group(node)

    def key(self, query: Query) -> Callable[[Issue], tuple[object, ...]]:
        """A sort key for the query's order; by key where it leaves issues equal."""
        readers = [(self._sorter(name), descending) for name, descending in query.order]

        def key(issue: Issue) -> tuple[object, ...]:
            parts: list[object] = []
            for read, descending in readers:
                value = read(issue)
                parts.append(_Falling(value) if descending else value)
            return (*parts, issue.id)

        return key

    def _group(self, node: Group) -> Test:
        tests = [self.test(part) for part in node.parts]
        if node.kind == "not":
            return lambda issue: not tests[0](issue)
        if node.kind == "or":
            return lambda issue: any(test(issue) for test in tests)
        return lambda issue: all(test(issue) for test in tests)

    def _clause(self, clause: Clause) -> Test:
        name = clause.field.lower()
        if name in _KEYS:
            return self._by_key(clause)
        if name == "statuscategory":
            return self._by_category(clause)
        field = self._clauses.get(name)
        if field is None:
            raise _unknown(clause.field)
        if None in clause.values or clause.operator in ("is", "is not"):
            return self._empty(clause, field)
        if field.kind in (Kind.DATE, Kind.DATETIME):
            return self._by_date(clause, field)
        if clause.operator in ("~", "!~"):
            return self._by_text(clause, field)
        if field.kind in (Kind.TEXT, Kind.RICH):
            raise Refused(
                400,
                f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.",
            )
        return self._by_value(clause, field)

    def _by_key(self, clause: Clause) -> Test:
        wanted = {str(value).upper() for value in clause.values}
        known = {one for issue in self._store.issues.values() for one in (issue.key, str(issue.id))}
        for value in sorted(wanted - known):
            raise Refused(
                400, f"An issue with key '{value}' does not exist for field '{clause.field}'."
            )
        if clause.operator in (">", ">=", "<", "<="):
            (value,) = wanted
            if not value.isdigit():
                raise Refused(400, f"Issue '{value}' could not be compared by number.")
            compare = _COMPARE[clause.operator]
            return lambda issue: compare(issue.id, int(value))
        positive = clause.operator in ("=", "in")
        return lambda issue: (issue.key in wanted or str(issue.id) in wanted) is positive

    def _by_category(self, clause: Clause) -> Test:
        names = {text.lower(): key for key, (number, text) in CATEGORIES.items()}
        ids = {str(number): key for key, (number, _) in CATEGORIES.items()}
        wanted = set()
        for value in clause.values:
            found = names.get(str(value).lower()) or ids.get(str(value))
            if found is None and value not in CATEGORIES:
                raise _no_value(str(value), clause.field)
            wanted.add(found or value)
        positive = clause.operator in ("=", "in")
        return lambda issue: (STATUSES[issue.status][1] in wanted) is positive

    def _empty(self, clause: Clause, field: Field) -> Test:
        positive = clause.operator in ("is", "=", "in")
        return lambda issue: (issue.values[field.id] in (None, "", [])) is positive

    def _by_text(self, clause: Clause, field: Field) -> Test:
        words = [word.strip('"*').lower() for word in str(clause.values[0]).split()]
        positive = clause.operator == "~"

        def test(issue: Issue) -> bool:
            value = issue.values[field.id]
            held = (to_text(value) if isinstance(value, dict) else str(value or "")).lower()
            return all(word in re.split(r"\W+", held) or word in held for word in words) is positive

        return test

    def _by_value(self, clause: Clause, field: Field) -> Test:
        wanted = {self._checked(str(value), clause, field) for value in clause.values}
        if clause.operator not in ("=", "!=", "in", "not in"):
            raise Refused(
                400,
                f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.",
            )
        positive = clause.operator in ("=", "in")

        def test(issue: Issue) -> bool:
            value = issue.values[field.id]
            held = (
                {str(one).lower() for one in value} if isinstance(value, list) else {_plain(value)}
            )
            return bool(held & wanted) is positive

        return test

    def _checked(self, value: str, clause: Clause, field: Field) -> str:
        """The value as it is compared. Raises Refused for one that doesn't exist."""
        if value == "currentuser()":
            return self._user.account_id.lower()
        known: set[str] = set()
        if field.kind is Kind.PROJECT:
            known = {str(one.values["project"]) for one in self._store.issues.values()}
            known = {one.lower() for one in (*known, self._store.project)}
            if "browse" not in self._user.may:
                known = set()
            elif value.lower() not in known:
                raise _no_value(value, clause.field)
        elif field.id == "status":
            known = {one.lower() for one in STATUSES}
            numbers = {str(number): name for name, (number, _) in STATUSES.items()}
            value = numbers.get(value, value)
        elif field.kind in (Kind.NAMED, Kind.OPTION):
            known = {one.lower() for one in field.allowed}
        elif field.kind is Kind.NUMBER:
            return _plain(float(value))
        else:
            return value.lower()
        if value.lower() not in known:
            raise _no_value(value, clause.field)
        return value.lower()

    def _by_date(self, clause: Clause, field: Field) -> Test:
        if clause.operator not in _COMPARE:
            raise Refused(
                400,
                f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.",
            )
        wanted = self._moment(str(clause.values[0]), clause.field, field.kind).timestamp()
        compare = _COMPARE[clause.operator]

        def test(issue: Issue) -> bool:
            held = _time(issue, field)
            return held is not None and compare(held, wanted)

        return test

    def _moment(self, text: str, name: str, kind: Kind) -> datetime:
        zone = UTC if kind is Kind.DATE else self._user.zone
        if re.fullmatch(r"-?\d{5,}", text):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))
        if text == "now()":
            return self._store.now()
        period = _PERIOD.fullmatch(text.strip())
        if period is not None:
            span = timedelta(**{_UNITS[period[3]]: int(period[2])})
            moment = self._store.now() + (-span if period[1] == "-" else span)
            return moment.replace(second=0, microsecond=0)
        for shape in _DATES:
            try:
                return datetime.strptime(text, shape).replace(tzinfo=zone)
            except ValueError:
                continue
        raise Refused(
            400,
            f"Date value '{text}' for field '{name}' is invalid. Valid formats include: "
            "'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period "
            "format e.g. '-5d', '4w 2d'.",
        )

    def _sorter(self, name: str) -> Callable[[Issue], object]:
        if name.lower() in _KEYS:
            return lambda issue: (issue.key.rpartition("-")[0], issue.id)
        field = self._clauses.get(name.lower())
        if field is None:
            raise Refused(400, f"Not able to sort using field '{name}'.")
        if field.kind in (Kind.DATE, Kind.DATETIME):
            return lambda issue: _time(issue, field) or 0.0
        return lambda issue: _plain(issue.values[field.id])


class _Falling:
    """A value that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Falling) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: "_Falling") -> bool:
        return bool(other.value < self.value)  # type: ignore[operator] # of one field: alike


def _time(issue: Issue, field: Field) -> float | None:
    if field.id in ("created", "updated"):
        moment: datetime = getattr(issue, field.id)
        return moment.timestamp()
    value = issue.values[field.id]
    if not isinstance(value, str):
        return None
    found = datetime.fromisoformat(value)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _plain(value: object) -> str:
    return "" if value is None else str(value).lower()


def _unknown(name: str) -> Refused:
    return Refused(400, f"Field '{name}' does not exist or you do not have permission to view it.")


def _no_value(value: str, name: str) -> Refused:
    return Refused(400, f"The value '{value}' does not exist for the field '{name}'.")
