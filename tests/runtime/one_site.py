"""A whole runtime over a fake desk and fleet, with a real journal on a disk that can fail."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from dragoman.domain.delivery import RetryPolicy
from dragoman.domain.mapping import CASE_VALUES, Incoming, Outgoing, Rule, Update
from dragoman.domain.order import Place
from dragoman.domain.policy import ActionTemplate, Mission, Policy, Weights
from dragoman.domain.template import parse
from dragoman.flow.assign import Assign
from dragoman.flow.intake import Intake
from dragoman.flow.kit import Kit
from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite import connection as sqlite
from dragoman.plugins import Notice
from dragoman.runtime.announcing import AnnouncingJournal
from dragoman.runtime.clock import SystemClock
from dragoman.runtime.gateway import Gateway
from dragoman.runtime.outlets import ConfiguredOutlets
from dragoman.runtime.parts import DeskParts, Parts
from dragoman.runtime.poller import Pace
from dragoman.solver import solve
from dragoman.testing.fakes.desk import MemoryDesk
from dragoman.testing.fakes.fleet import MemoryFleet

PATIENCE_S = 20.0
TOLD = ("queued", "assigned", "executing", "done", "cancelled", "held")


@dataclass(slots=True)
class Disk:
    """fails_on: a batch with this text in it breaks the disk, so that it can't even be read.

    refused: how often it could not be opened since.
    """

    fails_on: str = ""
    broken: bool = False
    refused: int = 0

    def connect(self, path: Path) -> "FailingConnection":
        """Raises as SQLite does while the disk is broken."""
        if self.broken:
            self.refused += 1
            raise _error("unable to open database file", sqlite3.SQLITE_CANTOPEN)
        return FailingConnection(sqlite.connect(path), self)

    def mend(self) -> None:
        """The disk is well again."""
        self.fails_on, self.broken = "", False


class FailingConnection:
    """A connection whose writes fail as its disk does."""

    def __init__(self, inner: sqlite.Connection, disk: Disk) -> None:
        self._inner = inner
        self._disk = disk

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """Run a statement, or fail."""
        if sql.startswith("INSERT INTO batch"):
            wanted = self._disk.fails_on
            self._disk.broken = self._disk.broken or bool(wanted and wanted in str(parameters[0]))
            if self._disk.broken:
                raise _error("disk I/O error", sqlite3.SQLITE_IOERR)
        return self._inner.execute(sql, parameters)

    def close(self) -> None:
        """Let go of the file."""
        self._inner.close()


def _error(text: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSite:
    """The parts of a running site. orders: what the fleet was sent so far."""

    gateway: Gateway
    journal: SqliteJournal
    desk: MemoryDesk
    fleet: MemoryFleet
    disk: Disk = field(default_factory=Disk)

    def orders(self) -> list[str]:
        """Bodies of all orders that left."""
        return [parcel.body for parcel in self.fleet.sent if '"order"' in parcel.body]

    def finished(self) -> list[str]:
        """Orders that robots have finished."""
        return [
            order
            for robot in self.fleet.robots.values()
            for order, outcome in robot.outcomes
            if outcome == "finished"
        ]

    def told(self, external_id: str) -> list[str]:
        """Statuses that the desk was told, in order."""
        texts = [text for id_, _, text in self.desk.said if id_ == external_id]
        return [status for text in texts for status in text.split("\n\n")]


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it, by a deadline."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 (any state, without an event of its own)
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


@asynccontextmanager
async def one_site(folder: Path, robots: int = 2) -> AsyncIterator[OneSite]:
    """Run it until the block is left."""
    clock, disk = SystemClock(), Disk()
    journal = await SqliteJournal.open(
        folder / "journal.sqlite", site_name="test", clock=clock, connect=disk.connect
    )
    announcing = AnnouncingJournal(journal)
    desk, fleet = MemoryDesk(clock=clock.now), MemoryFleet("f", clock.now)
    for number in range(robots):
        fleet.add(f"acme/r{number}")
    said = parse("{status}", CASE_VALUES)
    outlets = ConfiguredOutlets(
        fleets={"f": fleet},
        desks={"d": Outgoing(updates={status: Update(comment=said) for status in TOLD})},
        feed_names=(),
        event_of=lambda *_: {},
    )
    kit = Kit(journal=announcing, clock=clock, outlets=outlets, policy=Policy())
    mission = Mission(kind="look", actions=(ActionTemplate(type="inspect"),), expected_s=20.0)
    assign = Assign(
        kit=kit,
        missions={"look": mission},
        locations={"dock": Place(node_id="dock", x=5.0, y=5.0, map_id="map")},
        weights=Weights(),
        solver=solve,
    )
    rules = {name: Rule(path=path, read=itemgetter(path)) for name, path in _READ.items()}
    phases = {"new": "open", "done": "closed", "cancelled": "cancelled"}
    rules["kind"] = Rule(const="look")
    rules["phase"] = Rule(path="state", read=itemgetter("state"), map=phases, default="open")
    intake = Intake(kit=kit, desk="d", mapping=Incoming(rules=rules), kinds=frozenset({"look"}))
    parts = DeskParts(
        desk=desk,
        intake=intake,
        notice=lambda body: Notice(external_id=str(body["id"])),
        retry=RetryPolicy(base_s=0.05, cap_s=0.2),
        pace=Pace(least=0.05, most=0.1, per_minute=0),
    )
    gateway = Gateway(
        Parts(
            site_name="test",
            version="test",
            kit=kit,
            journal=announcing,
            assign=assign,
            desks={"d": parts},
            fleets={"f": fleet},
        )
    )
    running = asyncio.create_task(gateway.run())
    try:
        yield OneSite(gateway=gateway, journal=journal, desk=desk, fleet=fleet, disk=disk)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        disk.mend()
        await journal.close()


_READ = {"number": "id", "title": "title", "location": "location", "opened_at": "updated"}
