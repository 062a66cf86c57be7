"""An emulated org over TLS, as simple-salesforce insists on it, and a client for it.

The client is synchronous, so tests use it in a thread while the org serves on the loop.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce

from dragoman.testing.salesforce import EmulatedSalesforce
from dragoman.testing.tls import TestAuthority

Client = Callable[[], Any]
"""Makes a `Salesforce`; its attributes are objects of the org, which its annotations don't know."""


@pytest.fixture
async def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmulatedSalesforce]:
    """An org over TLS whose authority the environment trusts."""
    authority = TestAuthority(tmp_path, datetime.now(UTC))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    own = EmulatedSalesforce()
    await own.start(tls=authority.issue().context())
    yield own
    await own.stop()


class Here(HTTPAdapter):
    """Leads every address to the org's: what a name server would do for *.salesforce.com."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._host = urlsplit(url).netloc

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        parts = urlsplit(str(request.url))
        request.url = parts._replace(netloc=self._host).geturl()
        return super().send(request, *args, **kwargs)


def code(error: Any) -> str:
    """The errorCode in an exception of simple-salesforce."""
    return str(error.content[0]["errorCode"])


@pytest.fixture
def session(org: EmulatedSalesforce) -> Any:
    with requests.Session() as own:
        own.mount("https://", Here(org.url))
        yield own


@pytest.fixture
def client(org: EmulatedSalesforce, session: requests.Session) -> Client:
    """Gives the client with a session id; for use in a thread of its own."""
    token = org.front.sessions.open()
    return lambda: Salesforce(instance_url=org.url, session_id=token, session=session)
