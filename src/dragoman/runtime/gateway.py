"""The running gateway: the loops around the flow.

Made by bootstrap.py, which passes all parts in. `run` lives until it is cancelled or a loop fails
for good. A stop leaves everything in the journal, so there is nothing to save.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import replace

import structlog

from dragoman.domain.case import CaseState
from dragoman.domain.change import Change
from dragoman.domain.errors import DragomanError, JournalUnavailable
from dragoman.domain.robot import FleetReport, RobotReport
from dragoman.flow import operate, recover
from dragoman.flow.track import Track
from dragoman.ports.feed import FeedCommand
from dragoman.runtime import orphans
from dragoman.runtime.courier import Courier
from dragoman.runtime.fitting import Fitting
from dragoman.runtime.handlers import couriers
from dragoman.runtime.operators import Operators
from dragoman.runtime.parts import Parts
from dragoman.runtime.poller import Poller
from dragoman.runtime.reconciler import Plan, Reconciler

log = structlog.get_logger(__name__)

TICK_S = 0.1
SWEEP_EVERY = 10
"""Ticks between two looks for silent robots."""
BREATH_S = 0.02
"""Between two passes that served nobody, however much robots have to say."""
CONNECT_S = 2.0
"""How long a fleet's first commands wait for its connection."""
CROWDED = 5000
"""Commits under way above which robots' telemetry is not journalled any more (G6)."""


