"""When both sides are compared: windows, sweeps, second looks and the end of each shift.

A task of the running gateway (gateway.py); bootstrap.py reads the `Plan` from `[reconcile]`. One
loop a desk, so that a slow one delays no other, and one for robots and shifts. What a look finds
is committed by flow/reconcile; a restart begins it anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo

import structlog

from dragoman.domain.errors import DragomanError
from dragoman.domain.reconcile.mismatch import Rules, Side
from dragoman.domain.reconcile.report import Shift
from dragoman.domain.reconcile.robot import Fleet
from dragoman.domain.robot import RobotReport
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile import Book, DeskSide, Reader, Reports, RobotSide
from dragoman.runtime.pacing import Budget, Sleep, paced

log = structlog.get_logger(__name__)

ROBOTS_EVERY_S = 10.0
LEAST_PAUSE_S = 1.0
AGAIN_S = 60.0
"""From a look that failed to the next one of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `[reconcile]` says. every_s: from window to window; recent_s: how far back one looks.

    per_minute: requests to each desk, second looks and sweeps included. shifts, zone: when shifts
    start, by the wall clock there. sweep_before_s: how long before a shift's end its sweep begins.
    """

    enabled: bool = True
    rules: Rules = field(default_factory=Rules)
    every_s: float = 60.0
    recent_s: float = 900.0
    per_minute: int = 30
    shifts: Sequence[time] = (time(6), time(14), time(22))
    zone: tzinfo = UTC
    sweep_before_s: float = 1800.0


@dataclass(slots=True, kw_only=True)
class DeskLoop:
    """One desk's part. compared_at: when its last window ended well, None before that.

    swept: the start of the shift whose sweep is done. error: why the last look failed, "" if not.
    """

    side: DeskSide
    window_at: datetime
    sweep_at: datetime
    compared_at: datetime | None = None
    swept: datetime | None = None
    error: str = ""


class Reconciler:
    """All desks and robots of the site. sleep: waits so many seconds; tests pass virtual time."""

    def __init__(
        self,
        kit: Kit,
        plan: Plan,
        readers: Mapping[str, Reader],
        latest: Mapping[str, RobotReport],
        *,
        site_name: str,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.plan = plan
        self.book = Book(kit=kit, rules=plan.rules, fleet=lambda: _sides(kit, latest))
        self.reports = Reports(kit=kit, site_name=site_name, times=plan.shifts, zone=plan.zone)
        now = kit.clock.now()
        self.desks = {
            name: DeskLoop(
                side=DeskSide(
                    kit=kit,
                    book=self.book,
                    name=name,
                    reader=paced(reader, Budget(plan.per_minute, kit.clock, sleep)),
                ),
                window_at=now + timedelta(seconds=plan.every_s),
                sweep_at=now,
            )
            for name, reader in readers.items()
        }
        self._robots = RobotSide(kit=kit, book=self.book)
        self._kit = kit
        self._sleep = sleep
        self._shift: Shift | None = None

    async def run(self) -> None:
        """Compare until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_robots(), name="reconcile robots")
            for name, loop in self.desks.items():
                group.create_task(self._watch(loop), name=f"reconcile {name}")

    async def _watch(self, loop: DeskLoop) -> None:
        while True:
            await self.turn(loop)
            await self._sleep(self._pause(loop))

    async def _watch_robots(self) -> None:
        while True:
            await self.turn_of_robots()
            await self._sleep(ROBOTS_EVERY_S)

    async def turn(self, loop: DeskLoop) -> None:
        """Whatever is due at one desk now: second looks first, then the window, then the sweep."""
        side, plan = loop.side, self.plan
        await self._try(loop, side.again, plan.every_s)
        now = self._kit.clock.now()
        if now >= loop.window_at:
            loop.window_at = now + timedelta(seconds=plan.every_s)
            if await self._try(loop, lambda: self._window(loop), plan.every_s * 10):
                loop.compared_at = self._kit.clock.now()
        shift = self.reports.shift(self._kit.clock.now())
        if loop.swept != shift.start and self._kit.clock.now() >= max(
            loop.sweep_at, shift.end - timedelta(seconds=plan.sweep_before_s)
        ):
            length = (shift.end - shift.start).total_seconds()
            if await self._try(loop, lambda: side.sweep(shift.start), length):
                loop.swept = shift.start
            else:
                loop.sweep_at = self._kit.clock.now() + timedelta(seconds=AGAIN_S)

    async def turn_of_robots(self) -> None:
        """One look at the robots; and the report of a shift that has ended."""
        try:
            await self._keep_shift()
            await self._robots.look()
        except DragomanError as error:
            log.warning("Robots can't be compared.", action="reconcile.failed", reason=str(error))

    async def _keep_shift(self) -> None:
        """Begin a shift, or go on with it after a restart; report the one that has ended."""
        shift = self.reports.shift(self._kit.clock.now())
        if self._shift == shift:
            return
        before, told = self._shift, await self.reports.told(shift)
        if before is not None:
            found = await self.reports.of(before)
            await self._kit.journal.commit(self.reports.ended(found))
        self.book.begin(told)
        self._shift = shift

    async def _window(self, loop: DeskLoop) -> int:
        """A window takes half of the budget; second looks and the sweep have the rest."""
        requests = self.plan.per_minute * self.plan.every_s / 120.0
        limit = max(1, int(requests)) * loop.side.reader.batch
        return await loop.side.window(limit, timedelta(seconds=self.plan.recent_s))

    async def _try(
        self, loop: DeskLoop, look: Callable[[], Awaitable[int]], within_s: float
    ) -> bool:
        """One look; whether it came to its end in time. Its trouble is told once."""
        try:
            async with asyncio.timeout(within_s):
                await look()
        except (DragomanError, TimeoutError) as error:
            reason = str(error) or f"no end within {within_s:.0f} s"
            if reason != loop.error:
                log.warning(
                    "A desk can't be compared.",
                    action="reconcile.failed",
                    desk=loop.side.name,
                    reason=reason,
                )
            loop.error = reason
            return False
        loop.error = ""
        return True

    def _pause(self, loop: DeskLoop) -> float:
        """Seconds until something is due at a desk, not less than a second."""
        due = self.book.next_due(Side.DESK, loop.side.name)
        at = loop.window_at if due is None else min(due, loop.window_at)
        return max(LEAST_PAUSE_S, (at - self._kit.clock.now()).total_seconds())


def _sides(kit: Kit, latest: Mapping[str, RobotReport]) -> Fleet:
    site = kit.site
    return Fleet(cases=site.cases, assignments=site.assignments, robots=site.robots, reports=latest)
