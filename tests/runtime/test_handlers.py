"""What couriers do with the answers of real adapters: an edit at the desk is never swallowed."""

import asyncio
from operator import itemgetter

import pytest

from dragoman.config.jmes import reader
from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change
from dragoman.domain.delivery import Delivery
from dragoman.domain.mapping import Incoming, Rule
from dragoman.ports.desk import DeskRecord, DeskWrite
from dragoman.testing.rt import EmulatedRequestTracker
from dragoman.testing.servicenow import ServiceNowDesk
from tests.adapters.desks.witnesses import RtWitness, ServiceNowWitness, ShiftingClock
from tests.runtime.rig import Rig, until

CONSTANTS = {"number": "N", "kind": "look", "opened_at": "2026-01-01T00:00:00Z", "location": "no"}


@pytest.mark.parametrize("which", ["rt", "servicenow"])
async def test_an_edit_between_a_poll_and_our_own_write_is_noticed(which: str) -> None:
    clock = ShiftingClock()
    if which == "rt":
        async with EmulatedRequestTracker(now=clock.now) as tracker:
            title = Rule(path="Subject", read=itemgetter("Subject"))
            await check(RtWitness(tracker, clock), title, clock)
    else:
        async with ServiceNowDesk() as snow:
            title = Rule(path="short_description.value", read=reader("short_description.value"))
            await check(ServiceNowWitness(snow, clock, "incident"), title, clock)


async def check(witness: RtWitness | ServiceNowWitness, title: Rule, clock: ShiftingClock) -> None:
    rules = {name: Rule(const=value) for name, value in CONSTANTS.items()}
    desk = witness.connect()
    rig = Rig(clock=clock, robots=0, desk=desk, incoming=Incoming(rules={**rules, "title": title}))
    async with rig.running() as gateway:
        kit = gateway.kit
        number = await witness.open("go to the dock")
        await kit.journal.commit(gateway.parts.desks["d"].intake.fetch(number))
        await until(lambda: kit.site.case_of("d", number) is not None and not kit.site.lanes)
        await witness.edit(number, "no, to the lab")
        case = kit.site.case_of("d", number)
        assert isinstance(case, Case)
        note = Delivery(
            id=clock.new_id(),
            target="desk:d",
            lane=case.id,
            verb="write",
            payload={"external_id": number, "status": "executing", "note": "At work."},
            created_at=clock.now(),
            case_id=case.id,
        )
        await kit.journal.commit(Change(deliveries=(note,)))
        await until(lambda: kit.site.cases[case.id].title == "no, to the lab")
        assert "At work." in "".join(await witness.said(number))


async def test_a_ticket_reopened_before_we_said_that_it_ended_is_a_new_case() -> None:
    """Nobody tells of it again: only the record that our last write gives back shows it."""
    rig = Rig(robots=0)
    async with rig.running() as gateway:
        kit, intake, desk = gateway.kit, gateway.parts.desks["d"].intake, rig.memory
        write, go = desk.write, asyncio.Event()

        async def slow(external_id: str, asked: DeskWrite) -> DeskRecord:
            if asked.comment == "cancelled":
                await go.wait()
            return await write(external_id, asked)

        desk.write = slow  # type: ignore[method-assign, assignment] # it takes its time
        number = desk.open("look", location="dock")
        await kit.journal.commit(intake.fetch(number))
        await until(lambda: kit.site.case_of("d", number) is not None and not kit.site.lanes)
        first = kit.site.by_key["d", number]
        desk.edit(number, state="cancelled")
        await kit.journal.commit(intake.fetch(number))
        await until(lambda: kit.site.cases[first].state is CaseState.CANCELLED)
        desk.edit(number, state="new")
        go.set()
        await until(lambda: kit.site.by_key.get(("d", number), first) != first)
        assert first not in kit.site.cases
