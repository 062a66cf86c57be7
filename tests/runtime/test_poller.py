"""The poller's budget: what counts is each request that a desk gets, not each round."""

from operator import itemgetter

import pytest

from dragoman.domain.errors import RetryLater
from dragoman.domain.mapping import Incoming, Rule
from dragoman.runtime.poller import Allowance, Pace, Poller
from dragoman.testing.fakes.desk import Failure
from dragoman.testing.rt import EmulatedRequestTracker
from tests.adapters.desks.witnesses import RtWitness, ShiftingClock
from tests.runtime.rig import Rig

CONSTANTS = {"number": "N", "kind": "look", "opened_at": "2026-01-01T00:00:00Z", "location": "no"}


class EnoughError(Exception):
    """The poller has waited often enough."""


class Waits:
    """In place of asyncio.sleep: time passes at once, and the waits are kept."""

    def __init__(self, witness: RtWitness | None, enough: int) -> None:
        self.seconds: list[float] = []
        self.asked: list[tuple[float, int]] = []
        self._witness = witness
        self._enough = enough

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self._witness is not None:
            self.asked.append((sum(self.seconds[:-1]), len(self._witness.emulated.requests)))
            await self._witness.later(seconds)
        if len(self.seconds) >= self._enough:
            raise EnoughError


async def test_no_minute_sees_more_requests_than_the_budget() -> None:
    """Each new ticket of this desk costs a request of its own, beside the list."""
    clock = ShiftingClock()
    async with EmulatedRequestTracker(now=clock.now) as emulated:
        witness = RtWitness(emulated, clock)
        rules = {name: Rule(const=value) for name, value in CONSTANTS.items()}
        title = Rule(path="Subject", read=itemgetter("Subject"))
        rig = Rig(
            clock=clock,
            robots=0,
            desk=witness.connect(),
            incoming=Incoming(rules={**rules, "title": title}),
        )
        gateway = rig.build()
        parts = gateway.parts.desks["d"]
        pace = Pace(least=0.5, most=5.0, per_minute=60)
        waits = Waits(witness, 1)
        poller = Poller(parts.intake, parts.desk, pace, waits.sleep)
        with pytest.raises(EnoughError):
            await poller.run()
        for number in range(100):
            await witness.open(f"ticket {number}")
        emulated.requests.clear()
        waits = Waits(witness, 60)
        poller = Poller(parts.intake, parts.desk, pace, waits.sleep)
        with pytest.raises(EnoughError):
            await poller.run()
        await parts.desk.close()
    assert len(gateway.kit.site.cases) == 100
    for start, before in [(0.0, 0), *waits.asked]:
        within = [count for at, count in waits.asked if at < start + 60.0]
        assert max(within) - before <= 60, f"too many in the minute after {start:.0f} s"


async def test_a_desk_that_asks_for_a_year_is_asked_again_within_minutes() -> None:
    rig = Rig(robots=0)
    gateway = rig.build()
    rig.memory.failures.append(Failure(error=RetryLater("too many", delay_s=3.15e7)))
    waits = Waits(None, 1)
    parts = gateway.parts.desks["d"]
    with pytest.raises(EnoughError):
        await Poller(parts.intake, parts.desk, Pace(), waits.sleep).run()
    assert waits.seconds == [300.0]


def test_an_allowance_comes_back_evenly_and_not_beyond_its_half() -> None:
    now = 0.0
    budget = Allowance(60, lambda: now)
    assert budget.left() == 30
    budget.spend(34)
    assert budget.left() < 0
    assert budget.wait_s() == pytest.approx(10.0)
    now = 10.0
    assert budget.left() == 1
    assert budget.wait_s() == 0.0
    assert budget.wait_s(0.5) == pytest.approx(28.0)
    now = 1000.0
    assert budget.left() == 30
