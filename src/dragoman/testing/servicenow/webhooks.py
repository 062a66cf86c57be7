"""The desk's outgoing webhooks: a business rule that POSTs each change of a case.

Called by `desk` (subscribe) and by `instance` as a listener. Deliveries are signed by the Standard
Webhooks specification 1.0 (headers webhook-id, webhook-timestamp, webhook-signature), repeated on
anything but 2xx with the same webhook-id, and go wrong as `faults.webhooks` says.
"""

import asyncio
import base64
import hashlib
import hmac
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ssl import SSLContext

import aiohttp
import msgspec

from dragoman.testing.servicenow.auth import Account
from dragoman.testing.servicenow.faults import Faults
from dragoman.testing.servicenow.store import Row

CASE_TABLES = ("incident", "sn_customerservice_case")
_CONCURRENT = 64
_TIMEOUT = 10.0
_HELD_AT_MOST = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Where to send which events. `secret` is the key, or "whsec_" and the key in base64."""

    url: str
    secret: str
    events: frozenset[str]
    tables: frozenset[str]
    skip_users: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message on its way: its id (webhook-id), its record, subscription and exact body."""

    id: str
    sys_id: str
    subscription: Subscription
    body: bytes


def key_of(secret: str) -> bytes:
    """The signing key in a secret, by the Standard Webhooks rule for the whsec_ prefix."""
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_"))
    return secret.encode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The webhook-signature header of a message. `timestamp` is in Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class Webhooks:
    """Sends deliveries while started. `counts` tells sent, delivered, failed, lost and retried.

    acknowledged: the records (sys_id) of the deliveries that were answered with 2xx, in order.
    """

    def __init__(
        self,
        faults: Faults,
        now: Callable[[], datetime],
        chance: random.Random,
        render: Callable[[str, Row], Mapping[str, object]],
    ) -> None:
        """render: (table, row) → the record as a body carries it, as the Table API shows it."""
        self.retry_delays: tuple[float, ...] = (0.5, 2.0, 5.0)
        self.counts: Counter[str] = Counter()
        self.acknowledged: list[str] = []
        self._faults = faults
        self._now = now
        self._chance = chance
        self._render = render
        self._subscriptions: list[Subscription] = []
        self._held: list[Delivery] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(_CONCURRENT)
        self._client: aiohttp.ClientSession | None = None

    def subscribe(
        self,
        url: str,
        *,
        secret: str,
        events: Iterable[str] = ("created", "updated"),
        tables: Iterable[str] = CASE_TABLES,
        skip_users: Iterable[str] = (),
    ) -> Subscription:
        """Send the events of these tables to a URL, but for changes made by `skip_users`."""
        subscription = Subscription(
            url=url,
            secret=secret,
            events=frozenset(events),
            tables=frozenset(tables),
            skip_users=frozenset(skip_users),
        )
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Send nothing more to a subscription; what is on its way still arrives."""
        self._subscriptions.remove(subscription)

    async def start(self, tls: SSLContext | None = None) -> None:
        """Open the HTTP client; `tls` says whom to trust at https addresses."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONCURRENT, ssl=tls if tls else True),
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT),
        )

    async def stop(self) -> None:
        """Give up what is on its way and close the client."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
            self._client = None

    def changed(self, table: str, event: str, row: Row, account: Account) -> None:
        """Tell all subscriptions of a change (an Instance listener)."""
        for subscription in self._subscriptions:
            if (
                event in subscription.events
                and table in subscription.tables
                and account.user_name not in subscription.skip_users
            ):
                delivery = str(uuid.uuid4())
                message = {
                    "delivery": delivery,
                    "event": f"{table}.{event}",
                    "table": table,
                    "sys_id": row["sys_id"],
                    "record": self._render(table, row),
                }
                self._send(
                    Delivery(
                        id=delivery,
                        sys_id=row["sys_id"],
                        subscription=subscription,
                        body=msgspec.json.encode(message),
                    )
                )

    def _send(self, delivery: Delivery) -> None:
        faults = self._faults.webhooks
        self.counts["sent"] += 1
        if faults.lost and self._chance.random() < faults.lost:
            self.counts["lost"] += 1
            return
        if not faults.shuffled:
            self._run([delivery])
            return
        self._held.append(delivery)
        if len(self._held) >= faults.shuffled:
            self._release()
        elif len(self._held) == 1:
            asyncio.get_running_loop().call_later(_HELD_AT_MOST, self._release)

    def _release(self) -> None:
        """Send what was held back, in another order than it came."""
        held, self._held = self._held, []
        mixed = self._chance.sample(held, len(held))
        self._run(mixed if mixed != held else mixed[::-1])

    def _run(self, deliveries: list[Delivery]) -> None:
        if deliveries:
            task = asyncio.create_task(self._deliver(deliveries))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, deliveries: list[Delivery]) -> None:
        """Send one after the other, each as often as the duplicates demand."""
        for delivery in deliveries:
            if self._faults.webhooks.delay:
                await asyncio.sleep(self._faults.webhooks.delay)
            for _ in range(1 + self._faults.webhooks.duplicates):
                await self._attempts(delivery)

    async def _attempts(self, delivery: Delivery) -> None:
        for delay in (*self.retry_delays, None):
            if await self._post(delivery):
                self.counts["delivered"] += 1
                self.acknowledged.append(delivery.sys_id)
                return
            if delay is not None:
                self.counts["retried"] += 1
                await asyncio.sleep(delay)
        self.counts["failed"] += 1

    async def _post(self, delivery: Delivery) -> bool:
        """One attempt, signed anew; whether it was answered with 2xx."""
        assert self._client is not None, "the desk isn't started"
        timestamp = int(self._now().timestamp())
        subscription = delivery.subscription
        headers = {
            "Content-Type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(subscription.secret, delivery.id, timestamp, delivery.body),
        }
        try:
            async with (
                self._gate,
                self._client.post(
                    subscription.url, data=delivery.body, headers=headers, allow_redirects=False
                ) as response,
            ):
                await response.read()
                return 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False
