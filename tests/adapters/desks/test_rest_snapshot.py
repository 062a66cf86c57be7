"""A desk without times: snapshots of django-helpdesk's shape, and the cursor that keeps them."""

import random
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.desks.rest.snapshot import packed, unpacked
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader
from dragoman.testing.rest import EmulatedHelpdesk
from dragoman.testing.rt import Fault
from tests.adapters.desks.rest_witness import HelpdeskWitness
from tests.adapters.desks.witnesses import LARGE, MAX_BODY, ShiftingClock


@pytest.fixture
async def helpdesk() -> AsyncIterator[HelpdeskWitness]:
    clock = ShiftingClock()
    async with EmulatedHelpdesk(now=clock.now) as emulated:
        yield HelpdeskWitness(emulated, clock)


@pytest.fixture
async def tickets(helpdesk: HelpdeskWitness) -> AsyncIterator[Reader]:
    reader = Reader(helpdesk.connect())
    await helpdesk.open("from before")
    await reader.poll()
    yield reader
    await reader.desk.close()


async def test_two_records_with_one_key_need_a_human(helpdesk: HelpdeskWitness) -> None:
    for name in ("a twin", "another"):
        helpdesk.emulated.open(name, custom_gateway_key="twins")
    desk = helpdesk.connect()
    with pytest.raises(NeedsHuman, match="2 records have the same key"):
        await desk.create(DeskWrite(key="twins", fields={"title": "a third"}))
    await desk.close()


async def test_a_ticket_that_a_person_closes_is_seen_once(
    tickets: Reader, helpdesk: HelpdeskWitness
) -> None:
    """It leaves the list of open tickets; a snapshot notices that."""
    number = await helpdesk.open("closed by Pat")
    await tickets.poll()
    helpdesk.emulated.follow_up(int(number), 3, "done by hand", new_status=4)
    await tickets.poll()
    assert tickets.reported == [number, number]
    assert tickets.records[number].raw["status"] == 4
    assert [await tickets.poll() for _ in range(3)] == [0, 0, 0]


async def test_a_ticket_that_is_deleted_is_forgotten(
    tickets: Reader, helpdesk: HelpdeskWitness
) -> None:
    number = await helpdesk.open("deleted")
    await tickets.poll()
    del helpdesk.emulated.tickets[int(number)]
    assert [await tickets.poll() for _ in range(2)] == [0, 0]
    assert number not in unpacked(tickets.cursor)


async def test_a_row_that_a_shifting_page_hides_is_neither_lost_nor_news(
    tickets: Reader, helpdesk: HelpdeskWitness
) -> None:
    """A deletion between two pages moves the next row to the page that was read."""
    numbers = [await helpdesk.open(f"item {index}") for index in range(15)]
    await tickets.poll()
    desk = helpdesk.emulated
    page = '{"count":16,"next":null,"results":[]}'
    desk.faults.plan(Fault(status=200, body=page), path="/tickets/")
    before = len(tickets.reported)
    assert await tickets.poll() == 0
    await helpdesk.edit(numbers[3], "still watched")
    await tickets.poll()
    assert tickets.reported[before:] == [numbers[3]]


async def test_a_snapshot_keeps_to_its_limit(helpdesk: HelpdeskWitness) -> None:
    for index in range(30):
        await helpdesk.open(f"item {index}")
    desk = helpdesk.connect()
    object.__setattr__(desk._poller, "_limit", 29)  # type: ignore[attr-defined] # a rest desk
    with pytest.raises(NeedsHuman) as told:
        await desk.changes("", 7)
    assert told.value.field == "changes.limit"
    await desk.close()


async def test_a_spoilt_ticket_of_a_snapshot_hides_no_other(
    tickets: Reader, helpdesk: HelpdeskWitness
) -> None:
    numbers = [await helpdesk.open(f"beside {index}") for index in range(5)]
    helpdesk.emulated.tickets[int(numbers[2])]["description"] = LARGE
    assert len(LARGE) > MAX_BODY
    await tickets.poll()
    assert sorted(tickets.reported) == sorted(set(numbers) - {numbers[2]})
    assert len(tickets.unreadable) == 1
    await tickets.poll()
    assert len(tickets.unreadable) == 1, "told once"


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=40).filter(lambda one: one.isprintable()),
        st.binary(min_size=6, max_size=6).map(bytes.hex),
        max_size=60,
    )
)
def test_a_snapshot_s_cursor_comes_back_whole(held: dict[str, str]) -> None:
    assert unpacked(packed(held)) == held


def test_a_snapshot_s_cursor_is_compact() -> None:
    chance = random.Random(1)
    held = {str(number): chance.randbytes(6).hex() for number in range(40_000, 50_000)}
    assert len(packed(held)) < 12 * len(held)


@pytest.mark.parametrize("cursor", ["x", "snapshot1 ", "snapshot1 !!", "snapshot1 0000", "2026"])
def test_a_strange_cursor_of_a_snapshot_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput):
        unpacked(cursor)
