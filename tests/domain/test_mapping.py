"""Reading desk records into cases, and telling statuses in desk fields."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.domain.case import Case, CaseDraft, CaseState, DeskPhase
from dragoman.domain.errors import BadInput
from dragoman.domain.fault import Fault
from dragoman.domain.mapping import (
    CASE_VALUES,
    FAULT_VALUES,
    Incoming,
    Outgoing,
    Reader,
    Rule,
    Update,
    Written,
    differs,
    fault_values,
    status_values,
)
from dragoman.domain.status import Status, Told
from dragoman.domain.template import parse

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(key: str) -> Reader:
    """A reader of one key of the record."""
    return lambda raw: raw.get(key)


def rule(key: str, **more: Any) -> Rule:
    return replace(Rule(path=key, read=at(key)), **more)


INCOMING = Incoming(
    rules={
        "number": rule("number"),
        "kind": rule("kind", map={"Inquiry": "inspect"}),
        "title": rule("title"),
        "priority": rule("priority", map={"Critical": "1"}, default="4"),
        "location": rule("location"),
        "opened_at": rule("opened_at"),
        "phase": rule("state", map={"7": "closed", "8": "cancelled"}, default="open"),
        "due_by": rule("due"),
    },
    fields={"asset": rule("asset"), "site": Rule(const="north")},
)
RECORD: Mapping[str, object] = {
    "number": "INC1",
    "kind": "Inquiry",
    "title": "Look\nat\x00 it",
    "priority": "Critical",
    "location": " Hall 3 ",
    "opened_at": "2026-03-01 10:00:00",
    "state": "8",
    "due": "2026-03-02T10:00:00+02:00",
    "asset": 7,
}


def draft(raw: Mapping[str, object], incoming: Incoming = INCOMING) -> CaseDraft:
    return incoming.draft("id1", "v1", NOW, raw)


def test_a_record_is_read_by_the_rules() -> None:
    assert draft(RECORD) == CaseDraft(
        external_id="id1",
        version="v1",
        updated_at=NOW,
        number="INC1",
        kind="inspect",
        title="Look at it",
        priority=1,
        location="Hall 3",
        opened_at=datetime(2026, 3, 1, 10, 0, tzinfo=UTC),
        phase=DeskPhase.CANCELLED,
        due_by=datetime(2026, 3, 2, 8, 0, tzinfo=UTC),
        fields={"asset": "7", "site": "north"},
    )


def test_what_may_be_missing_and_what_may_not() -> None:
    bare = {"number": "INC1", "kind": "k", "opened_at": "2026-03-01"}
    read = draft(bare)
    assert (read.priority, read.phase, read.title, read.due_by) == (4, DeskPhase.OPEN, "", None)
    assert read.fields == {"site": "north"}
    for name in bare:
        for nothing in (None, "", "  "):
            with pytest.raises(BadInput) as error:
                draft({**bare, name: nothing})
            assert error.value.field == name
            assert error.value.mend
    optional = Incoming(rules={"number": rule("number", required=False)})
    assert draft({}, optional).number == "id1"
    assert draft({}, optional).opened_at == NOW
    assert draft({}, optional).priority == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", {"value": "INC1"}),
        ("number", ["INC1"]),
        ("title", 10**40),
        ("opened_at", "yesterday"),
        ("opened_at", "0001-01-01T00:00:00+14:00"),
        ("due", 7),
    ],
)
def test_wrong_values_are_named(name: str, value: object) -> None:
    with pytest.raises(BadInput) as error:
        draft({**RECORD, name: value})
    assert error.value.field == {"due": "due_by"}.get(name, name)
    assert error.value.value
    assert error.value.mend


@pytest.mark.parametrize("value", ["0", "6", "high", "1.5", True])
def test_a_priority_outside_one_to_five_is_refused(value: object) -> None:
    incoming = Incoming(rules={"priority": rule("priority")})
    with pytest.raises(BadInput, match="priority"):
        draft({"priority": value}, incoming)
    assert draft({"priority": 2}, incoming).priority == 2
    assert draft({"priority": 2.0}, incoming).priority == 2


def test_an_unknown_phase_is_refused() -> None:
    incoming = Incoming(rules={"phase": rule("phase")})
    with pytest.raises(BadInput, match="phase"):
        draft({"phase": "gone"}, incoming)


def test_times_with_a_format_and_a_zone() -> None:
    shanghai = replace(INCOMING, time_format="%d.%m.%Y %H:%M", zone=ZoneInfo("Asia/Shanghai"))
    raw = {**RECORD, "opened_at": "01.03.2026 10:00", "due": None}
    assert draft(raw, shanghai).opened_at == datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    offset = replace(shanghai, time_format="%d.%m.%Y %H:%M %z")
    raw["opened_at"] = "01.03.2026 10:00 +0100"
    assert draft(raw, offset).opened_at == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def test_only_wanted_records() -> None:
    assert INCOMING.wanted({})
    chosen = replace(INCOMING, when=at("robot"))
    assert chosen.wanted({"robot": "yes"})
    assert not chosen.wanted({"robot": ""})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(RECORD)), json_values))
def test_no_record_raises_anything_but_bad_input(changes: dict[str, object]) -> None:
    try:
        read = draft({**RECORD, **changes})
    except BadInput:
        return
    assert 1 <= read.priority <= 5
    assert read.opened_at.tzinfo is UTC
    for text in (read.number, read.kind, read.title, read.location, *read.fields.values()):
        text.encode()
        assert len(text) <= 4_000
        assert "\x00" not in text


def case_of(read: CaseDraft) -> Case:
    return Case(
        id="c1",
        desk="snow",
        external_id=read.external_id,
        number=read.number,
        kind=read.kind,
        title=read.title,
        priority=read.priority,
        location=read.location,
        opened_at=read.opened_at,
        received_at=NOW,
        trace_id="0" * 32,
        state=CaseState.EXECUTING,
        since=NOW,
        due_at=None,
        due_by=read.due_by,
        fields=read.fields,
        order_id="c1-1",
        attempts=1,
    )


@given(st.dictionaries(st.sampled_from(sorted(RECORD)), st.text()))
def test_the_same_reading_differs_in_nothing(changes: dict[str, object]) -> None:
    try:
        read = draft({**RECORD, **changes})
    except BadInput:
        return
    assert differs(case_of(read), replace(read, version="v2", updated_at=NOW)) == ()


def test_edits_are_named_field_by_field() -> None:
    read = draft(RECORD)
    edited = replace(
        read, title="other", priority=5, due_by=None, fields={"site": "north", "floor": "2"}
    )
    assert differs(case_of(read), edited) == (
        "title",
        "priority",
        "due_by",
        "fields.asset",
        "fields.floor",
    )


def status(**more: Any) -> Status:
    base = Status(told=Told.DONE, at=NOW, case=case_of(draft(RECORD)), robot_id="acme/r1")
    return replace(base, **more)


def test_a_status_fills_fields_comment_note_and_precondition() -> None:
    names: dict[str, Any] = {"names": CASE_VALUES, "fields": ("asset",)}
    update = Update(
        comment=parse("{robot} has done {number} ({field.asset}): {result}", **names),
        note=parse(" ", **names),
        fields={
            "state": Written(value=parse("6", **names)),
            "urgency": Written(
                value=parse("{priority}", **names), map={"1": "high"}, default="low"
            ),
            "u_state": Written(value=parse("{status}", **names), map={"failed": "x"}),
            "work_end": Written(value=parse("{at_plain}", **names)),
        },
        expect={"state": ("1", "2")},
    )
    outgoing = Outgoing(updates={"done": update})
    local = NOW.astimezone(timezone(timedelta(hours=8)))
    assert outgoing.render(status(result="ok\n[code]", at=local)) == {
        "comment": "acme/r1 has done INC1 (7): ok [code]",
        "note": "",
        "fields": {
            "state": "6",
            "urgency": "high",
            "u_state": "done",
            "work_end": "2026-03-01 12:00:00",
        },
        "expect": {"state": ["1", "2"]},
    }
    assert outgoing.render(status(told=Told.FAILED)) is None
    assert Outgoing(updates={"done": Update(expect={"state": ("1",)})}).render(status()) is None
    low = replace(case_of(draft(RECORD)), priority=2)
    payload = outgoing.render(status(case=low))
    assert payload is not None
    assert cast("Mapping[str, str]", payload["fields"])["urgency"] == "low"


@given(
    st.text(alphabet=st.characters()),
    st.text(alphabet=st.characters()),
    st.sampled_from(list(Told)),
)
def test_rendering_never_raises_and_is_json(robot: str, reason: str, told: Told) -> None:
    every = parse(" ".join(f"{{{name}}}" for name in CASE_VALUES), CASE_VALUES, ())
    update = Update(comment=every, fields={"x": Written(value=every)})
    outgoing = Outgoing(updates=dict.fromkeys(Told, update))
    payload = outgoing.render(status(told=told, robot_id=robot, reason=reason, result=reason))
    assert payload is not None
    json.dumps(payload, ensure_ascii=False).encode()


def test_every_placeholder_has_a_value() -> None:
    values = status_values(status(reason="why", result="ok"))
    assert set(values) == {*CASE_VALUES, "field.asset", "field.site"}
    assert "" not in values.values()
    assert (values["at"], values["attempt"]) == ("2026-03-01T12:00:00Z", "1")


def test_a_fault_is_told_when_it_comes_and_when_it_goes() -> None:
    fault = Fault(
        id="f1",
        robot_id="acme/r1",
        key="motor",
        desk="snow",
        level="FATAL",
        description="Motor\x1b[31m hot",
        raised_at=NOW,
    )
    assert set(fault_values(fault)) == set(FAULT_VALUES)
    comes = Update(note=parse("{level} {description} {at}", FAULT_VALUES, ()))
    goes = Update(fields={"state": Written(value=parse("6", FAULT_VALUES, ()))})
    outgoing = Outgoing(updates={"fault": comes, "fault_cleared": goes})
    opened, closed = (
        outgoing.render_fault(fault),
        outgoing.render_fault(replace(fault, cleared_at=NOW)),
    )
    assert opened == {
        "fields": {},
        "comment": "",
        "note": "FATAL Motor[31m hot 2026-03-01T12:00:00Z",
        "expect": {},
    }
    assert closed == {"fields": {"state": "6"}, "comment": "", "note": "", "expect": {}}
    assert Outgoing().render_fault(fault) is None
