"""A simulated vehicle's connection to the broker, which can be lost and found again.

`Robot` (robot.py) owns one. What a real vehicle suffers happens here: power and network cuts
without a goodbye, and a stopped process whose broker gives it up.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from dragoman.testing.robots.messages import Outgoing
from dragoman.testing.robots.profile import VehicleProfile
from dragoman.transport.mqtt import Message, MqttClient, MqttSettings, NotSent, Will

_KEEPALIVES_UNTIL_LOST = 1.5  # MQTT 3.1.1 section 3.1.2.10


class Line:
    """make_will: asked for the last will at every new connection. on_message: called with the
    topic kind and the payload. on_connection: told True when connected and subscribed, False
    when that is over."""

    def __init__(
        self,
        profile: VehicleProfile,
        settings: MqttSettings,
        make_will: Callable[[], Outgoing],
        on_message: Callable[[str, bytes], None],
        on_connection: Callable[[bool], None],
    ) -> None:
        self._profile = profile
        self._settings = settings
        self._make_will = make_will
        self._on_message = on_message
        self._on_connection = on_connection
        self._client: MqttClient | None = None
        self._work: asyncio.Task[None] | None = None
        self._return: asyncio.TimerHandle | None = None
        self._dying: asyncio.TimerHandle | None = None

    @property
    def connected(self) -> bool:
        """There is a connection."""
        return self._client is not None and self._client.connected

    async def start(self, *, deadline_s: float) -> None:
        """Connect. Raises RetryLater or NeedsHuman as the MQTT client does."""
        await self._new_client().start(deadline_s=deadline_s)

    async def publish(self, message: Outgoing) -> None:
        """Publish. Raises RetryLater if it didn't go out or wasn't acknowledged."""
        if self._client is None:
            raise NotSent("the vehicle has lost its connection")
        await self._client.publish(
            message.topic, message.payload, qos=message.qos, retain=message.retain
        )

    async def stop(self, *, deadline_s: float) -> None:
        """Say goodbye to the broker."""
        for timer in (self._return, self._dying):
            if timer is not None:
                timer.cancel()
        if self._work is not None:
            await self._work
        if self._client is not None:
            await self._client.stop(deadline_s=deadline_s)

    def vanish(self, *, away_s: float | None = None) -> None:
        """Cut the connection, so that the broker publishes the will; be back after `away_s`."""
        client, self._client = self._client, None
        if self._return is not None:
            self._return.cancel()
        if client is not None:
            client.cut()
            self._on_connection(False)
            self._work = asyncio.create_task(_after(self._work, client.stop()))
        if away_s is not None:
            self._return = asyncio.get_running_loop().call_later(away_s, self.come_back)

    def come_back(self) -> None:
        """Connect again and keep trying; nothing happens while frozen or connected."""
        if self._client is None and self._dying is None:
            start = self._new_client().start(wait=False)
            self._work = asyncio.create_task(_after(self._work, start))

    def freeze(self, frozen: bool) -> None:
        """Stop serving the socket: the broker gives the vehicle up in a while. Or go on."""
        if self._dying is not None:
            self._dying.cancel()
            self._dying = None
        if frozen:
            dead_after_s = self._settings.keepalive_s * _KEEPALIVES_UNTIL_LOST
            self._dying = asyncio.get_running_loop().call_later(dead_after_s, self.vanish)
        else:
            self.come_back()

    def _new_client(self) -> MqttClient:
        will = self._make_will()
        client = MqttClient(
            self._settings,
            client_id=f"{self._profile.manufacturer}-{self._profile.serial}",
            will=Will(topic=will.topic, payload=will.payload, qos=will.qos, retain=will.retain),
            on_connection=lambda up: self._changed(client, up),
        )
        for kind in ("order", "instantActions"):
            client.subscribe(f"{self._profile.topic}/{kind}", self._deliver)
        self._client = client
        return client

    def _changed(self, client: MqttClient, up: bool) -> None:
        if client is self._client:
            self._on_connection(up)

    def _deliver(self, message: Message) -> None:
        self._on_message(message.topic.rpartition("/")[2], message.payload)


async def _after(earlier: asyncio.Task[None] | None, later: Coroutine[Any, Any, None]) -> None:
    """One after the other: the old connection is gone before the next is opened."""
    if earlier is not None:
        await earlier
    await later
