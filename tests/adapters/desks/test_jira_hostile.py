"""The Jira adapter at a hostile site: nothing lost, nothing doubled, errors with names."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.desks.jira.adf import document, plain
from dragoman.domain.errors import DragomanError, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader, until_through
from dragoman.testing.jira import READ, WRITE, EmulatedJira, Fault
from dragoman.testing.jira.documents import problem, to_text
from tests.adapters.desks.jira_witness import JiraWitness
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[JiraWitness]:
    clock = ShiftingClock()
    async with EmulatedJira(now=clock.now) as emulated:
        yield JiraWitness(emulated, clock)


@pytest.fixture
async def reader(witness: JiraWitness) -> AsyncIterator[Reader]:
    await witness.open("from before")
    await witness.later(3)
    reader = Reader(witness.connect())
    await reader.poll()
    await witness.later(3)
    yield reader
    await reader.desk.close()


async def until_read(reader: Reader, witness: JiraWitness) -> None:
    """Poll as a gateway does: again when it may, and after a person has helped."""
    for _ in range(20):
        try:
            await reader.poll()
        except RetryLater as error:
            await witness.later(error.delay_s or 0)
        except NeedsHuman:
            continue
        else:
            return
    pytest.fail("it never came through")


@pytest.mark.parametrize("status", [401, 429, 500, 502, 503])
async def test_trouble_in_the_middle_of_a_walk_loses_and_doubles_nothing(
    reader: Reader, witness: JiraWitness, status: int
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(25)]
    faults = witness.emulated.faults
    for _ in range(3):
        faults.plan(Fault(), times=3, method=READ)
        faults.plan(Fault(status=status, headers={"Retry-After": "1"}), times=2, method=READ)
    await until_read(reader, witness)
    assert sorted(reader.reported) == numbers  # one that failed alone comes behind the others
    assert not reader.unreadable
    assert faults.left == 0


@pytest.mark.parametrize(
    "body",
    [
        "<html><body>Please log in</body></html>",
        '{"issues":[{"id":"100',
        "[" * 100_000,
        "[]",
        "null",
        '{"issues":null}',
        '{"issues":{"id":"1"}}',
        "{}",
        "",
    ],
)
async def test_an_answer_that_is_none_is_tried_again(
    reader: Reader, witness: JiraWitness, body: str
) -> None:
    number = await witness.open("behind a strange proxy")
    witness.emulated.faults.plan(Fault(status=200, body=body), times=2, method=READ)
    with pytest.raises(RetryLater) as told:
        await reader.poll()
    assert "<" not in str(told.value)
    await until_read(reader, witness)
    assert reader.reported == [number]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_credentials_go_elsewhere(
    reader: Reader, witness: JiraWitness, status: int
) -> None:
    elsewhere = {"Location": "https://attacker.example/rest/api/3/search/jql"}
    faults = witness.emulated.faults
    number = await witness.open("redirected")
    faults.plan(Fault(status=status, headers=elsewhere))
    with pytest.raises(NeedsHuman, match="elsewhere") as told:
        await reader.poll()
    assert told.value.field == "url"
    faults.plan(Fault(status=status, headers=elsewhere), method="PUT")
    with pytest.raises(NeedsHuman, match="elsewhere"):
        await reader.desk.write(number, DeskWrite(key="k", fields={"summary": "x"}))
    assert await witness.title(number) == "redirected"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"updated": None},
        {"updated": 1_700_000_000},
        {"updated": "2026-03-01T12:00:00.000"},
        {"updated": "1970-01-01T00:00:00.000+0000"},
        {"updated": "9999-12-31T23:59:59.999-1200"},
        {"updated": "not a time"},
    ],
)
async def test_a_record_with_a_broken_time_is_told_once_and_hides_no_other(
    reader: Reader, witness: JiraWitness, spoilt: dict[str, Any]
) -> None:
    first, broken, last = [await witness.open(title) for title in ("first", "broken", "last")]
    witness.issue(broken).spoilt |= spoilt
    for _ in range(3):
        await reader.poll()
    assert reader.reported == [first, last]
    ((raw, reason),) = reader.unreadable
    assert broken in raw
    assert "updated" in reason


@pytest.mark.parametrize(
    "spoilt",
    [
        {"summary": None, "status": None, "priority": [1, {"a": None}], "labels": "x"},
        {"comment": None, "creator": "who?", "project": None},
        {"comment": {"comments": [None, 7, {"updateAuthor": None}]}, "creator": None},
        {"description": {"type": "doc", "content": "no list"}},
        {"updated": "9999-12-31T23:59:59.999+0000"},
    ],
)
async def test_wrong_types_elsewhere_are_left_to_the_mapping(
    reader: Reader, witness: JiraWitness, spoilt: dict[str, Any]
) -> None:
    number, other = await witness.open("odd"), await witness.open("other")
    witness.issue(number).spoilt |= spoilt
    for _ in range(3):
        await reader.poll()
    assert sorted(reader.reported) == [number, other]
    assert not reader.unreadable
    assert reader.records[number].raw["fields"].items() >= spoilt.items()  # type: ignore[attr-defined] # JSON


async def test_a_record_from_the_year_9999_stops_nothing(
    reader: Reader, witness: JiraWitness
) -> None:
    future = await witness.open("from the future")
    witness.issue(future).spoilt["updated"] = "9999-12-31T23:59:59.999+0000"
    await reader.poll()
    await witness.later(2)
    present = await witness.open("from today")
    await reader.poll()
    assert reader.reported == [future, present]


async def test_a_site_that_ignores_the_time_bound_needs_a_human(
    reader: Reader, witness: JiraWitness
) -> None:
    for index in range(8):
        issue = witness.issue(await witness.open(f"old {index}"))
        issue.spoilt["updated"] = "2001-01-01T00:00:00.000+0000"
    with pytest.raises(NeedsHuman, match="time bound"):
        await reader.poll()
    assert not reader.reported


async def test_doubled_rows_are_reported_once(reader: Reader, witness: JiraWitness) -> None:
    number = await witness.open("twice in one page")
    row = f'{{"id":"{number}","fields":{{"updated":"2999-01-01T00:00:00.000+0000"}}}}'
    witness.emulated.faults.plan(
        Fault(status=200, body=f'{{"issues":[{row},{row}],"isLast":true}}'), path="/search/jql"
    )
    await reader.poll()
    assert reader.reported == [number]


async def test_rows_that_are_no_issues_are_told_once_and_hide_no_other(
    reader: Reader, witness: JiraWitness
) -> None:
    number = await witness.open("good")
    good = f'{{"id":"{number}","fields":{{"updated":"2999-01-01T00:00:00.000+0000"}}}}'
    rows = ["null", "7", '{"id":null}', '{"id":"a/☃"}', '{"id":"3"}', good]
    fault = Fault(status=200, body=f'{{"issues":[{",".join(rows)}]}}')
    for _ in range(2):
        witness.emulated.faults.plan(fault, path="/search/jql")
        await reader.poll()
    assert reader.reported == [number]
    assert sorted(raw for raw, _ in reader.unreadable) == sorted(rows[:-1])


async def test_one_issue_that_always_fails_hides_no_other(
    reader: Reader, witness: JiraWitness
) -> None:
    ill, *well = [await witness.open(f"case {index}") for index in range(3)]
    fails = Fault(status=500, body='{"errorMessages":["Internal server error"],"errors":{}}')
    for _ in range(3):
        assert not reader.unreadable
        for fault in (fails, fails):  # the lot, then the first of it alone
            witness.emulated.faults.plan(fault, path="/bulkfetch")
        await reader.poll()
        well.append(await witness.open("another"))
    assert reader.reported == well[:-1]
    ((raw, reason),) = reader.unreadable
    assert ill in raw
    assert "500" in reason
    await reader.poll()
    assert reader.reported == well


async def test_one_case_that_fails_lets_others_be_written(
    reader: Reader, witness: JiraWitness
) -> None:
    ill, well = await witness.open("ill"), await witness.open("well")
    witness.emulated.faults.plan(Fault(status=500), times=3, path=f"/issue/{ill}")
    with pytest.raises(RetryLater):
        await reader.desk.write(ill, DeskWrite(key="k1", note="x"))
    await reader.desk.write(well, DeskWrite(key="k2", note="y"))
    await until_through(reader.desk, ill, DeskWrite(key="k1", note="x"))
    assert [len(await witness.said(number)) for number in (ill, well)] == [1, 1]


async def test_a_storm_of_429_is_no_refusal(reader: Reader, witness: JiraWitness) -> None:
    number = await witness.open("in a storm")
    site = witness.emulated
    site.limit.per_second, site.limit.burst = 0.2, 3
    waits = []
    for attempt in range(60):
        write = DeskWrite(
            key="k",
            fields={"summary": "through", "status": "In Progress"},
            note="n",
            retried=attempt > 0,
        )
        try:
            await reader.desk.write(number, write)
            break
        except RetryLater as limited:
            waits.append(limited.delay_s)
            await witness.later(limited.delay_s or 0)
    assert waits
    assert None not in waits
    site.limit.per_second = None
    assert (await witness.title(number), len(await witness.said(number))) == ("through", 1)
    assert witness.issue(number).status == "In Progress"


async def test_a_reset_after_a_commit_doubles_nothing(reader: Reader, witness: JiraWitness) -> None:
    write = DeskWrite(key="fault-9", fields={"summary": "robot down"}, note="E-17", comment="c")
    faults = witness.emulated.faults
    found = ""
    for step in range(6):
        again = replace(write, retried=step > 0)
        faults.plan(Fault(applied=True, drops_connection=True), method=WRITE)
        with suppress(RetryLater):
            found = (await reader.desk.create(again)).external_id
            break
    assert await witness.titled("robot down") == 1
    assert len(await witness.said(found)) == 2


@pytest.mark.parametrize("number", ["FAC-1", "1/../2", "☃", "", "1?x=y", "1" * 40, "１"])
async def test_strange_ids_never_reach_the_wire(
    reader: Reader, witness: JiraWitness, number: str
) -> None:
    before = len(witness.emulated.requests)
    for call in (
        reader.desk.read(number),
        reader.desk.write(number, DeskWrite(key="k", note="to nobody")),
    ):
        with pytest.raises(Permanent) as told:
            await call
        assert told.value.field == "external_id"
    assert len(witness.emulated.requests) == before


async def test_errors_are_short_and_name_the_case(reader: Reader, witness: JiraWitness) -> None:
    number = await witness.open("talkative")
    body = '{"errorMessages":["' + "blah " * 5000 + '"]}'
    witness.emulated.faults.plan(Fault(status=400, body=body), method="GET")
    with pytest.raises(DragomanError) as told:
        await reader.desk.read(number)
    assert number in str(told.value)
    assert len(str(told.value)) < 700


# --- documents


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.just("\n"), max_size=60))
def test_text_comes_back_from_its_document(text: str) -> None:
    made = document(text)
    assert problem(made) == ""
    assert plain(made) == text
    assert to_text(made).split() == text.split()


def test_a_document_is_read_as_people_see_it() -> None:
    def said(*texts: str) -> list[dict[str, Any]]:
        return [{"type": "text", "text": text} for text in texts]

    def block(kind: str, *content: Any, **attrs: Any) -> dict[str, Any]:
        return {"type": kind, "content": list(content), "attrs": attrs}

    item = block("listItem", block("paragraph", *said("one")), block("paragraph", *said("more")))
    made = block(
        "doc",
        block("heading", *said("Pump ", "7"), level=2),
        block(
            "paragraph",
            *said("ask "),
            {"type": "mention", "attrs": {"id": "x", "text": "@Alex"}},
            {"type": "hardBreak"},
            {"type": "emoji", "attrs": {"shortName": ":robot:"}},
            {"type": "date", "attrs": {"timestamp": "1772323200000"}},
            {"type": "inlineCard", "attrs": {"url": "https://example.com/x"}},
        ),
        block("bulletList", item),
        block("orderedList", block("listItem", block("paragraph", *said("first")))),
        block(
            "table",
            block("tableRow", *(block("tableCell", block("paragraph", *said(t))) for t in "ab")),
        ),
        block("panel", block("paragraph", *said("note"))),
        block("mediaSingle", {"type": "media", "attrs": {"alt": "gauge.png"}}),
        block("unheardOf", *said("kept")),
        {"type": "rule"},
        None,
    )
    assert plain(made) == (
        "Pump 7\n\nask @Alex\n:robot:2026-03-01https://example.com/x\n\n- one\n  more\n\n1. first"
        "\n\na | b\n\nnote\n\n[gauge.png]\n\nkept\n\n----\n\n"
    )


def test_a_bottomless_document_is_read_to_a_depth() -> None:
    made: dict[str, Any] = {"type": "paragraph", "content": [{"type": "text", "text": "deep"}]}
    for _ in range(5000):
        made = {"type": "blockquote", "content": [made]}
    assert plain(made) == ""