class Gateway:
    """Runs the flow of one site. operators: what the web and the CLI call.

    listeners: called with each change once it is durable, for metrics and live views.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.kit = parts.kit
        self.track = Track(kit=parts.kit)
        self.couriers = couriers(parts)
        self.operators = Operators(parts.kit, parts.assign, self.track.latest, self.couriers)
        self.pollers = {
            name: Poller(desk.intake, desk.desk, desk.pace)
            for name, desk in parts.desks.items()
            if desk.pace is not None
        }
        self.reconciler = Reconciler(
            self.kit,
            parts.plan or Plan(enabled=False),
            {name: desk.reader for name, desk in parts.desks.items() if desk.reader is not None},
            self.track.latest,
            site_name=parts.site_name,
        )
        self.fitting = Fitting(
            self.kit,
            {name: desk.fit for name, desk in parts.desks.items() if desk.fit is not None},
        )
        self.shed = 0
        self.listeners: list[Callable[[Change], None]] = []
        self._assign_soon = asyncio.Event()
        self._keeps = True
        parts.assign.away = self._away
        parts.journal.applied = self._applied
        parts.journal.durable = self._durable
        parts.journal.lost = self._lost
        self.kit.site.on_taken = self._reloaded

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Start everything, call `ready`, and run until cancelled."""
        async with AsyncExitStack() as stack:
            for name, desk in self.parts.desks.items():
                stack.push_async_callback(_stopped, name, desk.desk.close)
            await self.kit.journal.commit(recover.started(self.kit, self.parts.version))
            self._commit(orphans.told(self.kit, self.couriers))
            for name, feed in self.parts.feeds.items():
                stack.push_async_callback(_stopped, name, feed.feed.stop)
                await feed.feed.start(self._command)
            for name, fleet in self.parts.fleets.items():
                stack.push_async_callback(_stopped, name, fleet.stop)
                await fleet.start(self._report)
            async with asyncio.TaskGroup() as group:
                for courier in self.couriers.values():
                    courier.restart()
                    group.create_task(self._carry(courier), name=f"courier {courier.target}")
                for name, poller in self.pollers.items():
                    group.create_task(poller.run(), name=f"poller {name}")
                group.create_task(self._assigner(), name="assigner")
                group.create_task(self._timer(), name="timer")
                group.create_task(self.fitting.run(), name="fitting")
                if self.reconciler.plan.enabled:
                    group.create_task(self.reconciler.run(), name="reconciler")
                if self.parts.retention is not None:
                    group.create_task(self.parts.retention.run(), name="retention")
                self._assign_soon.set()
                ready()

    # What the journal tells.

    def _applied(self, change: Change) -> None:
        if change.robots or any(case.state is CaseState.QUEUED for case in change.cases):
            self._assign_soon.set()
        for delivery in change.deliveries:
            courier = self.couriers.get(delivery.target)
            if courier is not None:
                courier.changed(delivery)

    def _durable(self, change: Change) -> None:
        if not self._keeps:
            self._keeps = True
            log.info("The journal keeps changes again.", action="journal.back")
        for delivery in change.deliveries:
            courier = self.couriers.get(delivery.target)
            if courier is not None:
                courier.offer(delivery)
        for listener in self.listeners:
            listener(change)

    def _lost(self, error: JournalUnavailable) -> None:
        """A change is lost or refused; told once, until a change is kept again."""
        if self._keeps:
            self._keeps = False
            log.error("The journal lost a change.", action="journal.lost", reason=str(error))

    def _reloaded(self) -> None:
        """The site has just become what the disk has."""
        for courier in self.couriers.values():
            courier.restart(reloaded=True)
        self._assign_soon.set()

    # What robots and feeds tell. Called in the event loop; must not block.

    def _report(self, report: FleetReport) -> None:
        change = self.track.observe(report)
        crowded = self.parts.journal.under_way > CROWDED
        if crowded and change.reports and not replace(change, reports=()):
            self.shed += 1
            return
        self._commit(change)
        if isinstance(report, RobotReport):
            if self.parts.faults is not None:
                self._commit(self.parts.faults.follow(report))
            if self.kit.site.queued:
                self._assign_soon.set()

    def _command(self, command: FeedCommand) -> None:
        try:
            self._commit(operate.from_feed(self.kit, command))
        except DragomanError as error:
            log.warning(
                "A feed's command was refused.", action="feed.command_refused", reason=str(error)
            )

    def _commit(self, change: Change) -> None:
        if change:
            self.kit.journal.commit(change)

    # The loops.

    async def _carry(self, courier: Courier) -> None:
        """Carry for a target; for a fleet not before it is connected, if that doesn't take long.

        Commands that failed only because it isn't yet would open the target's breaker.
        """
        fleet = self.parts.fleets.get(courier.target.removeprefix("fleet:"))
        if courier.target.startswith("fleet:") and fleet is not None:
            until = self.kit.clock.monotonic() + CONNECT_S
            while not fleet.connected and self.kit.clock.monotonic() < until:  # noqa: ASYNC110 (a state, no event)
                await asyncio.sleep(BREATH_S)
        await courier.run()

    def _away(self) -> Collection[str]:
        """Fleets that no order could leave for."""
        return [name for name, fleet in self.parts.fleets.items() if not fleet.connected]

    async def _assigner(self) -> None:
        """Assign whenever there is news."""
        while True:
            await self._assign_soon.wait()
            self._assign_soon.clear()
            if not self.kit.site.queued:
                continue
            change = self.parts.assign.run(self.track.latest)
            self._commit(change)
            await asyncio.sleep(0 if change else BREATH_S)

    async def _timer(self) -> None:
        """Fire deadlines, and notice silence and fleets that are there again."""
        ticks, away = 0, self._away()
        while True:
            await asyncio.sleep(TICK_S)
            ticks += 1
            before, away = away, self._away()
            if away != before:
                self._assign_soon.set()
            self._commit(recover.overdue(self.kit, self.operators.why_waiting))
            if ticks % SWEEP_EVERY == 0:
                self._commit(self.track.sweep())
                if self.parts.faults is not None:
                    self._commit(self.parts.faults.passed())


async def _stopped(name: str, stop: Callable[[], Awaitable[None]]) -> None:
    """Stop one adapter; its trouble must not keep the others from stopping."""
    try:
        async with asyncio.timeout(5.0):
            await stop()
    except (DragomanError, OSError, TimeoutError) as error:
        log.warning(
            "An adapter did not stop cleanly.",
            action="adapter.stop_failed",
            adapter=name,
            reason=str(error),
        )
