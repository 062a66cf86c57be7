"""Dragoman's own suite for desks, run on this adapter over real HTTP."""

import itertools
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from dragoman import plugins
from dragoman.config.secrets import Secret
from dragoman.domain.errors import BadInput
from dragoman.ports.desk import Desk
from dragoman.testing.conformance.desk import DeskConformance
from dragoman.testing.conformance.desk_witness import (
    PATIENCE_S,
    RETRY_AFTER_S,
    DeskWitness,
    Trouble,
    Words,
)
from dragoman.testing.example_desk import PLUGIN
from dragoman.testing.example_desk.fake_server import ACCOUNT, FakeExample
from dragoman.testing.rt.faults import Fault

FAULTS: Mapping[Trouble, Fault] = {
    Trouble.RATE_LIMIT: Fault(status=429, headers={"Retry-After": str(int(RETRY_AFTER_S))}),
    Trouble.UNAUTHORIZED: Fault(status=401, body="{}"),
    Trouble.SERVER_ERROR: Fault(status=500, body="{}"),
    Trouble.HTML: Fault(
        status=200, body="<html>log in</html>", headers={"Content-Type": "text/html"}
    ),
    Trouble.TRUNCATED: Fault(status=200, body='{"items":[{"id', applied=True),
    Trouble.LOST_ANSWER: Fault(applied=True, drops_connection=True),
}
"""What the server can do. Silence is left out: it takes long, and the deadline is Dragoman's."""


class ShiftingClock:
    """The true time plus what a test adds: Dragoman's Clock port."""

    def __init__(self) -> None:
        self.shift = timedelta()
        self._ids = itertools.count(1)

    def now(self) -> datetime:
        """See the port."""
        return datetime.now(UTC) + self.shift

    def monotonic(self) -> float:
        """See the port."""
        return time.monotonic() + self.shift.total_seconds()

    def new_id(self) -> str:
        """See the port."""
        return f"{next(self._ids):026}"

    def trace_id(self) -> str:
        """See the port."""
        return f"{next(self._ids):032x}"

    def random(self) -> float:
        """See the port."""
        return random.random()  # noqa: S311 - jitter is no secret


class ExampleWitness:
    """Somebody at the desk, who acts as its users do."""

    troubles = frozenset(FAULTS)
    words = Words(title="title", state="state", new="new", working="working", own=ACCOUNT)

    def __init__(self, server: FakeExample, clock: ShiftingClock) -> None:
        self._server = server
        self._clock = clock

    def connect(self, deadline_s: float = PATIENCE_S) -> Desk:
        """A new adapter, as after a restart."""
        auth = {"type": "token", "token": Secret.of(self._server.token)}
        given = {"url": self._server.url, "auth": auth, "timeout_s": deadline_s}
        return PLUGIN.connect("desk", PLUGIN.settings.model_validate(given), self._clock)

    async def open(self, title: str) -> str:
        """A user opens a ticket."""
        return self._server.open(title)

    async def edit(self, external_id: str, title: str) -> None:
        """Another user changes the title."""
        self._server.change(external_id, "kim", title=title)

    async def title(self, external_id: str) -> str:
        """The title as the desk has it."""
        return str(self._server.tickets[external_id]["title"])

    async def titled(self, title: str) -> int:
        """How many tickets have this title."""
        return sum(one["title"] == title for one in self._server.tickets.values())

    async def said(self, external_id: str) -> Sequence[str]:
        """Texts of comments and notes, oldest first."""
        return [str(one["text"]) for one in self._server.comments[external_id]]

    async def later(self, seconds: float) -> None:
        """Let the desk's time pass."""
        self._clock.shift += timedelta(seconds=seconds)

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        """Let the next calls go wrong."""
        for method in ("PATCH", "POST") if on_write else ("GET",):
            self._server.faults.plan(FAULTS[trouble], times=times, method=method)

    async def spoil(self, external_id: str) -> None:
        """Make a ticket that no gateway can take in."""
        self._server.spoil(external_id)


class TestExample(DeskConformance):
    """The whole suite."""

    @pytest.fixture
    async def witness(self) -> AsyncIterator[DeskWitness]:
        """At the fake server."""
        clock = ShiftingClock()
        async with FakeExample(now=clock.now) as server:
            yield ExampleWitness(server, clock)


def test_a_webhook_names_the_ticket() -> None:
    """As text or number; nothing else."""
    settings = PLUGIN.settings.model_construct()
    assert PLUGIN.notice({"ticket": 7}, settings).external_id == "7"
    with pytest.raises(BadInput):
        PLUGIN.notice({"ticket": None}, settings)


def test_the_gateway_finds_it() -> None:
    """By the entry point of the installed package."""
    assert plugins.find("desks", "example") is PLUGIN
    assert "default" in plugins.default_mappings("example")
