"""Asks one desk for changes, again and again, within its budget. One poller a desk."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from dragoman.domain.backlog import FIRST_LOOK, first_look
from dragoman.domain.change import Change, Entry
from dragoman.domain.errors import DragomanError, JournalUnavailable, NeedsHuman, RetryLater
from dragoman.flow.intake import Intake, Taken
from dragoman.ports.desk import Desk, DeskPage
from dragoman.transport.http_quota import polling

log = structlog.get_logger(__name__)

PAGE = 200
GROWTH = 1.5
LONGEST_S = 60.0
LONGEST_ASKED_S = 300.0
"""However long a desk asks to be left alone: after that it is asked whether it still means it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds between two requests: `least` while there is news, growing to `most`.

    per_minute: the budget of requests; 0 means none but the pace.
    """

    least: float = 0.5
    most: float = 5.0
    per_minute: int = 120


class Allowance:
    """A budget of requests a minute. Half of it may go out at once; the rest comes back evenly, so
    that no minute sees more than the whole. now: monotonic seconds.
    """

    def __init__(self, per_minute: int, now: Callable[[], float]) -> None:
        self._most = max(1.0, per_minute / 2)
        self._per_s = max(per_minute - self._most, per_minute / 2) / 60
        self._now = now
        self._left = self._most
        self._at = now()

    def left(self) -> int:
        """Requests that may go out now."""
        now = self._now()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        return int(self._left)

    def spend(self, requests: int) -> None:
        """So many went out. One page may need more than was left, and is paid for later."""
        self.left()
        self._left -= requests

    def wait_s(self, share: float = 0.0) -> float:
        """Seconds until one request may go out, and this share of what may at once."""
        self.left()
        wanted = max(1.0, share * self._most)
        return max(0.0, (wanted - self._left) / self._per_s)


class Poller:
    """Reads pages until there are no more, waits, and starts again. Never gives up.

    sleep: waits so many seconds.
    """

    def __init__(
        self,
        intake: Intake,
        desk: Desk,
        pace: Pace,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.healthy: bool | None = None
        self.last_error = ""
        self._intake = intake
        self._desk = desk
        self._sleep = sleep
        self._pace = pace
        clock = intake.kit.clock
        self._allowance = Allowance(pace.per_minute, clock.monotonic) if pace.per_minute else None
        self._wait = pace.least
        self._failures = 0

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            try:
                more = await self._once()
            except JournalUnavailable as error:
                await self._sleep(error.delay_s or 1.0)
            except DragomanError as error:
                await self._failed(error)
            except Exception as error:
                log.exception(
                    "A poll failed in a way that its adapter does not know.",
                    action="desk.defect",
                    desk=self._intake.desk,
                )
                await self._failed(RetryLater(f"unexpected {type(error).__name__}: {error}"))
            else:
                self._succeeded()
                await self._sleep(max(self._wait if not more else 0.0, self._budget(more=more)))

    async def _once(self) -> bool:
        """One page; whether there is more at once."""
        kit = self._intake.kit
        cursor = kit.site.cursors.get(self._intake.desk, "")
        page = await self._asked(cursor)
        taken = await self._intake.page(page)
        if not cursor:
            self._first_look()
        news = taken.get(Taken.NEW, 0) + taken.get(Taken.CHANGED, 0)
        self._wait = self._pace.least if news else min(self._pace.most, self._wait * GROWTH)
        return page.more

    def _first_look(self) -> None:
        """Log what intake has journalled of the first look."""
        desk = self._intake.desk
        since = self._intake.kit.site.cursors.get(first_look(desk), "")
        text = "First look at this desk: its records count from now on."
        backlog = self._intake.backlog.value
        log.info(text, action=FIRST_LOOK, desk=desk, since=since, backlog=backlog)

    async def _asked(self, cursor: str) -> DeskPage:
        """One page, no longer than the budget allows if each record costs a request; paid for."""
        budget = self._allowance
        limit = PAGE if budget is None else min(PAGE, max(1, budget.left() - 1))
        with polling() as poll:
            try:
                return await self._desk.changes(cursor, limit)
            finally:
                if budget is not None:
                    budget.spend(max(1, poll.requests))

    def _budget(self, *, more: bool) -> float:
        """Seconds until the next page may be asked for; a backlog is read in larger pieces."""
        return 0.0 if self._allowance is None else self._allowance.wait_s(0.125 if more else 0.0)

    def _succeeded(self) -> None:
        if self.healthy is False:
            self._tell("desk.reachable", f"{self._intake.desk} answers again.")
        self.healthy, self._failures, self.last_error = True, 0, ""

    async def _failed(self, error: DragomanError) -> None:
        """Tell once, wait longer each time, at least as long as the desk asks for."""
        if self.healthy is not False or str(error) != self.last_error:
            self._tell("desk.unreachable", f"{self._intake.desk} can't be polled: {error}")
        self.healthy, self.last_error = False, str(error)
        self._failures += 1
        asked = error.delay_s if isinstance(error, RetryLater) and error.delay_s else 0.0
        base = 5.0 if isinstance(error, NeedsHuman) else self._pace.least
        wait = min(LONGEST_S, base * 2.0 ** min(self._failures, 10))
        jitter = 0.5 + 0.5 * self._intake.kit.clock.random()
        asked = min(asked, LONGEST_ASKED_S)
        await self._sleep(max(asked, wait * jitter, self._budget(more=False)))

    def _tell(self, action: str, text: str) -> None:
        log.warning(text, action=action, desk=self._intake.desk)
        kit = self._intake.kit
        note = Entry(action=action, at=kit.clock.now(), text=text[:2000], desk=self._intake.desk)
        kit.journal.commit(Change(entries=(note,)))
