"""A mapping against the fields that a desk says it has: what doesn't fit, and the nearest name."""

from types import SimpleNamespace
from typing import Any

import pytest

from dragoman.config import mapping
from dragoman.config.drift import drifts
from dragoman.config.model import DeskTable, ReadTable, WriteTable
from dragoman.domain.mapping import Outgoing
from dragoman.ports.schema import DeskField

STATES = {"1": "New", "2": "In Progress", "6": "Resolved"}
FIELDS = (
    DeskField(name="state", label="State", path="state.value", also=("state",), choices=STATES),
    DeskField(name="title", label="Short description", path="title.value", also=("title",)),
    DeskField(name="number", path="number.value", also=("number",), writable=False),
    DeskField(name="caller", label="Caller", path="caller.value", mandatory=True),
    DeskField(name="Bay", path="custom[?name=='Bay'].values", aliases=("CF.Bay",)),
)


def table(read: dict[str, Any], write: dict[str, Any]) -> DeskTable:
    """A desk's table as load.py compiles it."""
    reading = ReadTable.model_validate(read)
    writing = {name: WriteTable.model_validate(one) for name, one in write.items()}
    updates = {}
    for name, one in writing.items():
        compiler = mapping.UpdateCompiler(("desks", "d", "write", name), reading.fields)
        updates[name] = compiler.update(one)
        assert compiler.problems == []
    return DeskTable(type="d", read=reading, write=writing, outgoing=Outgoing(updates=updates))


def told(read: dict[str, Any], write: dict[str, Any], *, creates: bool = False) -> list[str]:
    return [str(one) for one in drifts(table(read, write), FIELDS, creates=creates)]


def test_what_fits_is_not_told() -> None:
    read = {
        "when": "state.value != '6' || !_rowstamp",
        "title": "title.display_value || null",
        "phase": {"path": "state.value", "map": {"6": "closed", "4": "cancelled"}},
        "fields": {"bay": "custom[?name=='Bay'].values | [0]", "other": {"const": "1"}},
    }
    expect = {"state": ["1", "2"], "number": ["7"]}
    write = {
        "done": {"fields": {"state": "6", "title": "{title}", "CF.Bay": "x"}, "expect": expect},
        "queued": {"fields": {"state": {"value": "{status}", "map": {"queued": "1"}}}},
        "fault": {"fields": {"caller": "robot"}},
    }
    assert told(read, write, creates=True) == []


def test_fields_of_the_query_that_are_not_there() -> None:
    options = SimpleNamespace(queried=("state", "caller.name", "sys_id", "titel"))
    asked = table({}, {}).model_copy(update={"options": options})
    (one,) = drifts(asked, FIELDS, creates=False)
    assert one.breaks
    assert str(one) == (
        "query: the query names titel, and there is no such field; "
        "did you mean title (Short description)?"
    )


@pytest.mark.parametrize(
    ("read", "line"),
    [
        (
            {"title": "titel.value"},
            "read.title: records have no field titel; did you mean title (Short description)?",
        ),
        (
            {"fields": {"bay": "custom[?name=='Bey'].values"}},
            "read.fields.bay: records have no field custom.Bey; did you mean Bay?",
        ),
        (
            {"when": "stat.value"},
            "read.when: records have no field stat; did you mean state (State)?",
        ),
        (
            {"phase": {"path": "state.value", "map": {"Resolvd": "closed"}}},
            "read.phase.map: state (State) has no choice 'Resolvd'; did you mean 6 (Resolved)?",
        ),
    ],
)
def test_reads_that_lead_nowhere(read: dict[str, Any], line: str) -> None:
    (one,) = drifts(table(read, {}), FIELDS, creates=True)
    assert str(one) == line
    assert not one.breaks


@pytest.mark.parametrize(
    ("update", "line"),
    [
        (
            {"fields": {"stete": "6"}},
            "write.done.fields.stete: there is no field stete; did you mean state (State)?",
        ),
        (
            {"fields": {"state": "In Progress"}},
            "write.done.fields.state: state (State) has no choice 'In Progress'; "
            "did you mean 2 (In Progress)?",
        ),
        (
            {"fields": {"state": {"value": "{status}", "map": {"done": "66x9"}}}},
            "write.done.fields.state: state (State) has no choice '66x9'; "
            "it has 1 (New), 2 (In Progress), 6 (Resolved)",
        ),
        (
            {"fields": {"number": "{number}"}},
            "write.done.fields.number: number can't be written by this account",
        ),
        (
            {"note": "x", "expect": {"state": ["1", "Resolved"]}},
            "write.done.expect.state: state (State) has no choice 'Resolved'; "
            "did you mean 6 (Resolved)?",
        ),
        (
            {"note": "x", "expect": {"Stage": ["1"]}},
            "write.done.expect.Stage: there is no field Stage; did you mean state (State)?",
        ),
    ],
)
def test_writes_that_will_fail(update: dict[str, Any], line: str) -> None:
    (one,) = drifts(table({}, {"done": update}), FIELDS, creates=True)
    assert str(one) == line
    assert one.breaks


def test_a_new_record_needs_its_mandatory_fields_where_we_create_some() -> None:
    write = {"fault": {"fields": {"title": "{key}"}}}
    assert told({}, write) == []
    assert told({}, write, creates=True) == [
        "write.fault.fields: a new record needs caller (Caller), and nothing writes it; "
        "add caller to write.fault.fields"
    ]
