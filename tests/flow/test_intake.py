"""Intake: no record of a page is lost with a transaction that could not be written."""

import asyncio
from collections.abc import Mapping
from operator import itemgetter

import pytest

from dragoman.domain.case import Case
from dragoman.domain.errors import JournalUnavailable
from dragoman.domain.mapping import Incoming, Rule
from dragoman.domain.policy import Policy
from dragoman.flow.intake import Intake
from dragoman.flow.kit import Kit
from dragoman.ports.journal import Find, Found, RowT
from dragoman.runtime.clock import SystemClock
from dragoman.testing.fakes.desk import MemoryDesk
from dragoman.testing.memory_journal import MemoryJournal
from dragoman.testing.sim.gateway import SimOutlets
from dragoman.testing.sim.wires import SimFleet

PHASES: Mapping[str, str] = {"new": "open", "done": "closed", "cancelled": "cancelled"}


def mapping() -> Incoming:
    names = {"number": "id", "title": "title", "location": "location", "opened_at": "updated"}
    rules = {name: Rule(path=key, read=itemgetter(key)) for name, key in names.items()}
    rules["kind"] = Rule(const="look")
    rules["phase"] = Rule(path="state", read=itemgetter("state"), map=PHASES)
    return Incoming(rules=rules)


class SlowLookUps(MemoryJournal):
    """Each look-up takes longer than a transaction."""

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        for _ in range(5):
            await asyncio.sleep(0)
        return await super().find(row, query)


def intake_with(journal: MemoryJournal) -> Intake:
    clock = SystemClock()
    outlets = SimOutlets(SimFleet(clock.now))
    kit = Kit(journal=journal, clock=clock, outlets=outlets, policy=Policy())
    return Intake(kit=kit, desk="d", mapping=mapping(), kinds=frozenset({"look"}))


@pytest.mark.parametrize("failing", [0, 3, 9])
async def test_the_cursor_never_runs_ahead_of_a_record_that_was_lost(failing: int) -> None:
    """The journal loses one of many transactions, and works again before the page ends."""
    journal = SlowLookUps(now=SystemClock().now)
    intake, desk = intake_with(journal), MemoryDesk()
    start = await desk.changes("", 100)
    await intake.page(start)
    numbers = [desk.open("look", location="dock") for _ in range(10)]
    page = await desk.changes(start.cursor, 100)
    reading = asyncio.ensure_future(intake.page(page))
    async with asyncio.timeout(10.0):
        while len(journal.site.cases) <= failing:  # noqa: ASYNC110 - a state, no event
            await asyncio.sleep(0)
    journal.fail_next()
    with pytest.raises(JournalUnavailable):
        await reading
    assert journal.store.rest.cursors == {"d": start.cursor}
    await intake.page(await desk.changes(journal.site.cursors["d"], 100))
    found = await journal.find(Case, Find())
    assert sorted(case.external_id for case in found.rows) == numbers
