"""Emulated Jira sites, plain and over TLS, and the two public clients for them."""

# The clients' own calls have types in part only.
# mypy: allow-untyped-calls

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from atlassian import Jira
from atlassian.jira import JiraCloud
from jira import JIRA

from dragoman.testing.jira import EmulatedJira
from dragoman.testing.tls import TestAuthority


def login(site: EmulatedJira, person: str) -> dict[str, str]:
    """Headers that log a person in."""
    user = site.store.people[person]
    pair = base64.b64encode(f"{user.email}:{site.tokens[person]}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@pytest.fixture
async def site() -> AsyncIterator[EmulatedJira]:
    """A site over plain HTTP."""
    async with EmulatedJira() as own:
        yield own


@pytest.fixture
async def tls_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmulatedJira]:
    """A site over TLS whose authority the environment trusts, as a company's own CA would be."""
    authority = TestAuthority(tmp_path, datetime.now(UTC))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    own = EmulatedJira()
    await own.start(tls=authority.issue().context())
    yield own
    await own.stop()


@pytest.fixture
def pycontribs(tls_site: EmulatedJira) -> Iterator[Callable[[], JIRA]]:
    """Gives the client `jira`; for use in a thread of its own."""
    made: list[JIRA] = []

    def connect() -> JIRA:
        login = ("gateway@example.com", tls_site.tokens["gateway"])
        made.append(JIRA(tls_site.url, basic_auth=login, max_retries=0))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def atlassian(tls_site: EmulatedJira) -> Iterator[Callable[[], tuple[Jira, JiraCloud]]]:
    """Gives both clients of `atlassian-python-api`, the older (version 2) and the newer (3)."""
    made: list[Jira | JiraCloud] = []

    def connect() -> tuple[Jira, JiraCloud]:
        name, token = "gateway@example.com", tls_site.tokens["gateway"]
        pair = (
            Jira(tls_site.url, username=name, password=token, cloud=True),
            JiraCloud(tls_site.url, username=name, password=token),
        )
        made.extend(pair)
        return pair

    yield connect
    for client in made:
        client.session.close()
