"""Salesforce's open cases, listed whole and read many at once, to be compared."""

import random
from collections.abc import AsyncIterator

import pytest

from dragoman.desks.salesforce.client import SalesforceDesk as Adapter
from dragoman.domain.errors import BadInput, NotFound, RetryLater
from dragoman.ports.desk import DeskWrite
from dragoman.ports.survey import Survey
from dragoman.testing.salesforce import EmulatedSalesforce, FaultKind
from tests.adapters.desks.salesforce_witness import SalesforceWitness
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[SalesforceWitness]:
    clock = ShiftingClock()
    async with EmulatedSalesforce(now=clock.now) as emulated:
        yield SalesforceWitness(emulated, clock)


@pytest.fixture
async def desk(witness: SalesforceWitness) -> AsyncIterator[Adapter]:
    witness.options = {"query": "Origin = 'Web' OR Origin = null"}
    own = witness.connect()
    assert isinstance(own, Adapter)
    assert isinstance(own, Survey)
    yield own
    await own.close()


async def listed(desk: Adapter, limit: int = 7) -> tuple[list[str], list[str]]:
    """Ids of the records, and raw texts of what can't be read."""
    ids: list[str] = []
    unreadable: list[str] = []
    after = ""
    for _ in range(100):
        page = await desk.survey(after, limit)
        assert len(page.records) <= limit
        ids += [record.external_id for record in page.records]
        unreadable += [raw for raw, _ in page.unreadable]
        if not page.more:
            return ids, unreadable
        after = page.cursor
    pytest.fail("the survey never comes to an end")


async def test_all_open_cases_are_listed_once(desk: Adapter, witness: SalesforceWitness) -> None:
    org = witness.emulated
    org.router.select.batch_size = 5
    cases = [await witness.open(f"case {index}") for index in range(30)]
    org.edit(cases[3], Status="Closed")
    org.delete(cases[8])
    org.open_case(Subject="not ours", Origin="Phone")
    assert await listed(desk) == (sorted(set(cases) - {cases[3], cases[8]}), [])


async def test_work_goes_on_during_a_survey(desk: Adapter, witness: SalesforceWitness) -> None:
    chance = random.Random(5)
    cases = [await witness.open(f"case {index}") for index in range(30)]
    seen: list[str] = []
    page = await desk.survey("", 4)
    while True:
        seen += [record.external_id for record in page.records]
        for case in chance.sample(cases[:20], 5):
            await witness.edit(case, "edited meanwhile")
        await witness.open("opened meanwhile")
        witness.emulated.edit(cases[-1], Status="Closed")
        if not page.more:
            break
        page = await desk.survey(page.cursor, 4)
    assert len(seen) == len(set(seen))
    assert set(cases[:-1]) <= set(seen)
    assert cases[-1] not in seen


async def test_a_case_too_large_for_any_answer_is_named(
    desk: Adapter, witness: SalesforceWitness
) -> None:
    cases = [await witness.open(f"case {index}") for index in range(12)]
    for large in (cases[4], cases[11]):
        await witness.spoil(large)
    ids, unreadable = await listed(desk)
    assert ids == [case for case in cases if case not in (cases[4], cases[11])]
    assert [cases[4] in unreadable[0], cases[11] in unreadable[1]] == [True, True]


async def test_damaged_cases_are_named_and_an_ill_desk_is_passing(
    desk: Adapter, witness: SalesforceWitness
) -> None:
    for index in range(10):
        await witness.open(f"case {index}")
    witness.emulated.faults.add(FaultKind.DAMAGED, field="SystemModstamp", value=None, calls=1)
    ids, unreadable = await listed(desk)
    assert (len(ids), len(unreadable)) == (3, 7)
    witness.emulated.faults.add(FaultKind.DAMAGED, field="Id", value=None)
    with pytest.raises(RetryLater):
        await listed(desk)
    with pytest.raises(BadInput):
        await desk.survey("nonsense", 7)


async def test_many_are_read_at_once(desk: Adapter, witness: SalesforceWitness) -> None:
    witness.emulated.router.select.batch_size = 3
    cases = [await witness.open(f"case {index}") for index in range(10)]
    witness.emulated.edit(cases[0], Status="Closed")
    witness.emulated.delete(cases[1])
    other = witness.emulated.open_case(Origin="Phone")
    read = await desk.read_many([*cases, other])
    assert {record.external_id for record in read} == set(cases) - {cases[1]}
    assert await desk.read_many([]) == []
    with pytest.raises(NotFound):
        await desk.read(cases[1])


async def test_equal_values_give_equal_texts(desk: Adapter, witness: SalesforceWitness) -> None:
    case = await witness.open("shown")
    fields = {"Status": "working", "Weight__c": "2.50", "Description": "a\r\nb "}
    written = await desk.write(case, DeskWrite(key="k", fields=fields))
    assert desk.shown(written, "Status") == "Working"
    assert desk.shown(written, "Weight__c") == "2.5"
    assert desk.shown(written, "Description") == "a\nb"
    assert desk.shown(written, "IsClosed") == "false"
    assert desk.shown(written, "Owner.Name") == "Ann Agent"
    (read,) = await desk.read_many([case])
    assert desk.shown(read, "Status") == "Working"
    assert desk.shown(read, "Weight__c") is None, "not among the fields that are read"
    assert desk.shown(read, "Reason") == ""
