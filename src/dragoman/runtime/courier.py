"""Carries the deliveries of one target: lane by lane in order, lanes side by side.

Made by the gateway, one a target. It only waits and calls; what an outcome means is decided by
domain/delivery.py (retries, breaker) and by the step that is called (flow/dispatch, writeback).
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.delivery import (
    SETTLED,
    Breaker,
    BreakerState,
    Delivery,
    DeliveryState,
    RetryPolicy,
    delivered,
    dropped,
    settle,
)
from dragoman.domain.errors import (
    DragomanError,
    JournalUnavailable,
    NeedsHuman,
    Permanent,
    RetryLater,
)
from dragoman.flow.kit import Kit

Handler = Callable[[Delivery], Awaitable[Change]]
"""Does the delivery's work; the change that follows is committed together with its mark."""

log = structlog.get_logger(__name__)


class Courier:
    """One target's outbox. concurrency: how many lanes at a time."""

    def __init__(
        self,
        kit: Kit,
        target: str,
        handler: Handler,
        retry: RetryPolicy,
        concurrency: int,
    ) -> None:
        self.target = target
        self.breaker = Breaker()
        self._kit = kit
        self._handler = handler
        self._retry = retry
        self._concurrency = concurrency
        self._ready: dict[str, None] = {}
        self._waiting: list[tuple[datetime, str]] = []
        self._durable: set[str] = set()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def in_flight(self) -> int:
        """Deliveries being made now."""
        return len(self._busy)

    def offer(self, delivery: Delivery) -> None:
        """A delivery of this target is durable in the state given; see to its lane."""
        if delivery.state in SETTLED:
            self._durable.discard(delivery.id)
        else:
            self._durable.add(delivery.id)
        self._ready[delivery.lane] = None
        self._wake.set()

    def restart(self) -> None:
        """Take up all that the site holds for this target: at start, and after a reload."""
        self._durable.clear()
        for (target, lane), deliveries in self._kit.site.lanes.items():
            if target == self.target:
                self._durable.update(deliveries)
                self._ready[lane] = None
        self._wake.set()

    async def run(self) -> None:
        """Carry until cancelled; then wait for the calls that are out, each with its deadline."""
        try:
            while True:
                self._wake.clear()
                pause = self._start_what_can()
                try:
                    await asyncio.wait_for(self._wake.wait(), pause)
                except TimeoutError:
                    continue
        finally:
            self._stopping = True
            if self._busy:
                await asyncio.wait(tuple(self._busy.values()), timeout=5.0)
            for task in tuple(self._busy.values()):
                task.cancel()

    def _start_what_can(self) -> float | None:
        """Start deliveries; seconds until the next one may start, None if only news can help."""
        now = self._kit.clock.now()
        while self._waiting and self._waiting[0][0] <= now:
            self._ready[heapq.heappop(self._waiting)[1]] = None
        if not self.breaker.allows(now):
            return _until(self.breaker.until, now) if not self._busy else None
        trial = self.breaker.state is not BreakerState.CLOSED
        limit = 1 if trial else self._concurrency
        for lane in tuple(self._ready):
            if len(self._busy) >= limit:
                break
            self._start(lane, now)
        return _until(self._waiting[0][0] if self._waiting else None, now)

    def _start(self, lane: str, now: datetime) -> None:
        if lane in self._busy:
            return
        del self._ready[lane]
        delivery = self._head(lane)
        if delivery is None or delivery.state is DeliveryState.DEAD:
            return
        if delivery.next_at is not None and delivery.next_at > now:
            heapq.heappush(self._waiting, (delivery.next_at, lane))
            return
        self.breaker = self.breaker.trying()
        task = asyncio.create_task(self._carry(delivery), name=f"{self.target} {delivery.id}")
        self._busy[lane] = task
        task.add_done_callback(lambda _: self._carried(lane))

    def _head(self, lane: str) -> Delivery | None:
        """The first delivery of a lane, once it is durable."""
        waiting = self._kit.site.lanes.get((self.target, lane))
        if not waiting:
            return None
        head = next(iter(waiting.values()))
        return head if head.id in self._durable else None

    def _carried(self, lane: str) -> None:
        del self._busy[lane]
        self._ready[lane] = None
        self._wake.set()

    async def _carry(self, delivery: Delivery) -> None:
        """One attempt, and its outcome in the journal."""
        try:
            change = await self._attempt(delivery)
            if change:
                await self._kit.journal.commit(change)
        except JournalUnavailable as error:
            # The mark is lost and the delivery will be made again: at least once, by its key.
            log.warning(
                "The outcome of a delivery could not be kept.",
                action="delivery.unmarked",
                target=self.target,
                delivery=delivery.id,
                reason=str(error),
            )
            await asyncio.sleep(error.delay_s or 1.0)

    async def _attempt(self, delivery: Delivery) -> Change:
        now = self._kit.clock.now()
        if delivery.not_after is not None and now >= delivery.not_after:
            self._untried()
            return Change(deliveries=(dropped(delivery, "too late", now),))
        try:
            change = await self._handler(delivery)
        except (Permanent, RetryLater, NeedsHuman) as error:
            return self._failed(delivery, error)
        except Exception as error:
            log.exception(
                "A delivery failed in a way that its adapter does not know.",
                action="delivery.defect",
                target=self.target,
                delivery=delivery.id,
            )
            return self._failed(delivery, Permanent(f"unexpected {type(error).__name__}: {error}"))
        self._answered()
        current = self._current(delivery)
        if current is None:
            return change
        mark = Change(deliveries=(delivered(current, self._kit.clock.now()),))
        return merged(mark, change)

    def _current(self, delivery: Delivery) -> Delivery | None:
        """The delivery as it is now; None if it was withdrawn or dropped meanwhile."""
        lane = self._kit.site.lanes.get((self.target, delivery.lane), {})
        return lane.get(delivery.id)

    def _failed(self, delivery: Delivery, error: DragomanError) -> Change:
        now = self._kit.clock.now()
        notes = []
        if isinstance(error, Permanent):
            self._answered()
        else:
            was = self.breaker.state
            self.breaker = self.breaker.failed(error, now)
            if self.breaker.state is BreakerState.OPEN and was is BreakerState.CLOSED:
                notes.append(self._note("target.paused", f"{self.target} is paused: {error}"))
        current = self._current(delivery)
        if current is None:
            return Change(entries=tuple(notes))
        settled = settle(current, error, now, self._retry, self._kit.clock.random())
        if settled.state is DeliveryState.DEAD:
            text = f"{self.target} refuses {delivery.verb}: {error}"
            notes.append(self._note("delivery.dead", text, delivery))
        elif delivery.attempts == 0:
            text = f"{delivery.verb} to {self.target} will be tried again: {error}"
            notes.append(self._note("delivery.delayed", text, delivery))
        return Change(deliveries=(settled,), entries=tuple(notes))

    def _answered(self) -> None:
        """The target answered, be it with a refusal."""
        if self.breaker.opens:
            note = self._note("target.resumed", f"{self.target} answers again.")
            self._kit.journal.commit(Change(entries=(note,)))
        if self.breaker.failures or self.breaker.opens:
            self.breaker = self.breaker.succeeded()

    def _untried(self) -> None:
        """A trial that did not call: let the next one through."""
        if self.breaker.state is BreakerState.HALF_OPEN:
            self.breaker = self.breaker.untried()

    def _note(self, action: str, text: str, delivery: Delivery | None = None) -> Entry:
        return Entry(
            action=action,
            at=self._kit.clock.now(),
            text=text[:2000],
            case_id=delivery.case_id if delivery else "",
            order_id=delivery.order_id if delivery else "",
            trace_id=delivery.trace_id if delivery else "",
            data={"target": self.target, "delivery": delivery.id if delivery else ""},
        )


def _until(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(0.0, (at - now) / timedelta(seconds=1))
