"""A journal that tells what has become durable, so that effects leave after that and not before.

Wraps any journal; made by bootstrap.py for the gateway.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from dragoman.domain.change import Change
from dragoman.domain.errors import JournalUnavailable
from dragoman.domain.site import Site
from dragoman.ports.journal import Find, Found, Journal, RowT, Tally

log = structlog.get_logger(__name__)


class AnnouncingJournal:
    """Calls `applied` for each change at once and `durable` when the disk has it.

    `lost` is called when a change could not be kept; the site is as the disk has it by then.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.applied: Callable[[Change], None] = _nobody
        self.durable: Callable[[Change], None] = _nobody
        self.lost: Callable[[JournalUnavailable], None] = _nobody
        self.under_way = 0

    @property
    def site(self) -> Site:
        """The working set."""
        return self._journal.site

    def commit(self, change: Change) -> Awaitable[int]:
        """Commit; failures are told to `lost` too, so the result need not be awaited."""
        future = asyncio.ensure_future(self._journal.commit(change))
        self.under_way += 1
        future.add_done_callback(lambda done: self._settled(change, done))
        if not future.done():
            self.applied(change)
        return future

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        """Look up rows in the whole history."""
        return await self._journal.find(row, query)

    async def tallies(self) -> Sequence[Tally]:
        """The outbox's sums."""
        return await self._journal.tallies()

    async def close(self) -> None:
        """Close the journal beneath."""
        await self._journal.close()

    def _settled(self, change: Change, done: asyncio.Future[int]) -> None:
        self.under_way -= 1
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            self.durable(change)
        elif isinstance(error, JournalUnavailable):
            self.lost(error)
        else:
            log.error(
                "A change could not be committed.",
                action="journal.commit_failed",
                exc_info=error,
            )


def _nobody(_: object) -> None:
    """Until somebody listens."""
