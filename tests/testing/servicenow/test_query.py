"""Encoded queries: the planner and evaluator against a plain model, and the fixed examples."""

import operator
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.testing.servicenow.auth import Account
from dragoman.testing.servicenow.faults import Faults
from dragoman.testing.servicenow.instance import Instance
from dragoman.testing.servicenow.query import Context, NotEmulatedError, parse
from dragoman.testing.servicenow.schema import TABLES
from dragoman.testing.servicenow.store import Row, Table

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ADMIN = Account(user_name="admin", sys_id="a" * 32, roles=frozenset({"admin"}))
STAMPS = ["2026-03-01 12:00:00", "2026-03-01 12:00:01", "2026-03-01 12:00:03", "2026-03-02"]
# No "=": behind > it would read as >=, on the real desk too.
TEXTS = st.text(alphabet="aAb^, ", max_size=3)
ORDERS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
COMPARISONS = ["=", "!=", *ORDERS]


@dataclass(frozen=True)
class Part:
    field: str
    operator: str
    operand: str

    def encoded(self) -> str:
        return f"{self.field}{self.operator}{self.operand.replace('^', '^^')}"


def parts() -> st.SearchStrategy[Part]:
    text_operators = ["LIKE", "STARTSWITH", "ENDSWITH", "NOT LIKE", "DOES NOT CONTAIN", "IN"]
    text = st.builds(
        Part,
        st.sampled_from(["short_description", "correlation_id", "no_such_field"]),
        st.sampled_from([*COMPARISONS, *text_operators, "NOT IN"]),
        TEXTS,
    )
    number = st.builds(
        Part,
        st.sampled_from(["impact", "reopen_count"]),
        st.sampled_from(COMPARISONS),
        st.sampled_from(["", "0", "1", "2", "3", "10", "x"]),
    )
    moment = st.builds(
        Part,
        st.sampled_from(["due_date", "sys_updated_on"]),
        st.sampled_from(COMPARISONS),
        st.sampled_from([*STAMPS, "yesterday"]),
    )
    between = st.builds(
        lambda low, high: Part("sys_updated_on", "BETWEEN", f"{low}@{high}"),
        st.sampled_from(STAMPS),
        st.sampled_from(STAMPS),
    )
    empty = st.builds(
        Part,
        st.sampled_from(["short_description", "due_date", "impact"]),
        st.sampled_from(["ISEMPTY", "ISNOTEMPTY"]),
        st.just(""),
    )
    return st.one_of(text, number, moment, between, empty)


Queries = list[list[list[Part]]]
QUERIES: st.SearchStrategy[Queries] = st.lists(
    st.lists(st.lists(parts(), min_size=1, max_size=3), max_size=3), min_size=1, max_size=2
)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        TEXTS,
        st.sampled_from(["1", "2", "3", ""]),
        st.sampled_from(["", *STAMPS[:3]]),
        st.integers(0, 2),
    ),
    max_size=8,
)


def encode(query: Queries) -> str:
    return "^NQ".join(
        "^".join("^OR".join(part.encoded() for part in group) for group in groups)
        for groups in query
    )


def is_valid(part: Part) -> bool:
    """Whether the real desk would use this part, rather than leave it out."""
    if part.field == "no_such_field":
        return False
    orders = part.operator in ORDERS
    if part.field in {"impact", "reopen_count"}:
        return not orders or part.operand.isdigit()
    if part.field in {"due_date", "sys_updated_on"}:
        return part.operand != "yesterday"
    return not orders or part.operand != ""


