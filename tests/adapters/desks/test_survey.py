"""Desks that can be surveyed: open records in pages, many at once, and what is shown of each.

The same checks for each, over the emulated desks.
"""

from collections.abc import AsyncIterator

import pytest

from dragoman.domain.errors import NotFound
from dragoman.ports.desk import DeskWrite
from dragoman.ports.survey import Survey
from dragoman.testing.rt import EmulatedRequestTracker
from dragoman.testing.servicenow import ServiceNowDesk
from tests.adapters.desks.witnesses import RtWitness, ServiceNowWitness, ShiftingClock

Witness = RtWitness | ServiceNowWitness


@pytest.fixture(params=["rt", "servicenow"])
async def witness(request: pytest.FixtureRequest) -> AsyncIterator[Witness]:
    clock = ShiftingClock()
    if request.param == "rt":
        async with EmulatedRequestTracker(now=clock.now) as tracker:
            yield RtWitness(tracker, clock)
    else:
        async with ServiceNowDesk() as snow:
            yield ServiceNowWitness(snow, clock, "incident")


STATE = {"rt": ("Status", "resolved"), "servicenow": ("state", "7")}


def state_of(witness: Witness) -> tuple[str, str]:
    return STATE["rt" if isinstance(witness, RtWitness) else "servicenow"]


async def test_all_open_records_come_once_page_by_page(witness: Witness) -> None:
    desk = witness.connect()
    assert isinstance(desk, Survey)
    ids = [await witness.open(f"noise {n}") for n in range(7)]
    found: list[str] = []
    after, more = "", True
    while more:
        page = await desk.survey(after, 3)
        assert len(page.records) <= 3
        found += [record.external_id for record in page.records]
        after, more = page.cursor, page.more
    assert sorted(found) == sorted(ids)
    await desk.close()


async def test_many_are_read_as_they_are_and_none_that_is_not_there(witness: Witness) -> None:
    desk = witness.connect()
    assert isinstance(desk, Survey)
    first, second = [await witness.open("noise") for _ in range(2)]
    await witness.edit(second, "louder noise")
    unknown = "9" * (7 if isinstance(witness, RtWitness) else 32)
    found = {one.external_id: one for one in await desk.read_many([first, unknown, second])}
    assert found.keys() == {first, second}
    for external_id, record in found.items():
        assert record == await desk.read(external_id)
    with pytest.raises(NotFound):
        await desk.read(unknown)
    await desk.close()


async def test_what_was_written_is_shown(witness: Witness) -> None:
    desk = witness.connect()
    assert isinstance(desk, Survey)
    external_id = await witness.open("noise")
    field, value = state_of(witness)
    before = await desk.read(external_id)
    assert desk.shown(before, field) not in (None, value)
    assert desk.shown(before, "no_such_field") is None
    fields = {field: value}
    if isinstance(witness, ServiceNowWitness):
        fields |= {"close_code": "Solution provided", "close_notes": "done"}
    after = await desk.write(external_id, DeskWrite(key="k", fields=fields))
    (read,) = await desk.read_many([external_id])
    assert desk.shown(after, field) == desk.shown(read, field) == value
    assert external_id not in [r.external_id for r in (await desk.survey("", 100)).records]
    await desk.close()
