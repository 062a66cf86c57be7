"""A dead letter that is replayed to a desk: what arrived before is not said twice, nor left out."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from dragoman.domain.change import Change
from dragoman.domain.delivery import Delivery, DeliveryState, RetryPolicy, settle
from dragoman.domain.errors import DragomanError, Permanent, RetryLater
from dragoman.domain.mapping import Incoming
from dragoman.domain.policy import Policy
from dragoman.flow import writeback
from dragoman.flow.kit import Kit
from dragoman.flow.operate import Decision, replay
from dragoman.flow.reconcile.reading import Reader
from dragoman.ports.desk import Desk
from dragoman.testing.conformance.desk_witness import (
    PATIENCE_S,
    DeskWitness,
    Trouble,
    text_of,
)
from dragoman.testing.memory_journal import MemoryJournal
from dragoman.testing.rest import EmulatedRedmine
from dragoman.testing.rt import EmulatedRequestTracker
from dragoman.testing.servicenow import ServiceNowDesk
from dragoman.testing.sim.gateway import SimOutlets
from dragoman.testing.sim.wires import SimFleet
from tests.adapters.desks.rest_witness import RedmineWitness
from tests.adapters.desks.witnesses import (
    MemoryWitness,
    RtWitness,
    ServiceNowWitness,
    ShiftingClock,
)

ONCE = RetryPolicy(max_attempts=1)
MENDED = Decision(actor="operator:x", reason="mended")


@pytest.fixture(params=["servicenow", "rt", "redmine", "memory"])
async def witness(request: pytest.FixtureRequest) -> AsyncIterator[DeskWitness]:
    clock = ShiftingClock()
    if request.param == "servicenow":
        async with ServiceNowDesk(clock=clock.now) as desk:
            yield ServiceNowWitness(desk, clock, "incident")
    elif request.param == "rt":
        async with EmulatedRequestTracker(now=clock.now) as tracker:
            yield RtWitness(tracker, clock)
    elif request.param == "redmine":
        async with EmulatedRedmine(now=clock.now) as redmine:
            yield RedmineWitness(redmine, clock)
    else:
        yield MemoryWitness()


class Line:
    """One delivery to one desk, attempt by attempt, as the courier makes them."""

    def __init__(self, desk: Desk, external_id: str, payload: Mapping[str, object]) -> None:
        clock = ShiftingClock()
        self.desk = desk
        self.kit = Kit(
            journal=MemoryJournal(now=clock.now),
            clock=clock,
            outlets=SimOutlets(SimFleet(clock.now)),
            policy=Policy(),
        )
        self.delivery = Delivery(
            id="key-1",
            target="desk:x",
            lane="case-1",
            verb="write",
            payload={**payload, "external_id": external_id},
            created_at=clock.now(),
        )

    async def attempt(self) -> DragomanError | None:
        """One attempt; after a failure it is a dead letter."""
        try:
            reader = Reader(desk=self.desk, mapping=Incoming())
            await writeback.write(self.kit, self.desk, self.delivery, reader)
        except (Permanent, RetryLater) as error:
            self.delivery = settle(self.delivery, error, self.kit.clock.now(), ONCE, 0.5)
            assert self.delivery.state is DeliveryState.DEAD
            return error
        return None

    async def replay(self, **payload: object) -> None:
        """A person sends it again, edited if a payload is given."""
        edited = {**self.delivery.payload, **payload} if payload else None
        change = replay(self.kit, self.delivery, MENDED, edited)
        await self.kit.journal.commit(Change(deliveries=(self.delivery,)))
        await self.kit.journal.commit(change)
        ((self.delivery,),) = (tuple(lane.values()) for lane in self.kit.site.lanes.values())


@pytest.fixture
async def desk(witness: DeskWitness) -> AsyncIterator[Desk]:
    made = witness.connect(PATIENCE_S)
    yield made
    await made.close()


async def test_what_was_said_before_the_answer_was_lost_is_not_said_again(
    desk: Desk, witness: DeskWitness
) -> None:
    number = await witness.open("a dead letter")
    words = witness.words
    line = Line(desk, number, {"fields": {words.state: words.working}, "comment": "on its way"})
    await witness.trouble(Trouble.LOST_ANSWER, on_write=True, times=1)
    assert isinstance(await line.attempt(), RetryLater)
    await line.replay()
    assert await line.attempt() is None
    assert len(await witness.said(number)) == 1
    assert text_of(await desk.read(number), words.state) == words.working


async def test_fields_that_were_refused_are_written_once_they_are_mended(
    desk: Desk, witness: DeskWitness
) -> None:
    """Some desks ignore what they don't know and take the rest, the comment included."""
    number = await witness.open("before")
    words = witness.words
    line = Line(desk, number, {"fields": {words.unknown: "x"}, "comment": "done by robot 7"})
    assert isinstance(await line.attempt(), Permanent)
    await line.replay(fields={words.title: "after"})
    assert await line.attempt() is None
    assert await witness.title(number) == "after"
    assert len(await witness.said(number)) == 1


async def test_a_replay_has_all_its_attempts_and_is_counted() -> None:
    kept = Delivery(
        id="d",
        target="desk:x",
        lane="l",
        verb="write",
        payload={},
        created_at=ShiftingClock().now(),
        state=DeliveryState.DEAD,
        attempts=3,
    )
    line = Line(MemoryWitness().connect(), "1", {})
    line.delivery = kept
    await line.replay()
    assert (line.delivery.attempts, line.delivery.replays) == (0, 1)
    line.delivery = replace(line.delivery, state=DeliveryState.DEAD)
    await line.replay()
    assert line.delivery.replays == 2
