"""Desks that can be surveyed: open records in pages, many at once, and what is shown of each.

The same checks for each of them, over their emulated systems and real HTTP.
"""

from collections.abc import AsyncIterator

import pytest

from dragoman.domain.errors import NotFound
from dragoman.ports.desk import Desk, DeskWrite
from dragoman.ports.survey import Survey
from dragoman.testing.conformance.desk_witness import DeskWitness
from tests.adapters.desks.anyone import TYPES, witness_at
from tests.adapters.desks.witnesses import RtWitness

CLOSING = {"rt": {"Status": "resolved"}, "salesforce": {"Status": "Closed"}}
"""What closes a record at once, where one write of one field does."""


@pytest.fixture(params=TYPES)
async def witness(request: pytest.FixtureRequest) -> AsyncIterator[DeskWitness]:
    async with witness_at(request.param) as found:
        yield found


@pytest.fixture
async def desk(witness: DeskWitness) -> AsyncIterator[Desk]:
    desk = witness.connect(30.0)
    assert isinstance(desk, Survey)
    yield desk
    await desk.close()


async def walked(desk: Survey, limit: int) -> list[str]:
    found: list[str] = []
    after, more = "", True
    while more:
        page = await desk.survey(after, limit)
        assert len(page.records) <= limit
        found += [record.external_id for record in page.records]
        after, more = page.cursor, page.more
    return found


async def test_all_open_records_come_once_page_by_page(witness: DeskWitness, desk: Desk) -> None:
    assert isinstance(desk, Survey)
    ids = [await witness.open(f"noise {n}") for n in range(7)]
    await witness.later(60)
    assert sorted(await walked(desk, 3)) == sorted(ids)


async def test_many_are_read_as_they_are(witness: DeskWitness, desk: Desk) -> None:
    assert isinstance(desk, Survey)
    first, second = [await witness.open("noise") for _ in range(2)]
    await witness.edit(second, "louder noise")
    await witness.later(60)
    found = {one.external_id: one for one in await desk.read_many([first, second])}
    assert found.keys() == {first, second}
    for external_id, record in found.items():
        read = await desk.read(external_id)
        assert record.version == read.version
        assert record.updated_at == read.updated_at
        for field in (witness.words.title, witness.words.state):
            assert desk.shown(record, field) == desk.shown(read, field) is not None


async def test_what_was_written_is_shown_alike_by_every_way_of_reading(
    request: pytest.FixtureRequest, witness: DeskWitness, desk: Desk
) -> None:
    assert isinstance(desk, Survey)
    external_id = await witness.open("noise")
    field = witness.words.state
    before = desk.shown(await desk.read(external_id), field)
    written = DeskWrite(key="k", fields={field: witness.words.working})
    after = desk.shown(await desk.write(external_id, written), field)
    await witness.later(60)
    (many,) = await desk.read_many([external_id])
    (listed,) = (await desk.survey("", 10)).records
    assert before != after
    assert {desk.shown(one, field) for one in (many, listed)} == {after}
    assert not desk.shown(many, "no_such_field")  # Maximo leaves out whatever is empty
    closing = CLOSING.get(request.node.callspec.params["witness"])
    if closing is not None:
        await desk.write(external_id, DeskWrite(key="l", fields=closing))
        assert await walked(desk, 10) == []
        assert [one.external_id for one in await desk.read_many([external_id])] == [external_id]


@pytest.mark.parametrize("witness", ["rt", "servicenow"], indirect=True)
async def test_what_is_not_there_is_left_out(witness: DeskWitness, desk: Desk) -> None:
    assert isinstance(desk, Survey)
    unknown = "9" * (7 if isinstance(witness, RtWitness) else 32)
    assert list(await desk.read_many([unknown])) == []
    with pytest.raises(NotFound):
        await desk.read(unknown)
