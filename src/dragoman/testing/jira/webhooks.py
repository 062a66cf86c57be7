"""The emulated Jira's webhooks: what an administrator registers, signed and repeated.

Called by `routes` (registration), and by the store as a listener. Source: Jira Cloud "Webhooks":
X-Hub-Signature (sha256 HMAC of the body), X-Atlassian-Webhook-Identifier that stays the same over
repetitions, X-Atlassian-Webhook-Retry, up to five repetitions for 408, 409, 425, 429, 5xx and no
answer. The issue in a body is of version 2, so rich text is plain text there.
"""

import asyncio
import hashlib
import hmac
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext

import aiohttp
import msgspec

from dragoman.testing.jira.jql import parse
from dragoman.testing.jira.jql_match import Meaning
from dragoman.testing.jira.render import View, user_json
from dragoman.testing.jira.schema import User
from dragoman.testing.jira.store import Comment, History, Issue, Store

EVENTS = ("jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created")
_REPEATED = frozenset({408, 409, 425, 429, *range(500, 600)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One registered webhook. jql: which issues it tells of, "" for all."""

    id: int
    name: str
    url: str
    events: frozenset[str]
    jql: str
    secret: str


def sign(secret: str, body: bytes) -> str:
    """The X-Hub-Signature header of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    """Registered webhooks and their deliveries. counts: sent, delivered, retried, failed, lost.

    retry_delays: seconds before each repetition (minutes on the real site). lose, double: how many
    of the next deliveries are never sent, or sent twice.
    """

    def __init__(self, store: Store) -> None:
        self.retry_delays: tuple[float, ...] = (0.2, 0.4, 0.8, 1.6, 3.2)
        self.counts: Counter[str] = Counter()
        self.lose = 0
        self.double = 0
        self.base = ""
        self.registered: dict[int, Subscription] = {}
        self._store = store
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None

    def register(
        self,
        url: str,
        *,
        secret: str,
        events: tuple[str, ...] = EVENTS,
        jql: str = "",
        name: str = "",
    ) -> Subscription:
        """Send these events of matching issues to a URL."""
        subscription = Subscription(
            id=len(self.registered) + 1,
            name=name or url,
            url=url,
            events=frozenset(events),
            jql=jql,
            secret=secret,
        )
        self.registered[subscription.id] = subscription
        return subscription

    async def start(self, tls: SSLContext | None) -> None:
        """Open the client; tls: whom to trust at https addresses."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls if tls else True),
            timeout=aiohttp.ClientTimeout(total=10.0),
        )

    async def stop(self) -> None:
        """Give up what is on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
            self._client = None

    def changed(self, event: str, issue: Issue, user: User, more: Mapping[str, object]) -> None:
        """Tell of a change (a listener of the store)."""
        for subscription in self.registered.values():
            if event in subscription.events and self._matches(subscription.jql, issue, user):
                self._send(subscription, self._body(event, issue, user, more))

    def _matches(self, jql: str, issue: Issue, user: User) -> bool:
        return not jql or Meaning(self._store, user).test(parse(jql).where)(issue)

    def _body(self, event: str, issue: Issue, user: User, more: Mapping[str, object]) -> bytes:
        view = View(store=self._store, base=f"{self.base}/rest/api/2", version=2, reader=user)
        short = ["summary", "issuetype", "project", "priority", "status"]
        whole = event.startswith("jira:")
        body: dict[str, object] = {
            "timestamp": int(issue.updated.timestamp() * 1000),
            "webhookEvent": event,
            "issue": view.issue(issue, ["*all"] if whole else short),
        }
        if whole:
            body["user"] = user_json(user, view.base)
        history, comment = more.get("history"), more.get("comment")
        if isinstance(history, History):
            entry = view.history(history)
            body["changelog"] = {"id": entry["id"], "items": entry["items"]}
        if isinstance(comment, Comment):
            body["comment"] = view.comment(issue, comment)
        return msgspec.json.encode(body)

    def _send(self, subscription: Subscription, body: bytes) -> None:
        self.counts["sent"] += 1
        if self.lose:
            self.lose -= 1
            self.counts["lost"] += 1
            return
        times = 1
        if self.double:
            self.double -= 1
            times = 2
        task = asyncio.create_task(self._deliver(subscription, body, times))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, subscription: Subscription, body: bytes, times: int) -> None:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Atlassian Webhook HTTP Client",
            "X-Atlassian-Webhook-Identifier": str(uuid.uuid4()),
            "X-Hub-Signature": sign(subscription.secret, body),
        }
        for _ in range(times):
            for retry, delay in enumerate((*self.retry_delays, None)):
                more = {"X-Atlassian-Webhook-Retry": str(retry)} if retry else {}
                if await self._post(subscription.url, body, headers | more):
                    break
                if delay is None:
                    self.counts["failed"] += 1
                    break
                self.counts["retried"] += 1
                await asyncio.sleep(delay)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """One attempt; whether it is over (delivered, or refused for good)."""
        assert self._client is not None, "the site isn't started"
        try:
            async with self._client.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError):
            return False
        if response.status in _REPEATED:
            return False
        self.counts["delivered" if response.status < 300 else "refused"] += 1
        return True
