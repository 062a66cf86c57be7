"""Desks for the tests of the emulated ServiceNow, plain and over TLS, and clients for them."""

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pysnc import ServiceNowClient

from dragoman.testing.servicenow import Field, ServiceNowDesk
from dragoman.testing.tls import TestAuthority


class Http:
    """A plain HTTP client of one desk, logged in as the gateway."""

    def __init__(self, desk: ServiceNowDesk, session: aiohttp.ClientSession) -> None:
        self._desk = desk
        self._session = session

    async def __call__(self, method: str, path: str, **options: Any) -> aiohttp.ClientResponse:
        """Send a call to /api/now/… and read the answer to its end."""
        async with self._session.request(
            method,
            f"{self._desk.url}/api/now/{path}",
            **options,
        ) as response:
            await response.read()
            return response


def authorization(user_name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user_name}:{password}".encode()).decode()


@pytest.fixture
async def desk() -> AsyncIterator[ServiceNowDesk]:
    """A desk over plain HTTP with one field of its own."""
    own = ServiceNowDesk(extra_fields={"incident": [Field(name="u_robot", label="Robot")]})
    async with own:
        yield own


@pytest.fixture
async def http(desk: ServiceNowDesk) -> AsyncIterator[Http]:
    credentials = desk.credentials
    headers = {"Authorization": authorization(credentials.user_name, credentials.password)}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield Http(desk, session)


@pytest.fixture
async def tls_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ServiceNowDesk]:
    """A desk over TLS whose authority the environment trusts, as a site's own CA would be."""
    authority = TestAuthority(tmp_path, datetime.now(UTC))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    own = ServiceNowDesk()
    await own.start(tls=authority.issue().context())
    yield own
    await own.stop()


@pytest.fixture
def pysnc(tls_desk: ServiceNowDesk) -> Iterator[Callable[[], ServiceNowClient]]:
    """Gives the PySNC client with basic authentication; for use in a thread of its own."""
    credentials = tls_desk.credentials
    client = ServiceNowClient(
        tls_desk.url, (credentials.user_name, credentials.password), auto_retry=False
    )
    yield lambda: client
    client.session.close()
