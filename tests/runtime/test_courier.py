"""The courier: nothing in doubt is repeated without a look, and new work goes before writes."""

import asyncio
from datetime import UTC, datetime

import pytest

from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery, DeliveryState, RetryPolicy
from dragoman.domain.policy import Policy
from dragoman.flow.kit import Kit
from dragoman.runtime.clock import SystemClock
from dragoman.runtime.courier import Courier
from dragoman.testing.memory_journal import MemoryJournal, MemoryStore
from dragoman.testing.sim.gateway import SimOutlets
from dragoman.testing.sim.wires import SimFleet
from tests.runtime.one_site import until

AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def delivery(n: int, lane: str = "case") -> Delivery:
    return Delivery(id=f"d{n}", target="desk:x", lane=lane, verb="write", payload={}, created_at=AT)


@pytest.mark.parametrize("after_restart", [True, False])
async def test_the_first_of_a_lane_counts_as_tried_after_a_restart(after_restart: bool) -> None:
    clock = SystemClock()
    journal = MemoryJournal(MemoryStore(), now=clock.now)
    outlets = SimOutlets(SimFleet(clock.now))
    kit = Kit(journal=journal, clock=clock, outlets=outlets, policy=Policy())
    tried: list[tuple[str, bool]] = []
    done = asyncio.Event()

    async def handle(made: Delivery) -> Change:
        tried.append((made.id, made.attempts > 0))
        if len(tried) == 2:
            done.set()
        return Change()

    courier = Courier(kit, "desk:x", handle, RetryPolicy(), 4)
    both = (delivery(1), delivery(2))
    await journal.commit(Change(deliveries=both))
    if after_restart:
        courier.restart()
    else:
        for each in both:
            courier.offer(each)
    running = asyncio.create_task(courier.run())
    async with asyncio.timeout(10.0):
        await done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert tried == [("d1", after_restart), ("d2", False)]


async def test_a_record_to_fetch_goes_before_the_writes_that_wait() -> None:
    clock = SystemClock()
    journal = MemoryJournal(MemoryStore(), now=clock.now)
    kit = Kit(
        journal=journal, clock=clock, outlets=SimOutlets(SimFleet(clock.now)), policy=Policy()
    )
    made: list[str] = []
    done = asyncio.Event()
    queued = (delivery(1, "a"), delivery(2, "b"), delivery(3, "fetch:7"), delivery(4, "c"))

    async def handle(one: Delivery) -> Change:
        made.append(one.id)
        if len(made) == len(queued):
            done.set()
        return Change()

    courier = Courier(kit, "desk:x", handle, RetryPolicy(), 1)
    await journal.commit(Change(deliveries=queued))
    for each in queued:
        courier.offer(each)
    running = asyncio.create_task(courier.run())
    async with asyncio.timeout(10.0):
        await done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert made == ["d3", "d1", "d2", "d4"]


async def test_what_was_changed_in_memory_waits_for_the_disk() -> None:
    """Twice changed and once durable is not enough: the newest text would leave too early."""
    clock = SystemClock()
    journal = MemoryJournal(MemoryStore(), now=clock.now)
    kit = Kit(
        journal=journal, clock=clock, outlets=SimOutlets(SimFleet(clock.now)), policy=Policy()
    )
    made: list[str] = []
    done = asyncio.Event()

    async def handle(one: Delivery) -> Change:
        made.append(one.id)
        done.set()
        return Change()

    courier = Courier(kit, "desk:x", handle, RetryPolicy(), 1)
    changing, other = delivery(1, "a"), delivery(2, "b")
    await journal.commit(Change(deliveries=(changing, other)))
    courier.changed(changing)
    courier.changed(changing)
    courier.offer(changing)
    courier.offer(other)
    running = asyncio.create_task(courier.run())
    async with asyncio.timeout(10.0):
        await done.wait()
    assert made == ["d2"]
    assert kit.site.out == {"d2"}
    done.clear()
    courier.offer(changing)
    async with asyncio.timeout(10.0):
        await done.wait()
    assert made == ["d2", "d1"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_outcome_that_no_journal_can_hold_is_a_dead_letter() -> None:
    clock = SystemClock()
    journal = MemoryJournal(MemoryStore(), now=clock.now)
    kit = Kit(
        journal=journal, clock=clock, outlets=SimOutlets(SimFleet(clock.now)), policy=Policy()
    )
    made: list[str] = []

    async def handle(one: Delivery) -> Change:
        made.append(one.id)
        odd = Entry(action="desk.updated", at=AT, text="half a \ud800 character")
        return Change(entries=(odd,))

    courier = Courier(kit, "desk:x", handle, RetryPolicy(), 1)
    await journal.commit(Change(deliveries=(delivery(1),)))
    courier.offer(delivery(1))
    running = asyncio.create_task(courier.run())
    lane = ("desk:x", "case")
    await until(lambda: kit.site.lanes[lane]["d1"].state is DeliveryState.DEAD, "a dead letter")
    assert made == ["d1"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
