"""Places in the gateway's work at which it may die, marked by wrappers around its ports.

The kill tests put `KillPoints.journal`, `.desk` and `.fleet` around the adapters (bootstrap.Shims),
so production code knows nothing of them. At the chosen passage of the chosen point `die` is
called, which doesn't come back: SIGKILL to the own process.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial

from dragoman.domain.change import Change
from dragoman.domain.robot import FleetReport, Robot
from dragoman.domain.site import Site
from dragoman.ports.desk import Desk, DeskPage, DeskRecord, DeskWrite
from dragoman.ports.fleet import Command, Fleet, Parcel
from dragoman.ports.journal import Find, Found, Journal, RowT, Tally


class Point(StrEnum):
    """Where to die."""

    BEFORE_JOURNAL = "before-journal"
    """A commit was called, nothing is written."""
    JOURNALLED_BEFORE_ANSWER = "journalled-before-answer"
    """A new case is durable; whoever waits for that (a webhook's answer) has not been told."""
    ASSIGNED_BEFORE_PUBLISH = "assigned-before-publish"
    """An order is durable and about to be sent."""
    PUBLISHED_BEFORE_MARKED = "published-before-marked"
    """An order was sent, its mark is not durable."""
    ROBOT_DONE_BEFORE_OUTBOX = "robot-done-before-outbox"
    """A robot's finished state was heard, nothing of it is written."""
    DESK_UPDATED_BEFORE_MARKED = "desk-updated-before-marked"
    """The desk has taken a write, its mark is not durable."""


Passed = Callable[[Point], None]


def die(_: Point) -> None:
    """End this process as `kill -9` does: no handler, no flush, no goodbye."""
    os.kill(os.getpid(), signal.SIGKILL)


class KillPoints:
    """Counts passages of one point and dies at the `passages`-th; None: never."""

    def __init__(
        self, at: Point | None = None, passages: int = 1, *, die: Callable[[Point], None] = die
    ) -> None:
        self._at = at
        self._left = passages
        self._die = die

    @classmethod
    def parse(cls, text: str, *, die: Callable[[Point], None] = die) -> "KillPoints":
        """Read `POINT:N` or `none`. Raises ValueError that names the points."""
        if text == "none":
            return cls(die=die)
        name, _, count = text.partition(":")
        if name not in list(Point) or not count.isdecimal() or int(count) < 1:
            raise ValueError(f"{text!r} is neither none nor POINT:N; points: {', '.join(Point)}")
        return cls(Point(name), int(count), die=die)

    def passed(self, point: Point) -> None:
        """The work comes by this point."""
        if point is not self._at:
            return
        self._left -= 1
        if self._left == 0:
            self._die(point)

    def journal(self, real: Journal) -> Journal:
        """The journal with its points."""
        return _Journal(real, self.passed)

    def desk(self, real: Desk) -> Desk:
        """A desk with its point."""
        return _Desk(real, self.passed)

    def fleet(self, real: Fleet) -> Fleet:
        """A fleet with its points."""
        return _Fleet(real, self.passed)


class _Journal:
    def __init__(self, real: Journal, passed: Passed) -> None:
        self._real = real
        self._passed = passed

    @property
    def site(self) -> Site:
        return self._real.site

    def commit(self, change: Change) -> Awaitable[int]:
        actions = {entry.action for entry in change.entries}
        if actions:
            self._passed(Point.BEFORE_JOURNAL)
        if "case.done" in actions:
            self._passed(Point.ROBOT_DONE_BEFORE_OUTBOX)
        future = asyncio.ensure_future(self._real.commit(change))
        if "case.received" in actions:
            future.add_done_callback(partial(_durable, self._passed))
        return future

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        return await self._real.find(row, query)

    async def tallies(self) -> Sequence[Tally]:
        return await self._real.tallies()

    async def close(self) -> None:
        await self._real.close()


def _durable(passed: Passed, done: asyncio.Future[int]) -> None:
    """The first of the callbacks on a commit, so that nobody else was told before."""
    if not done.cancelled() and done.exception() is None:
        passed(Point.JOURNALLED_BEFORE_ANSWER)


class _Desk:
    def __init__(self, real: Desk, passed: Passed) -> None:
        self._real = real
        self._passed = passed

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        return await self._real.changes(cursor, limit)

    async def read(self, external_id: str) -> DeskRecord:
        return await self._real.read(external_id)

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        record = await self._real.write(external_id, write)
        self._passed(Point.DESK_UPDATED_BEFORE_MARKED)
        return record

    async def create(self, write: DeskWrite) -> DeskRecord:
        record = await self._real.create(write)
        self._passed(Point.DESK_UPDATED_BEFORE_MARKED)
        return record

    async def close(self) -> None:
        await self._real.close()


class _Fleet:
    def __init__(self, real: Fleet, passed: Passed) -> None:
        self._real = real
        self._passed = passed

    @property
    def connected(self) -> bool:
        return self._real.connected

    async def start(self, sink: Callable[[FleetReport], None]) -> None:
        await self._real.start(sink)

    def compose(self, command: Command, robot: Robot, now: datetime) -> Parcel:
        return self._real.compose(command, robot, now)

    async def send(self, parcel: Parcel) -> None:
        order = parcel.topic.endswith("/order")
        if order:
            self._passed(Point.ASSIGNED_BEFORE_PUBLISH)
        await self._real.send(parcel)
        if order:
            self._passed(Point.PUBLISHED_BEFORE_MARKED)

    async def stop(self) -> None:
        await self._real.stop()
