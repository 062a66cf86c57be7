"""Fixtures: a server and a client of it."""

from collections.abc import AsyncIterator

import pytest

from dragoman.transport.http import HttpClient, HttpLimits
from tests.adapters.desks.witnesses import ShiftingClock
from tests.adapters.transport.http_client.server import Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(Server()) as running:
        yield running


@pytest.fixture
def clock() -> ShiftingClock:
    return ShiftingClock()


@pytest.fixture
async def client(server: Server, clock: ShiftingClock) -> AsyncIterator[HttpClient]:
    made = HttpClient(
        server.url, clock=clock, limits=HttpLimits(total_s=0.5, connect_s=0.5, max_body=100_000)
    )
    yield made
    await made.close()
