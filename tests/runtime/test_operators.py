"""What people may do to deliveries that couriers have out, and how the gateway says that it is."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dragoman.domain.case import CaseState
from dragoman.domain.change import Change
from dragoman.domain.delivery import DeliveryState
from dragoman.domain.errors import BadInput, Permanent, RetryLater
from dragoman.domain.mapping import Incoming, Rule
from dragoman.flow.operate import Decision
from dragoman.ports.desk import DeskRecord, DeskWrite
from dragoman.testing.fakes.desk import Failure
from dragoman.web.health import readiness
from dragoman.web.status import targets
from tests.runtime.rig import Rig, mapping, until

SO = Decision(actor="operator:x", reason="so")


async def test_a_delivery_that_is_out_is_not_dropped() -> None:
    """The desk has it by then, and a drop would count it as failed."""
    rig = Rig(robots=0)
    async with rig.running() as gateway:
        kit, write, answer = gateway.kit, rig.memory.write, asyncio.Event()

        async def slow(external_id: str, asked: DeskWrite) -> DeskRecord:
            record = await write(external_id, asked)
            await answer.wait()
            return record

        rig.memory.write = slow  # type: ignore[method-assign, assignment] # the answer takes its time
        number = rig.memory.open("look", location="dock")
        await kit.journal.commit(gateway.parts.desks["d"].intake.fetch(number))
        await until(lambda: bool(rig.memory.said))
        (out,) = kit.site.deliveries()
        with pytest.raises(Permanent, match="is being made now"):
            await gateway.operators.drop(out.id, SO)

        def shown() -> tuple[int, int]:
            views = targets(cast("Any", SimpleNamespace(gateway=gateway)))
            return next((one.queued, one.in_flight) for one in views if one.target == "desk:d")

        assert shown() == (0, 1)
        sums = {one.target: one for one in await gateway.operators.tallies()}
        assert (sums["desk:d"].queued, sums["desk:d"].in_flight) == (0, 1)
        assert sums["desk:d"].adds_up
        answer.set()
        await until(lambda: not kit.site.lanes)
        assert shown() == (0, 0)
        with pytest.raises(Permanent, match="ended already"):
            await gateway.operators.drop(out.id, SO)
        await kit.journal.commit(Change())
        done = await gateway.operators.delivery(out.id)
        assert done.state is DeliveryState.DELIVERED


async def test_a_delivery_that_waits_for_its_next_attempt_may_be_dropped() -> None:
    rig = Rig(robots=0)
    async with rig.running() as gateway:
        number = rig.memory.open("look", location="dock")
        intake = gateway.parts.desks["d"].intake
        await gateway.kit.journal.commit(intake.fetch(number))
        rig.memory.failures += [Failure(error=RetryLater("busy", delay_s=60.0))] * 9
        site = gateway.kit.site
        await until(lambda: any(d.next_at for d in site.deliveries()))
        (waiting,) = site.deliveries()
        await gateway.operators.drop(waiting.id, SO)
        assert (await gateway.operators.delivery(waiting.id)).state is DeliveryState.FAILED


async def test_a_desk_that_is_down_does_not_make_the_gateway_unready() -> None:
    rig = Rig(poll=True)
    async with rig.running() as gateway:
        rig.memory.failures += [Failure(error=RetryLater("the desk is down"))] * 1000
        await until(lambda: gateway.pollers["d"].healthy is False)
        checks = await readiness(cast("Any", SimpleNamespace(gateway=gateway)))
        assert checks == {"journal": True, "fleets": True}


async def test_a_released_case_goes_by_the_record_and_the_mapping_as_they_are_now() -> None:
    """The version at the desk is the same; only our reading of it was mended."""
    where = [""]
    rules = {**mapping().rules, "location": Rule(path="title", read=lambda _raw: where[0])}
    rig = Rig(robots=0, incoming=Incoming(rules=rules))
    async with rig.running() as gateway:
        kit, act = gateway.kit, gateway.operators.act
        number = rig.memory.open("look")
        await kit.journal.commit(gateway.parts.desks["d"].intake.fetch(number))
        await until(lambda: [c.state for c in kit.site.cases.values()] == [CaseState.HELD])
        (case,) = kit.site.cases.values()
        assert "the record gives no location" in case.reason
        await act(case.id, "release", SO)
        await until(lambda: kit.site.cases[case.id].state is CaseState.HELD)  # as before
        await until(lambda: not kit.site.lanes)
        rig.memory.failures.append(Failure(error=RetryLater("not now")))
        where[0] = "dock"
        assert (await act(case.id, "release", SO)).location == "dock"
        assert kit.site.cases[case.id].state is CaseState.QUEUED
        entries = await gateway.operators.timeline(case)
        released = [e for e in entries if e.action == "case.released"]
        assert [e.actor for e in released] == ["operator:x", "operator:x"]


async def test_a_release_of_what_cannot_be_read_is_a_dead_letter_and_no_robot_goes() -> None:
    rig = Rig(robots=1)
    async with rig.running() as gateway:
        kit, act = gateway.kit, gateway.operators.act
        number = rig.memory.open("look", location="nowhere")
        await kit.journal.commit(gateway.parts.desks["d"].intake.fetch(number))
        await until(lambda: [c.state for c in kit.site.cases.values()] == [CaseState.HELD])
        await until(lambda: not kit.site.lanes)
        (case,) = kit.site.cases.values()
        rig.memory.failures.append(Failure(error=BadInput("no text", field="title")))
        assert (await act(case.id, "release", SO)).state is CaseState.HELD
        (letter,) = kit.site.deliveries()
        assert (letter.verb, letter.state) == ("fetch", DeliveryState.DEAD)
        await gateway.operators.replay(letter.id, SO)
        await until(lambda: not kit.site.lanes)
        entries = await gateway.operators.timeline(case)
        assert "case.released" in [entry.action for entry in entries]


async def test_an_action_on_a_case_that_is_over_says_how_it_ended() -> None:
    rig = Rig(robots=0)
    async with rig.running() as gateway:
        kit = gateway.kit
        number = rig.memory.open("look", location="dock")
        await kit.journal.commit(gateway.parts.desks["d"].intake.fetch(number))
        await until(lambda: bool(kit.site.cases))
        (case_id,) = kit.site.cases
        await gateway.operators.act(case_id, "cancel", SO)
        await until(lambda: not kit.site.cases)
        words = rf"{number} is closed \(cancelled\) since .*; it can't be held"
        with pytest.raises(Permanent, match=words):
            await gateway.operators.act(case_id, "hold", SO)
