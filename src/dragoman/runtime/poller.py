"""Asks one desk for changes, again and again, within its budget. One poller a desk."""

import asyncio
from dataclasses import dataclass

import structlog

from dragoman.domain.change import Change, Entry
from dragoman.domain.errors import DragomanError, JournalUnavailable, NeedsHuman, RetryLater
from dragoman.flow.intake import Intake, Taken
from dragoman.ports.desk import Desk
from dragoman.transport.http_quota import polling

log = structlog.get_logger(__name__)

PAGE = 200
GROWTH = 1.5
LONGEST_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds between two requests: `least` while there is news, growing to `most`.

    per_minute: the budget of requests; 0 means none but the pace.
    """

    least: float = 0.5
    most: float = 5.0
    per_minute: int = 120


class Poller:
    """Reads pages until there are no more, waits, and starts again. Never gives up."""

    def __init__(self, intake: Intake, desk: Desk, pace: Pace) -> None:
        self.healthy: bool | None = None
        self.last_error = ""
        self._intake = intake
        self._desk = desk
        self._pace = pace
        self._wait = pace.least
        self._failures = 0

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            try:
                more = await self._once()
            except JournalUnavailable as error:
                await asyncio.sleep(error.delay_s or 1.0)
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
                await asyncio.sleep(max(self._wait if not more else 0.0, self._budget()))

    async def _once(self) -> bool:
        """One page; whether there is more at once."""
        kit = self._intake.kit
        cursor = kit.site.cursors.get(self._intake.desk, "")
        with polling():
            page = await self._desk.changes(cursor, PAGE)
        taken = await self._intake.page(page)
        news = taken.get(Taken.NEW, 0) + taken.get(Taken.CHANGED, 0)
        self._wait = self._pace.least if news else min(self._pace.most, self._wait * GROWTH)
        return page.more

    def _budget(self) -> float:
        return 60.0 / self._pace.per_minute if self._pace.per_minute else 0.0

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
        await asyncio.sleep(max(asked, wait * jitter))

    def _tell(self, action: str, text: str) -> None:
        log.warning(text, action=action, desk=self._intake.desk)
        kit = self._intake.kit
        note = Entry(action=action, at=kit.clock.now(), text=text[:2000], desk=self._intake.desk)
        kit.journal.commit(Change(entries=(note,)))
