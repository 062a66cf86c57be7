"""The running gateway: the loops around the flow, and what the web and the tests call.

Made by bootstrap.py, which passes everything in. `run` lives until it is cancelled or one of the
loops fails for good; a stop leaves everything in the journal, so there is nothing to save.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import structlog

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change
from dragoman.domain.delivery import Delivery, RetryPolicy
from dragoman.domain.errors import DragomanError, JournalUnavailable
from dragoman.domain.robot import FleetReport, RobotReport
from dragoman.flow import dispatch, operate, recover, writeback
from dragoman.flow.assign import Assign
from dragoman.flow.faults import Faults
from dragoman.flow.intake import Intake
from dragoman.flow.kit import Kit
from dragoman.flow.track import Track
from dragoman.ports.desk import Desk
from dragoman.ports.feed import Feed, FeedCommand
from dragoman.ports.fleet import Fleet
from dragoman.runtime.announcing import AnnouncingJournal
from dragoman.runtime.courier import Courier
from dragoman.runtime.poller import Pace, Poller

log = structlog.get_logger(__name__)

TICK_S = 0.1
SWEEP_EVERY = 10
"""Ticks between two looks for silent robots."""
CROWDED = 5000
"""Commits under way above which robots' telemetry is not journalled any more (G6)."""
FLEET_LANES = 64
FEED_LANES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """One desk: its adapter, its way in, and how fast it may be called. pace None: no polling."""

    desk: Desk
    intake: Intake
    retry: RetryPolicy = RetryPolicy()
    concurrency: int = 4
    pace: Pace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedParts:
    """One feed and its retries."""

    feed: Feed
    retry: RetryPolicy = RetryPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that a gateway is made of. Names are those of the configuration."""

    kit: Kit
    journal: AnnouncingJournal
    assign: Assign
    desks: Mapping[str, DeskParts]
    fleets: Mapping[str, Fleet]
    feeds: Mapping[str, FeedParts] = field(default_factory=dict)
    faults: Faults | None = None
    version: str = "0"


class Gateway:
    """Runs the flow of one site."""

    def __init__(self, parts: Parts) -> None:
        self.kit = parts.kit
        self.parts = parts
        self.track = Track(kit=parts.kit)
        self.shed = 0
        self.couriers: dict[str, Courier] = {}
        self.pollers: dict[str, Poller] = {}
        self._assign_soon = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        parts.journal.applied = self._applied
        parts.journal.durable = self._durable
        parts.journal.lost = self._lost
        self._make_couriers()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Start everything, call `ready`, and run until cancelled."""
        async with AsyncExitStack() as stack:
            await self.kit.journal.commit(recover.started(self.kit, self.parts.version))
            for name, fleet in self.parts.fleets.items():
                await fleet.start(self._report)
                stack.push_async_callback(_stopped, name, fleet.stop)
            for name, parts in self.parts.feeds.items():
                await parts.feed.start(self._command)
                stack.push_async_callback(_stopped, name, parts.feed.stop)
            for name, desk in self.parts.desks.items():
                stack.push_async_callback(_stopped, name, desk.desk.close)
            async with asyncio.TaskGroup() as group:
                for courier in self.couriers.values():
                    courier.restart()
                    group.create_task(courier.run(), name=f"courier {courier.target}")
                for poller in self._make_pollers():
                    group.create_task(poller.run(), name="poller")
                group.create_task(self._assigner(), name="assigner")
                group.create_task(self._timer(), name="timer")
                self._assign_soon.set()
                ready()

    async def act(self, case_id: str, action: str, decision: operate.Decision) -> Case:
        """A person's action on a case; returns the case as it is then. Raises Permanent."""
        await self.kit.journal.commit(operate.act(self.kit, case_id, action, decision))
        return self.kit.site.cases.get(case_id) or await self._closed(case_id)

    async def replay(
        self,
        delivery: Delivery,
        decision: operate.Decision,
        payload: Mapping[str, object] | None = None,
    ) -> None:
        """Send a dead letter again. Raises Permanent if it isn't dead."""
        await self.kit.journal.commit(operate.replay(self.kit, delivery, decision, payload))

    async def drop(self, delivery: Delivery, decision: operate.Decision) -> None:
        """Give a delivery up. Raises Permanent if it has ended already."""
        change = writeback.given_up(self.kit, delivery, decision.reason, decision.actor)
        await self.kit.journal.commit(change)

    async def ban(self, robot_id: str, decision: operate.Decision, *, lift: bool) -> None:
        """Take a robot out of service, or back in."""
        await self.kit.journal.commit(operate.ban(self.kit, robot_id, decision, lift=lift))
        self._assign_soon.set()

    def why_waiting(self, case: Case) -> str:
        """Why a queued case has no robot now."""
        return self.parts.assign.why_waiting(case, self.track.latest)

    async def _closed(self, case_id: str) -> Case:
        from dragoman.ports.journal import Find  # noqa: PLC0415

        found = await self.kit.journal.find(Case, Find(where={"id": case_id}, limit=1))
        return found.rows[0]

    # What the journal tells.

    def _applied(self, change: Change) -> None:
        if any(c.state is CaseState.QUEUED for c in change.cases) or change.robots:
            self._assign_soon.set()

    def _durable(self, change: Change) -> None:
        for delivery in change.deliveries:
            courier = self.couriers.get(delivery.target)
            if courier is not None:
                courier.offer(delivery)

    def _lost(self, error: JournalUnavailable) -> None:
        log.error(f"The journal lost a change: {error}", action="journal.lost")
        for courier in self.couriers.values():
            courier.restart()

    # What robots and feeds tell. Both sinks are called in the event loop and must not block.

    def _report(self, report: FleetReport) -> None:
        change = self.track.observe(report)
        if isinstance(report, RobotReport):
            if self.parts.faults is not None:
                self._commit(self.parts.faults.follow(report))
            if self.kit.site.queued:
                self._assign_soon.set()
        if change.reports and self.parts.journal.under_way > CROWDED and not change.cases:
            self.shed += 1
            return
        self._commit(change)

    def _command(self, command: FeedCommand) -> None:
        try:
            self._commit(operate.from_feed(self.kit, command))
        except DragomanError as error:
            log.warning(f"A feed's command was refused: {error}", action="feed.command_refused")

    def _commit(self, change: Change) -> None:
        if change:
            self.kit.journal.commit(change)

    # The loops.

    async def _assigner(self) -> None:
        """Assign whenever there is news; after a pass that served nobody, not at every state."""
        while True:
            await self._assign_soon.wait()
            self._assign_soon.clear()
            if not self.kit.site.queued:
                continue
            change = self.parts.assign.run(self.track.latest)
            if change:
                self._commit(change)
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(TICK_S / 5)

    async def _timer(self) -> None:
        """Fire deadlines, and notice silence."""
        ticks = 0
        while True:
            await asyncio.sleep(TICK_S)
            ticks += 1
            self._commit(recover.overdue(self.kit, self.why_waiting))
            if ticks % SWEEP_EVERY == 0:
                self._commit(self.track.sweep())

    def _make_couriers(self) -> None:
        for name, desk in self.parts.desks.items():
            self._courier(f"desk:{name}", self._desk_handler(desk), desk.retry, desk.concurrency)
            intake = self._intake_handler(desk.intake)
            self._courier(f"intake:{name}", intake, desk.retry, 1)
        for name, fleet in self.parts.fleets.items():
            # An order is repeated by its own deadlines, so the broker is asked again soon.
            soon = RetryPolicy(base_s=0.1, cap_s=0.5)
            self._courier(f"fleet:{name}", self._fleet_handler(fleet), soon, FLEET_LANES)
        for name, parts in self.parts.feeds.items():
            handler = self._feed_handler(parts.feed)
            self._courier(f"feed:{name}", handler, parts.retry, FEED_LANES)

    def _courier(
        self,
        target: str,
        handler: Callable[[Delivery], Awaitable[Change]],
        retry: RetryPolicy,
        lanes: int,
    ) -> None:
        self.couriers[target] = Courier(self.kit, target, handler, retry, lanes)

    def _make_pollers(self) -> Sequence[Poller]:
        for name, parts in self.parts.desks.items():
            if parts.pace is not None:
                self.pollers[name] = Poller(parts.intake, parts.desk, parts.pace)
        return tuple(self.pollers.values())

    def _desk_handler(self, parts: DeskParts) -> Callable[[Delivery], Awaitable[Change]]:
        async def handle(delivery: Delivery) -> Change:
            match delivery.verb:
                case "create":
                    return await writeback.create(self.kit, parts.desk, delivery)
                case "settle":
                    return await writeback.settle_fault(self.kit, parts.desk, delivery)
                case "fetch":
                    record = await parts.desk.read(str(delivery.payload["external_id"]))
                    return (await parts.intake.record(record))[1]
                case _:
                    return await writeback.write(self.kit, parts.desk, delivery)

        return handle

    def _intake_handler(self, intake: Intake) -> Callable[[Delivery], Awaitable[Change]]:
        async def handle(delivery: Delivery) -> Change:
            return await intake.again(delivery)

        return handle

    def _fleet_handler(self, fleet: Fleet) -> Callable[[Delivery], Awaitable[Change]]:
        async def handle(delivery: Delivery) -> Change:
            return await dispatch.send(self.kit, fleet, delivery)

        return handle

    def _feed_handler(self, feed: Feed) -> Callable[[Delivery], Awaitable[Change]]:
        async def handle(delivery: Delivery) -> Change:
            return await writeback.publish(feed, delivery)

        return handle


async def _stopped(name: str, stop: Callable[[], Awaitable[None]]) -> None:
    """Stop one adapter; its trouble must not keep the others from stopping."""
    try:
        async with asyncio.timeout(5.0):
            await stop()
    except (DragomanError, OSError, TimeoutError) as error:
        log.warning(f"{name} did not stop cleanly: {error}", action="adapter.stop_failed")
