"""Retention: once a day, cases closed long ago leave the journal for an archive file.

A task of the running gateway (gateway.py); bootstrap.py says how long cases stay and how a chunk
is moved. The chunks are small and have pauses between them, so that no commit waits for more than
one. A run that fails has lost nothing: it is told, and tried again with a new file.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from dragoman.domain.change import Change, Entry
from dragoman.domain.errors import DragomanError
from dragoman.flow.kit import Kit
from dragoman.ports.journal import Archived

log = structlog.get_logger(__name__)

FIRST_S = 600.0
"""From a start to the first run: a gateway that has just started has other work."""
EVERY_S = 86_400.0
AGAIN_S = 3_600.0
"""From a run that failed to the next one."""
PAUSE_S = 0.2
"""Between two chunks, in which the journal has nothing to do but its commits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Moves what was closed more than `days` ago.

    file: names a new archive file for a run. move: moves one chunk of what was closed before a
    time to a file, and is to be called until nothing is moved. sleep: waits so many seconds.
    """

    kit: Kit
    days: int
    file: Callable[[datetime], Path]
    move: Callable[[datetime, Path], Awaitable[Archived]]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """Once a day until cancelled."""
        await self.sleep(FIRST_S)
        while True:
            await self.sleep(EVERY_S if await self.once() else AGAIN_S)

    async def once(self) -> bool:
        """One run; whether it came to its end. What it did is logged and journalled."""
        now = self.kit.clock.now()
        before, to = now - timedelta(days=self.days), self.file(now)
        moved = Archived()
        error: DragomanError | None = None
        try:
            while chunk := await self.move(before, to):
                moved += chunk
                await self.sleep(PAUSE_S)
        except DragomanError as failure:
            error = failure
        if moved:
            self._tell_moved(moved, before, to)
        if error is not None:
            self._tell_failed(error, to)
        return error is None

    def _tell_moved(self, moved: Archived, before: datetime, to: Path) -> None:
        text = (
            f"{moved.cases} cases closed before {before:%Y-%m-%d %H:%M} UTC, and "
            f"{moved.deliveries} deliveries, went to {to}."
        )
        counts = {"cases": moved.cases, "deliveries": moved.deliveries}
        log.info(text, action="journal.archived", file=str(to), **counts)
        self._note("journal.archived", text, {"file": str(to), **counts})

    def _tell_failed(self, error: DragomanError, to: Path) -> None:
        text = f"Old cases could not be archived, which is tried again in an hour: {error}"
        log.error(text, action="journal.archive_failed", file=str(to), reason=str(error))
        self._note("journal.archive_failed", text, {"file": str(to), "reason": str(error)})

    def _note(self, action: str, text: str, data: dict[str, object]) -> None:
        """Journalled if that goes; a journal that can't take it tells so by itself."""
        note = Entry(action=action, at=self.kit.clock.now(), text=text, data=data)
        self.kit.journal.commit(Change(entries=(note,)))
