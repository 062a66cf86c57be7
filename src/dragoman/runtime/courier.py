"""Carries the deliveries of one target: lane by lane in order, lanes side by side.

Made by the gateway, one a target. It only waits and calls; what an outcome means is decided by
domain/delivery.py (retries, breaker) through target.py, and by the step that is called
(flow/dispatch, flow/writeback).
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from dragoman.domain.change import Change, merged
from dragoman.domain.delivery import (
    Breaker,
    Delivery,
    DeliveryState,
    RetryPolicy,
    delivered,
    dropped,
    turn,
)
from dragoman.domain.errors import (
    JournalUnavailable,
    NeedsHuman,
    Permanent,
    RetryLater,
    Unsent,
)
from dragoman.flow.kit import Kit
from dragoman.runtime.shelf import Shelf
from dragoman.runtime.target import Target

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
        self._at = Target(kit, target, retry)
        self._kit = kit
        self._handler = handler
        self._concurrency = concurrency
        self._ready: dict[str, None] = {}
        self._waiting: list[tuple[datetime, str]] = []
        self._shelf = Shelf(target, lambda: kit.site)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._carrying: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def breaker(self) -> Breaker:
        """Whether calls may go out to the target."""
        return self._at.breaker

    @property
    def in_flight(self) -> int:
        """Deliveries that are being made now, and aren't settled yet."""
        lanes = self._kit.site.lanes
        return sum(
            one in lanes.get((self.target, lane), ()) for lane, one in self._carrying.items()
        )

    def carries(self, delivery: Delivery) -> bool:
        """Whether the call of this delivery is out now."""
        return self._carrying.get(delivery.lane) == delivery.id

    def changed(self, delivery: Delivery) -> None:
        """A delivery of this target was changed in memory: it stays until that is durable."""
        self._shelf.changed(delivery)

    def offer(self, delivery: Delivery) -> None:
        """A delivery of this target is durable in the state given; see to its lane."""
        self._shelf.kept(delivery)
        self._ready[delivery.lane] = None
        self._wake.set()

    def restart(self, *, reloaded: bool = False) -> None:
        """Take up all that the site holds for this target; see `Shelf.restart`."""
        self._ready.update(dict.fromkeys(self._shelf.restart(reloaded=reloaded)))
        self._wake.set()

    async def run(self) -> None:
        """Carry until cancelled; then wait for the calls that are out, each with its deadline."""
        try:
            while True:
                self._wake.clear()
                pause = self._start_what_can()
                try:
                    async with asyncio.timeout(pause):  # wait_for may lose a cancellation (3.11)
                        await self._wake.wait()
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
        if not self._kit.site.sound:
            return None  # `restart` is the news
        now = self._kit.clock.now()
        while self._waiting and self._waiting[0][0] <= now:
            self._ready[heapq.heappop(self._waiting)[1]] = None
        if not self.breaker.allows(now):
            return _until(self.breaker.until, now) if not self._busy else None
        limit = self._at.limit(self._concurrency)
        for lane in sorted(self._ready, key=_after_fetches):
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
        self._at.trying()
        self._kit.site.out.add(delivery.id)
        task = asyncio.create_task(self._carry(delivery), name=f"{self.target} {delivery.id}")
        self._busy[lane] = task
        self._carrying[lane] = delivery.id
        task.add_done_callback(lambda _: self._carried(lane))

    def _head(self, lane: str) -> Delivery | None:
        """The delivery of a lane whose turn it is, once it is durable."""
        head = turn(self._kit.site.lanes.get((self.target, lane), {}))
        return head if head is not None and self._shelf.has(head) else None

    def _carried(self, lane: str) -> None:
        del self._busy[lane], self._carrying[lane]
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
            self._shelf.doubt(delivery)
            log.warning(
                "The outcome of a delivery could not be kept.",
                action="delivery.unmarked",
                target=self.target,
                delivery=delivery.id,
                reason=str(error),
            )
            await asyncio.sleep(error.delay_s or 1.0)
        except Permanent as error:
            # What came of it can't be written, so it must not be made again and again.
            log.exception(
                "The outcome of a delivery can't be written to the journal.",
                action="delivery.unwritable",
                target=self.target,
                delivery=delivery.id,
            )
            failed = self._at.failed(delivery, error, self._kit.clock.now())
            await self._kit.journal.commit(failed)

    async def _attempt(self, delivery: Delivery) -> Change:
        now = self._kit.clock.now()
        if delivery.not_after is not None and now >= delivery.not_after:
            self._at.untried()
            return Change(deliveries=(dropped(delivery, "too late", now),))
        try:
            change = await self._handler(self._shelf.as_tried(delivery))
        except (Permanent, RetryLater, NeedsHuman) as error:
            if isinstance(error, Unsent) and not self._shelf.doubts(delivery):
                self._kit.site.out.discard(delivery.id)
            return self._at.failed(delivery, error, self._kit.clock.now())
        except Exception as error:
            log.exception(
                "A delivery failed in a way that its adapter does not know.",
                action="delivery.defect",
                target=self.target,
                delivery=delivery.id,
            )
            defect = Permanent(f"unexpected {type(error).__name__}: {error}")
            return self._at.failed(delivery, defect, self._kit.clock.now())
        resumed = Change(entries=self._at.answered())
        current = self._at.current(delivery)
        if current is None:
            return merged(change, resumed)
        mark = Change(deliveries=(delivered(current, self._kit.clock.now()),))
        return merged(mark, change, resumed)


def _until(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(0.0, (at - now) / timedelta(seconds=1))


def _after_fetches(lane: str) -> bool:
    """Sorts new work before the backlog of writes: a slow desk must not hold robots up."""
    return not lane.startswith("fetch:")