def holds(part: Part, row: Row) -> bool:
    """The naive meaning of a part, field by field and operator by operator."""
    value, operand = row[part.field].lower(), part.operand.lower()
    match part.operator:
        case "ISEMPTY" | "ISNOTEMPTY":
            return (value == "") is (part.operator == "ISEMPTY")
        case "=" | "!=":
            return (value == operand) is (part.operator == "=")
        case "IN" | "NOT IN":
            return (value in operand.split(",")) is (part.operator == "IN")
        case "LIKE" | "NOT LIKE" | "DOES NOT CONTAIN":
            return (value.find(operand) >= 0) is (part.operator == "LIKE")
        case "STARTSWITH":
            return value[: len(operand)] == operand
        case "ENDSWITH":
            return operand == "" or value[-len(operand) :] == operand
        case "BETWEEN":
            low, high = operand.split("@")
            return low <= value <= high
        case _ if value == "":
            return False
        case _ if part.field in {"impact", "reopen_count"}:
            return bool(ORDERS[part.operator](int(value), int(operand)))
        case _:
            return bool(ORDERS[part.operator](value, operand))


def model(query: Queries, rows: list[Row]) -> set[str]:
    """The sys_ids that match: any alternative, all its groups, any valid part of each."""
    used = [
        [kept for group in groups if (kept := [part for part in group if is_valid(part)])]
        for groups in query
    ]
    return {
        row["sys_id"]
        for row in rows
        if any(all(any(holds(part, row) for part in group) for group in groups) for groups in used)
    }


def filled(rows: list[tuple[str, str, str, str, int]]) -> Instance:
    """An instance with these incidents, their updates spread over a few seconds."""
    now = [START]
    instance = Instance(TABLES, lambda: now[0], Faults(random.Random(0)))
    for text, correlation, impact, due, seconds in rows:
        now[0] += timedelta(seconds=seconds)
        sent = {"short_description": text, "correlation_id": correlation, "due_date": due}
        instance.insert("incident", sent | {"impact": impact}, ADMIN)
    return instance


def context(instance: Instance, now: datetime = START, zone: tzinfo = UTC) -> Context:
    return Context(store=instance.store, now=now, user_sys_id="u" * 32, zone=zone)


def run(instance: Instance, encoded: str) -> list[Row]:
    return parse(encoded, "incident", context(instance)).rows(instance.store)


@given(rows=ROWS, query=QUERIES)
def test_a_query_finds_what_the_model_finds(
    rows: list[tuple[str, str, str, str, int]], query: Queries
) -> None:
    instance = filled(rows)
    found = [row["sys_id"] for row in run(instance, encode(query))]
    assert len(found) == len(set(found))
    assert set(found) == model(query, list(instance.table("incident")))


@settings(max_examples=400)
@given(rows=ROWS, part=parts())
def test_each_part_alone_finds_what_the_model_finds(
    rows: list[tuple[str, str, str, str, int]], part: Part
) -> None:
    instance = filled(rows)
    found = {row["sys_id"] for row in run(instance, part.encoded())}
    assert found == model([[[part]]], list(instance.table("incident")))


@pytest.mark.parametrize("operator_and_value", [">2026-03-01 12:00:00", ">=2026-03-01 12:00:01"])
def test_a_watermark_between_two_updates_skips_none(operator_and_value: str) -> None:
    instance = filled([("a", "", "1", "", 0), ("b", "", "1", "", 2), ("c", "", "1", "", 0)])
    found = run(instance, f"sys_updated_on{operator_and_value}^ORDERBYsys_updated_on")
    assert sorted(row["short_description"] for row in found) == ["b", "c"]


def test_null_means_empty() -> None:
    instance = filled([("a", "", "1", "", 0), ("b", "x", "1", "", 0)])
    assert [row["short_description"] for row in run(instance, "correlation_id=NULL")] == ["a"]
    assert [row["short_description"] for row in run(instance, "correlation_id!=NULL")] == ["b"]


def test_indices_follow_changes() -> None:
    instance = filled([("a", "old", "1", "", 0)])
    table = instance.table("incident")
    (row,) = table
    instance.update("incident", row["sys_id"], {"correlation_id": "New"}, ADMIN)
    assert list(table.where("correlation_id", ["old"])) == []
    assert list(table.where("correlation_id", ["new"])) == [row]
    instance.delete("incident", row["sys_id"], ADMIN)
    assert list(table.where("correlation_id", ["new"])) == []
    assert list(table.updated_since("")) == []


