"""A desk's reading methods within a budget of requests, and each with a deadline.

Used by reconciler.py, so that comparing takes no more of the desk's quota than it may.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from dragoman.domain.errors import RetryLater
from dragoman.flow.reconcile import Reader
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from dragoman.ports.survey import Survey

Sleep = Callable[[float], Awaitable[None]]

ANSWER_WITHIN_S = 60.0
"""The deadline of one request; desks have shorter ones of their own."""


class Budget:
    """At most so many requests a minute, evenly spread."""

    def __init__(self, per_minute: int, clock: Clock, sleep: Sleep) -> None:
        self._apart_s = 60.0 / per_minute
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock.monotonic()

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Wait until one more may go out. Raises RetryLater if it isn't answered in time."""
        now = self._clock.monotonic()
        at = max(now, self._free_at)
        self._free_at = at + self._apart_s
        if at > now:
            await self._sleep(at - now)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                yield
        except TimeoutError as error:
            raise RetryLater(f"no answer within {ANSWER_WITHIN_S:.0f} s") from error


def paced(reader: Reader, budget: Budget) -> Reader:
    """The same reader, its requests within the budget."""
    survey = reader.survey
    return replace(
        reader,
        desk=_PacedDesk(reader, budget),
        survey=None if survey is None else _PacedSurvey(survey, budget),
    )


class _PacedDesk:
    """Implements `Desk`, as far as reconcile uses it: the rest goes through as it is."""

    def __init__(self, reader: Reader, budget: Budget) -> None:
        self._desk = reader.desk
        self._budget = budget

    async def read(self, external_id: str) -> DeskRecord:
        """See the port."""
        async with self._budget.request():
            return await self._desk.read(external_id)

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """See the port."""
        return await self._desk.changes(cursor, limit)

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._desk.write(external_id, write)

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._desk.create(write)

    async def close(self) -> None:
        """See the port."""
        await self._desk.close()


class _PacedSurvey:
    """Implements `Survey`."""

    def __init__(self, survey: Survey, budget: Budget) -> None:
        self.batch = survey.batch
        self._survey = survey
        self._budget = budget

    async def survey(self, after: str, limit: int) -> DeskPage:
        """See the port."""
        async with self._budget.request():
            return await self._survey.survey(after, limit)

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See the port."""
        async with self._budget.request():
            return await self._survey.read_many(external_ids)

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """See the port."""
        return self._survey.shown(record, field)
