"""Maximo's open records, listed whole and read many at once, to be compared."""

import random
from collections.abc import AsyncIterator

import pytest

from dragoman.desks.maximo.client import MaximoDesk
from dragoman.domain.errors import BadInput, NeedsHuman, NotFound, RetryLater
from dragoman.ports.desk import DeskWrite
from dragoman.ports.survey import Survey
from dragoman.testing.maximo import EmulatedMaximo, FaultKind
from tests.adapters.desks.maximo_witness import MaximoWitness
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[MaximoWitness]:
    clock = ShiftingClock()
    async with EmulatedMaximo(now=clock.now) as emulated:
        witness = MaximoWitness(emulated, clock)
        witness.options = {"where": 'siteid="BEDFORD"', "fields": ["wonum", "status", "location"]}
        yield witness
        await witness.leave()


@pytest.fixture
def desk(witness: MaximoWitness) -> MaximoDesk:
    own = witness.connect()
    assert isinstance(own, MaximoDesk)
    assert isinstance(own, Survey)
    return own


async def listed(desk: MaximoDesk, limit: int = 7) -> tuple[list[str], list[str]]:
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


async def test_all_open_records_are_listed_once(desk: MaximoDesk, witness: MaximoWitness) -> None:
    cases = [await witness.open(f"case {index}") for index in range(30)]
    witness.emulated.set_status(witness.row(cases[3]), "CLOSE")
    witness.emulated.set_status(witness.row(cases[8]), "CAN")
    witness.emulated.set_status(witness.row(cases[9]), "COMP")  # completed, and not yet closed
    witness.emulated.open(siteid="NASHUA", description="not ours")
    witness.emulated.faults.hidden |= set(map(int, cases[10:22]))
    closed = {cases[3], cases[8], *cases[10:22]}
    assert await listed(desk) == (sorted(set(cases) - closed), [])


async def test_a_page_is_one_request(desk: MaximoDesk, witness: MaximoWitness) -> None:
    for index in range(12):
        await witness.open(f"case {index}")
    before = len(witness.emulated.requests)
    page = await desk.survey("", 100)
    assert (len(page.records), page.more, desk.batch) == (5, True, 5)
    assert len(witness.emulated.requests) == before + 1


async def test_work_goes_on_during_a_survey(desk: MaximoDesk, witness: MaximoWitness) -> None:
    chance = random.Random(5)
    cases = [await witness.open(f"case {index}") for index in range(30)]
    seen: list[str] = []
    after, more = "", True
    while more:
        page = await desk.survey(after, 4)
        seen += [record.external_id for record in page.records]
        for case in chance.sample(cases[:20], 5):
            await witness.edit(case, "edited meanwhile")
        if witness.row(cases[-1]).status == "WAPPR":
            witness.emulated.set_status(witness.row(cases[-1]), "CLOSE")
        after, more = page.cursor, page.more
    assert len(seen) == len(set(seen))
    assert set(cases[:-1]) <= set(seen)
    assert cases[-1] not in seen


async def test_damaged_records_are_named_and_an_ill_desk_is_passing(
    desk: MaximoDesk, witness: MaximoWitness
) -> None:
    cases = [await witness.open(f"case {index}") for index in range(10)]
    bad = cases[4]
    witness.emulated.faults.add(
        FaultKind.SERVER_ERROR,
        calls=99,
        record=int(bad),
        path="oslc.select=workorderid,changedate,changeby",
    )
    ids, unreadable = await listed(desk)
    assert ids == [case for case in cases if case != bad]
    assert bad in unreadable[0]
    witness.emulated.faults.active.clear()
    for value, error in ((None, RetryLater), (1, NeedsHuman)):
        witness.emulated.faults.add(FaultKind.OVERWRITE, field="workorderid", value=value)
        with pytest.raises(error):
            await desk.survey(cases[0], 7)
    with pytest.raises(BadInput):
        await desk.survey("nonsense", 7)


async def test_many_are_read_at_once(desk: MaximoDesk, witness: MaximoWitness) -> None:
    cases = [await witness.open(f"case {index}") for index in range(12)]
    witness.emulated.set_status(witness.row(cases[0]), "CLOSE")
    del witness.emulated.store.rows["WORKORDER", int(cases[1])]
    other = str(witness.emulated.open(siteid="NASHUA").uid)
    read = await desk.read_many([*cases, other])
    assert {record.external_id for record in read} == set(cases) - {cases[1]}
    assert await desk.read_many([]) == []
    with pytest.raises(NotFound):
        await desk.read(cases[1])


async def test_equal_values_give_equal_texts(desk: MaximoDesk, witness: MaximoWitness) -> None:
    case = await witness.open("shown")
    fields = {
        "status": "inprg",
        "wopriority": "2",
        "location": "br300",
        "targcompdate": "2026-03-01T12:00:00Z",
        "istask": "true",
    }
    written = await desk.write(case, DeskWrite(key="k", fields=fields))
    expected = {
        "status": "INPRG",
        "wopriority": "2",
        "location": "BR300",
        "targcompdate": "2026-03-01T12:00:00+00:00",
        "istask": "true",
    }
    assert {name: desk.shown(written, name) for name in fields} == expected
    (read,) = await desk.read_many([case])
    assert desk.shown(read, "status") == "INPRG"
    assert desk.shown(read, "wopriority") is None, "not among the fields that are read"
    await desk.write(case, DeskWrite(key="k2", fields={"location": ""}))
    assert desk.shown(await desk.read(case), "location") == ""
