"""Writing to Salesforce: locks, picklists, rules, automation, races, external ids."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.desks.salesforce.client import SalesforceDesk as Adapter
from dragoman.domain.errors import Conflict, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader
from dragoman.testing.salesforce import EmulatedSalesforce, FaultKind
from tests.adapters.desks.salesforce_witness import SalesforceWitness
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[SalesforceWitness]:
    clock = ShiftingClock()
    async with EmulatedSalesforce(now=clock.now) as emulated:
        yield SalesforceWitness(emulated, clock)


@pytest.fixture
async def reader(witness: SalesforceWitness) -> AsyncIterator[Reader]:
    reader = Reader(witness.connect())
    await reader.poll()
    yield reader
    await reader.desk.close()


@pytest.mark.parametrize("kind", [FaultKind.LOCKED, FaultKind.QUERY_TIMEOUT])
async def test_a_locked_row_or_a_slow_query_is_passing(
    reader: Reader, witness: SalesforceWitness, kind: FaultKind
) -> None:
    case = await witness.open("busy")
    witness.emulated.faults.add(kind)
    write = DeskWrite(key="k", fields={"Status": "Working"}, note="once")
    with pytest.raises(RetryLater, match=kind.upper() if kind == "query_timeout" else "LOCK_ROW"):
        await reader.desk.write(case, write)
    await reader.desk.write(case, write)
    assert len(await witness.said(case)) == 1


async def test_a_bad_choice_is_told_with_the_allowed_ones(
    reader: Reader, witness: SalesforceWitness
) -> None:
    case = await witness.open("bad choice")
    for write in (
        DeskWrite(key="k1", fields={"Status": "In Progress"}),
        DeskWrite(key="k2", fields={"Status": "In Progress"}, note="must not be said"),
    ):
        with pytest.raises(Permanent, match="New, Working, Escalated, Closed") as told:
            await reader.desk.write(case, write)
        assert told.value.field == "Status"
    assert not await witness.said(case)


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"IsClosed": "true"}, "IsClosed", "read-only"),
        ({"Priority": "High"}, "Priority", "read-only"),
        ({"Subject": "x" * 300}, "Subject", "max length=255"),
        ({"Weight__c": "heavy"}, "Weight__c", "JSON_PARSER_ERROR"),
        ({"OwnerId": "nobody"}, "OwnerId", "MALFORMED_ID"),
        ({"Status": "Closed"}, "", "Give a reason first"),
        ({"Reason": "Other"}, "Reason", "is 'Breakdown' now"),
    ],
)
async def test_what_the_org_refuses_or_alters_is_named(
    reader: Reader,
    witness: SalesforceWitness,
    fields: dict[str, str],
    field: str,
    words: str,
) -> None:
    case = await witness.open("refused")
    rules = witness.emulated.rules
    rules.read_only.add(("Case", "Priority"))
    rules.validations.append(
        lambda _, row: "Give a reason first" if row["IsClosed"] or row["Status"] == "Closed" else ""
    )
    rules.automation = lambda row: row.update(Reason="Breakdown") if row["Reason"] else None
    for note in ("", "with a note"):
        with pytest.raises(Permanent, match=words) as told:
            await reader.desk.write(case, DeskWrite(key=f"k{note}", fields=fields, note=note))
        assert told.value.field == field
        assert not isinstance(told.value, NeedsHuman | Conflict)


async def test_a_comment_that_is_refused_takes_the_fields_back_and_is_named(
    reader: Reader, witness: SalesforceWitness
) -> None:
    case = await witness.open("too much to say")
    write = DeskWrite(key="k", fields={"Status": "Working"}, note="x" * 4_000)
    with pytest.raises(Permanent, match="STRING_TOO_LONG") as told:
        await reader.desk.write(case, write)
    assert told.value.field == "CommentBody"
    assert witness.emulated.case(case)["Status"] == "New"


async def test_values_are_compared_as_salesforce_writes_them(
    reader: Reader, witness: SalesforceWitness
) -> None:
    case = await witness.open("written in other ways")
    fields = {
        "Weight__c": "12.50",
        "IsEscalated": "TRUE",
        "Description": "one\r\ntwo ",
        "OwnerId": witness.emulated.agent[:15],
        "Status": "working",
        "Location__c": "",
    }
    await reader.desk.write(case, DeskWrite(key="k", fields=fields))
    assert witness.emulated.case(case)["Weight__c"] == 12.5
    assert witness.emulated.case(case)["Location__c"] is None


async def test_comments_for_customers_are_published(
    reader: Reader, witness: SalesforceWitness
) -> None:
    case = await witness.open("told to whom")
    await reader.desk.write(case, DeskWrite(key="k", comment="for all", note="for the staff"))
    told = {one["CommentBody"]: one["IsPublished"] for one in witness.emulated.comments(case)}
    assert told == {"for the staff\n[ref k]": False, "for all\n[ref k]": True}


@pytest.mark.parametrize(("status", "goes_through"), [("New", True), ("Closed", False)])
async def test_a_change_between_look_and_write_is_seen(
    reader: Reader,
    witness: SalesforceWitness,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    goes_through: bool,
) -> None:
    case = await witness.open("raced for")
    assert isinstance(reader.desk, Adapter)
    rest = reader.desk._writes._rest
    send, calls = rest.write, 0

    async def late(*args: Any) -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            await witness.later(2)
            witness.emulated.edit(case, Status=status, Priority="High")
        return await send(*args)

    monkeypatch.setattr(rest, "write", late)
    write = DeskWrite(
        key="k", fields={"Status": "Working"}, note="mine", expect={"IsClosed": ("false",)}
    )
    if goes_through:
        await reader.desk.write(case, write)
        assert calls == 2
    else:
        with pytest.raises(Conflict) as told:
            await reader.desk.write(case, write)
        assert told.value.field == "IsClosed"
    assert len(await witness.said(case)) == goes_through


async def test_a_field_taken_from_the_account_needs_a_human(
    reader: Reader, witness: SalesforceWitness
) -> None:
    case = await witness.open("rights lost")
    witness.emulated.rules.hidden.add(("Case", "Priority"))
    for call in (reader.poll(), reader.desk.read(case)):
        with pytest.raises(NeedsHuman) as told:
            await call
        assert told.value.field == "Priority"


# --- creating by key


async def test_a_key_of_any_characters_makes_one_case(
    reader: Reader, witness: SalesforceWitness
) -> None:
    keys = [
        "a/b",
        "it's",
        "back\\slash",
        "☃ snow",
        "100%",
        "' OR Subject != '",
        "..",
        "Key",
        "KEY2",
    ]
    for key in (*keys, *keys):
        await reader.desk.create(DeskWrite(key=key, fields={"Subject": "keyed"}, note=key))
    kept = [case["Dragoman_Key__c"] for case in witness.emulated.cases() if case["Dragoman_Key__c"]]
    assert kept == keys


async def test_two_cases_with_one_key_need_a_human(
    reader: Reader, witness: SalesforceWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        witness.emulated.tamper(await witness.open("double"), Dragoman_Key__c="fault-1")
    write = DeskWrite(key="fault-1", fields={"Subject": "third"})
    with pytest.raises(NeedsHuman, match="same key"):
        await reader.desk.create(write)

    async def none_yet(_: str) -> None:
        return None

    assert isinstance(reader.desk, Adapter)
    monkeypatch.setattr(reader.desk._writes, "_created", none_yet)
    with pytest.raises(NeedsHuman, match="several"):  # made since the look-up
        await reader.desk.create(write)
    assert await witness.titled("third") == 0


async def test_a_key_in_other_letters_is_not_taken_for_ours(
    reader: Reader, witness: SalesforceWitness
) -> None:
    other = await witness.open("somebody else's")
    witness.emulated.edit(other, Dragoman_Key__c="FAULT-1")
    with pytest.raises(NeedsHuman, match="letter case"):
        await reader.desk.create(DeskWrite(key="fault-1", fields={"Subject": "ours"}))
    assert await witness.title(other) == "somebody else's"


@pytest.mark.parametrize("field", ["Nope__c", "Location__c"])
async def test_a_key_field_that_is_no_external_id_creates_nothing(
    witness: SalesforceWitness, field: str
) -> None:
    witness.options = {"key_field": field}
    desk = witness.connect()
    with pytest.raises(NeedsHuman) as told:
        await desk.create(DeskWrite(key="fault-1", fields={"Subject": "keyless"}))
    assert told.value.field == field
    assert await witness.titled("keyless") == 0
    await desk.close()
