"""The Desk suite on a real Request Tracker 5: what holds on the emulated one holds there."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from dragoman.config.secrets import Secret
from dragoman.desks.rt import PLUGIN
from dragoman.ports.desk import Desk
from dragoman.testing.conformance.desk import DeskConformance
from dragoman.testing.conformance.desk_witness import DeskWitness, Trouble, Words
from tests.adapters.desks.witnesses import ShiftingClock
from tests.live.counterparts.request_tracker import QUEUE, RequestTracker, is_installed

pytestmark = pytest.mark.live


class LiveWitness:
    """A requester at a real Request Tracker, who can't make it misbehave."""

    troubles: frozenset[Trouble] = frozenset()
    words = Words(title="Subject", state="Status", new="new", working="open", own="svc-gateway")

    def __init__(self, desk: RequestTracker) -> None:
        self._desk = desk
        self._client = desk.requester

    def connect(self, deadline_s: float) -> Desk:
        settings = PLUGIN.settings.model_validate(
            {
                "url": self._desk.url,
                "queue": QUEUE,
                "auth": {"type": "token", "token": Secret.of(self._desk.gateway_token)},
                "page_size": 10,
                "timeout_s": deadline_s,
            }
        )
        return PLUGIN.connect("desk", settings, ShiftingClock())

    async def open(self, title: str) -> str:
        return str(await asyncio.to_thread(self._desk.create_ticket, title))

    async def edit(self, external_id: str, title: str) -> None:
        await asyncio.to_thread(self._client.edit_ticket, int(external_id), Subject=title)

    async def title(self, external_id: str) -> str:
        raw = await asyncio.to_thread(self._client.get_ticket, int(external_id))
        return str(raw["Subject"])

    async def titled(self, title: str) -> int:
        def search() -> list[Any]:
            found = self._client.search(queue=QUEUE, raw_query=f"Subject = '{title}'")
            return list(found)

        return len(await asyncio.to_thread(search))

    async def said(self, external_id: str) -> Sequence[str]:
        ticket = await asyncio.to_thread(self._desk.read_ticket, int(external_id))
        return [line.content for line in ticket.history if line.type in ("Comment", "Correspond")]

    async def later(self, seconds: float) -> None:
        """Nothing in the adapter depends on the time between changes."""
        await asyncio.sleep(0)

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        raise AssertionError("declared: this witness can't make trouble")

    async def spoil(self, external_id: str) -> None:
        raise AssertionError("declared: no ticket can be spoilt here")


@pytest.fixture(scope="module")
def request_tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RequestTracker]:
    """The server; conftest's fixture of it has the name that the suite uses for the adapter."""
    if not is_installed():
        pytest.fail("Request Tracker is not installed: run tests/live/setup.sh")
    running = RequestTracker(tmp_path_factory.mktemp("rt"))
    running.start()
    yield running
    running.stop()


class TestRequestTracker(DeskConformance):
    reports_own = False
    can_spoil = False
    flood = 24
    steps = 40

    @pytest.fixture
    def witness(self, request_tracker: RequestTracker) -> DeskWitness:
        return LiveWitness(request_tracker)
