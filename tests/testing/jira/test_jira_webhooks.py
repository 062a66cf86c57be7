"""The emulated Jira's webhooks, checked by the gateway's own eyes; and its JQL in detail."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web

from dragoman.desks.jira import PLUGIN
from dragoman.security.signatures import BadSignature, verify_hmac
from dragoman.testing.jira import EmulatedJira
from tests.testing.jira.conftest import login

SECRET = "a-secret-of-the-webhook"


class Gateway:
    """Takes webhooks, and answers with the statuses it is told to, then 200."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self._news = asyncio.Condition()

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._news:
            self.taken.append((dict(request.headers), body))
            self._news.notify_all()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.taken) >= count)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    own = Gateway()
    application = web.Application()
    application.router.add_post("/hooks/jira", own.receive)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    own.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/jira"
    yield own
    await runner.cleanup()


async def registered(site: EmulatedJira, person: str, hook: dict[str, Any]) -> int:
    async with (
        ClientSession(headers=login(site, person)) as session,
        session.post(f"{site.url}/rest/webhooks/1.0/webhook", json=hook) as response,
    ):
        return response.status


async def test_a_delivery_is_signed_and_names_the_issue(
    site: EmulatedJira, gateway: Gateway
) -> None:
    hook = {
        "name": "Dragoman",
        "url": gateway.url,
        "events": ["jira:issue_created", "jira:issue_updated", "comment_created"],
        "filters": {"issue-related-events-section": "project = FAC AND priority != Low"},
        "secret": SECRET,
    }
    assert await registered(site, "alex", hook) == 201
    site.open("of no interest", priority="Low")
    issue = site.open("wanted", description=None)
    site.edit(issue, summary="changed")
    site.say(issue, "and said")
    await gateway.until(3)
    settings = PLUGIN.settings.model_construct(project="FAC")
    events = set()
    for headers, body in gateway.taken:
        verify_hmac(headers, body, ["old", SECRET], header="X-Hub-Signature")
        with pytest.raises(BadSignature):
            verify_hmac(headers, body + b" ", [SECRET], header="X-Hub-Signature")
        told = json.loads(body)
        events.add(told["webhookEvent"])
        assert PLUGIN.notice(told, settings).external_id == str(issue.id)
    assert events == set(hook["events"])
    assert len({headers["X-Atlassian-Webhook-Identifier"] for headers, _ in gateway.taken}) == 3


async def test_a_delivery_is_repeated_under_its_identifier(
    site: EmulatedJira, gateway: Gateway
) -> None:
    site.webhooks.retry_delays = (0.01, 0.01)
    site.webhooks.register(gateway.url, secret=SECRET)
    gateway.statuses = [503, 429]
    site.open("at last")
    await gateway.until(3)
    assert len({headers["X-Atlassian-Webhook-Identifier"] for headers, _ in gateway.taken}) == 1
    assert len({body for _, body in gateway.taken}) == 1
    retries = [headers.get("X-Atlassian-Webhook-Retry") for headers, _ in gateway.taken]
    assert retries == [None, "1", "2"]
    gateway.statuses = [400]  # a refusal is final
    site.open("refused")
    site.webhooks.double = 1
    site.open("doubled")
    site.webhooks.lose = 1
    site.open("lost")
    await gateway.until(6)
    assert site.webhooks.counts["refused"] == 1
    assert site.webhooks.counts["lost"] == 1


async def test_only_administrators_register_webhooks(site: EmulatedJira) -> None:
    assert await registered(site, "gateway", {"url": "http://127.0.0.1:1"}) == 403
    assert not site.webhooks.registered


@pytest.mark.parametrize(
    ("jql", "found"),
    [
        ("project = fac", "abc"),
        ("status = Open AND priority in (High, Highest)", "a"),
        ("status != Open OR labels = robots", "bc"),
        ("NOT (status = Open)", "c"),
        ("statusCategory = 'In Progress'", "c"),
        ("labels is EMPTY", "ac"),
        ("labels not in (robots)", "ac"),
        ('cf[10050] ~ "agv"', "b"),
        ('"Robot ID" is not EMPTY', "b"),
        ("customfield_10053 = 80", ""),
        ("reporter = currentUser()", "c"),
        ("key in (FAC-1, FAC-3)", "ac"),
        ("id > 10001", "bc"),
        ("duedate <= 2026-03-01", "a"),
        ('text = "x"', "!Field 'text' does not exist"),
        ("status = Nowhere", "!'Nowhere' does not exist for the field 'status'"),
        ("summary = x", "!not supported by the 'summary' field"),
        ("status WAS Open", "!Expecting operator"),
        ("status = Open AND", "!before the end of the query"),
        ("(status = Open", "!Expecting '\\)'"),
        ("status = Open status", "!either 'OR' or 'AND' but got 'status'"),
        ("status = Open ORDER BY nope", "!Not able to sort"),
        ("status in Open", "!Expecting '\\('"),
        ("= Open", "!Expecting a field name"),
        ("status = !", "!reserved JQL character"),
    ],
)
async def test_jql(site: EmulatedJira, jql: str, found: str) -> None:
    site.open("a", priority="High", duedate="2026-03-01")
    site.open("b", labels=["robots"], customfield_10050="agv/1")
    moved = site.open("c", user="gateway")
    site.move(moved, "In Progress")
    async with ClientSession(headers=login(site, "gateway")) as session:
        query = {"jql": jql if found[:1] == "!" else f"{jql} ORDER BY key", "fields": "summary"}
        async with session.get(f"{site.url}/rest/api/3/search/jql", params=query) as response:
            told = await response.json()
    if found.startswith("!"):
        assert response.status == 400
        (words,) = told["errorMessages"]
        assert found[1:].replace("\\", "") in words
        return
    assert "".join(issue["fields"]["summary"] for issue in told["issues"]) == found