@given(rows=ROWS, descending=st.booleans())
def test_order_is_stable_and_empty_values_come_first(
    rows: list[tuple[str, str, str, str, int]], descending: bool
) -> None:
    instance = filled(rows)
    direction = "ORDERBYDESC" if descending else "ORDERBY"
    found = run(instance, f"{direction}impact^ORDERBYnumber")
    impacts = [int(row["impact"] or 0) for row in found]
    assert impacts == sorted(impacts, reverse=descending)
    for impact in set(impacts):
        numbers = [row["number"] for row in found if int(row["impact"] or 0) == impact]
        assert numbers == sorted(numbers)


def test_or_binds_to_the_condition_before_it() -> None:
    instance = filled([("a", "x", "1", "", 0), ("b", "y", "1", "", 0), ("b", "x", "2", "", 0)])
    found = run(instance, "impact=1^short_description=a^ORshort_description=b")
    assert [row["number"] for row in found] == ["INC0010001", "INC0010002"]


def test_parts_that_are_left_out_are_named() -> None:
    instance = filled([])
    query = parse("nope=1^active=true^due_date>soon^ORDERBYnothing", "incident", context(instance))
    assert query.ignored == ("nope=1", "due_date>soon", "ORDERBYnothing")


@pytest.mark.parametrize(
    "encoded",
    [
        "JOINincident.sys_id=task.parent!active=true",
        "stateCHANGES",
        "opened_atRELATIVEGT@hour@ago@2",
    ],
)
def test_what_is_not_emulated_is_refused(encoded: str) -> None:
    with pytest.raises(NotEmulatedError):
        run(filled([]), encoded)


@pytest.mark.parametrize(
    ("script", "seconds_later", "zone", "found"),
    [
        ("gs.dateGenerate('2026-03-01','12:00:01')", 0, UTC, ["late"]),
        # The account's zone counts: 14:00:01 at +02:00 is 12:00:01 UTC.
        ("gs.dateGenerate('2026-03-01','14:00:01')", 0, timezone(timedelta(hours=2)), ["late"]),
        ("gs.minutesAgo(1)", 61, UTC, ["late"]),
        ("gs.hoursAgo(1)", 61, UTC, ["early", "late"]),
        # A date that is none makes the condition invalid, so that it is left out.
        ("gs.dateGenerate('never','12:00:01')", 0, UTC, ["early", "late"]),
    ],
)
def test_script_dates(script: str, seconds_later: int, zone: tzinfo, found: list[str]) -> None:
    instance = filled([("early", "", "1", "", 0), ("late", "", "1", "", 2)])
    asked = context(instance, START + timedelta(seconds=seconds_later), zone)
    query = parse(f"sys_created_on>=javascript:{script}", "incident", asked)
    assert [row["short_description"] for row in query.rows(instance.store)] == found


def test_between_two_script_dates() -> None:
    instance = filled([("a", "", "1", "", 0), ("b", "", "1", "", 2), ("c", "", "1", "", 2)])
    low, high = (f"javascript:gs.dateGenerate('2026-03-01','12:00:0{n}')" for n in (1, 3))
    found = run(instance, f"sys_updated_onBETWEEN{low}@{high}")
    assert [row["short_description"] for row in found] == ["b"]


def test_a_poll_reads_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query from a watermark goes by the index: it never walks over the whole table."""
    instance = filled([(f"{n}", "", "1", "", 1) for n in range(50)])
    table = instance.table("incident")
    since = sorted(row["sys_updated_on"] for row in table)[-3]
    walked: list[Table] = []

    def walk(self: Table) -> Iterator[Row]:
        walked.append(self)
        return iter(())

    monkeypatch.setattr(Table, "__iter__", walk)
    found = run(instance, f"active=true^sys_updated_on>={since}^ORDERBYsys_updated_on")
    assert len(found) == 3
    assert not walked
    run(instance, "active=true")
    assert walked
