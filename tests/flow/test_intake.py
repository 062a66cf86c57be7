"""Intake: no record of a page is lost with a transaction that could not be written."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from operator import itemgetter
from pathlib import Path

import pytest

from dragoman.domain.backlog import Backlog
from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change
from dragoman.domain.delivery import DeliveryState
from dragoman.domain.errors import JournalUnavailable
from dragoman.domain.events import CalledOff, Confirmed
from dragoman.domain.mapping import Incoming, Rule
from dragoman.domain.policy import Policy
from dragoman.flow.intake import Intake, Taken
from dragoman.flow.kit import Kit
from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite.archive import archive_chunk
from dragoman.ports.journal import Find, Found, Journal, RowT
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


def intake_with(journal: Journal) -> Intake:
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
    assert journal.store.rest.cursors["d"] == start.cursor
    await intake.page(await desk.changes(journal.site.cursors["d"], 100))
    found = await journal.find(Case, Find())
    assert sorted(case.external_id for case in found.rows) == numbers


async def test_an_archived_case_that_is_touched_at_the_desk_is_not_done_again(
    tmp_path: Path,
) -> None:
    clock = SystemClock()
    path = tmp_path / "journal.sqlite"
    journal = await SqliteJournal.open(path, site_name="test", clock=clock)
    intake, desk = intake_with(journal), MemoryDesk()
    number = desk.open("look", location="dock")
    taken, change = await intake.record(await desk.read(number))
    assert taken is Taken.NEW
    await journal.commit(change)
    (case,) = journal.site.cases.values()
    await journal.commit(intake.kit.move(case.id, CalledOff(reason="no", actor="operator:x")))
    given_up = tuple(
        replace(d, state=DeliveryState.FAILED, ended_at=clock.now())
        for d in journal.site.deliveries()
    )
    await journal.commit(Change(deliveries=given_up))
    await journal.commit(intake.kit.move(case.id, Confirmed(how="the desk has taken it")))
    before = clock.now() + timedelta(seconds=1)
    moved = await journal.upkeep(
        partial(archive_chunk, before=before, to=tmp_path / "old.jsonl.gz")
    )
    assert moved.cases == 1
    assert not (await journal.find(Case, Find())).rows
    desk.edit(number, title="thanks!")
    started_anew = intake_with(journal)
    for _ in range(2):  # the second time from memory
        assert await started_anew.record(await desk.read(number)) == (Taken.KNOWN, Change())
    await journal.close()


async def test_a_ticket_that_is_handed_back_to_the_robots_is_a_new_case() -> None:
    """It was taken from them while open, by moving it to another group."""
    journal = MemoryJournal(now=SystemClock().now)
    intake, desk = intake_with(journal), MemoryDesk()
    ours = replace(intake.mapping, when=lambda raw: raw["title"] != "for people")
    intake = replace(intake, mapping=ours)
    number = desk.open("look", location="dock")
    outcomes = []
    for title in ("look", "for people", "look", "look again"):
        desk.edit(number, title=title)
        taken, change = await intake.record(await desk.read(number))
        await journal.commit(change)
        outcomes.append(taken)
        for case in [c for c in journal.site.cases.values() if c.state is CaseState.CANCELLED]:
            await journal.commit(intake.kit.move(case.id, Confirmed(how="told")))
    assert outcomes == [Taken.NEW, Taken.CHANGED, Taken.NEW, Taken.CHANGED]
    (case,) = journal.site.cases.values()
    assert case.title == "look again"
    assert [e.action for e in journal.entries].count("intake.reopened") == 1


@pytest.mark.parametrize("backlog", Backlog)
async def test_a_ticket_from_before_the_first_look_is_a_case_only_if_it_is_to_be(
    backlog: Backlog,
) -> None:
    """The desk's clock is an hour behind ours; it is the one that counts."""
    hour, journal = timedelta(hours=1), MemoryJournal(now=SystemClock().now)
    now = [SystemClock().now() - hour]
    desk = MemoryDesk(clock=lambda: now[0])
    ours = intake_with(journal)
    opened = Rule(path="title", read=itemgetter("title"))
    rules = {**ours.mapping.rules, "opened_at": opened}
    intake = replace(ours, backlog=backlog, mapping=replace(ours.mapping, rules=rules))
    old = desk.open(now[0].isoformat(), location="dock")
    now[0] += timedelta(minutes=1)
    for _ in range(2):
        await intake.page(await desk.changes(journal.site.cursors.get("d", ""), 100))
    new = desk.open(now[0].replace(microsecond=0).isoformat(), location="dock")
    desk.edit(old, priority="2")
    await intake.page(await desk.changes(journal.site.cursors["d"], 100))
    taken = {case.external_id for case in journal.site.cases.values()}
    assert taken == ({new} if backlog is Backlog.IGNORE else {old, new})
    (entry,) = [e for e in journal.entries if e.action == "desk.first_look"]
    assert entry.data["since"] == now[0].replace(microsecond=0).isoformat()
    assert entry.data["backlog"] == backlog.value


async def test_a_record_that_no_journal_can_hold_holds_no_other_up() -> None:
    journal = MemoryJournal(now=SystemClock().now)
    intake, desk = intake_with(journal), MemoryDesk()
    await intake.page(await desk.changes("", 100))
    numbers = [desk.open(title, location="dock") for title in ("one", "half of \ud83d", "three")]
    page = await desk.changes(journal.site.cursors["d"], 100)
    await intake.page(page)
    assert {case.external_id for case in journal.site.cases.values()} == {numbers[0], numbers[2]}
    (letter,) = [d for d in journal.site.deliveries() if d.target == "intake:d"]
    assert letter.payload["external_id"] == numbers[1]
    assert "half of" in str(letter.payload["raw"])
    assert journal.site.cursors["d"] == page.cursor
