"""The Feed port over MQTT: each event to its topic, the latest kept per work order and asset.

Made by bootstrap.py. An event is done when the broker has acknowledged all of its messages; a
repeat has the same CloudEvents id, by which consumers drop it. Publishing never waits for a
broker that is away: the outbox does that.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256

import msgspec
import structlog
from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from dragoman.domain.errors import Permanent, RetryLater
from dragoman.feeds.mqtt import commands
from dragoman.feeds.mqtt.settings import MqttFeedSettings
from dragoman.feeds.mqtt.topics import template, topic_of, values_of, whole_topic_of
from dragoman.ports.clock import Clock
from dragoman.ports.feed import FeedCommand
from dragoman.transport.mqtt import Message, MqttClient, MqttSettings, PayloadTooLong
from dragoman.transport.tls import TlsSettings

_REMEMBERED = 50_000


class MqttFeed:
    """One consumer of statuses behind a broker. mqtt: the gateway's broker, used unless the
    settings name another."""

    def __init__(
        self, name: str, settings: MqttFeedSettings, mqtt: MqttSettings, clock: Clock
    ) -> None:
        self.name = name
        self._settings = settings
        self._mqtt = mqtt
        self._topic = template(settings.topic)
        kept = (settings.workorder_topic, settings.asset_topic)
        self._kept = [template(text) for text in kept if text]
        self._random_id = f"dragoman-feed-{name}-{clock.new_id()[-8:]}"
        self._client: MqttClient | None = None
        self._sink: Callable[[FeedCommand], None] = _nowhere
        self._newest: dict[str, str] = {}
        self._old_commands: set[bytes] = set()
        self._log: FilteringBoundLogger = structlog.get_logger(__name__, feed=name)

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._client is not None and self._client.connected

    async def start(self, sink: Callable[[FeedCommand], None]) -> None:
        """Connect in the background and take commands until `stop`.

        Raises NeedsHuman if the password of the feed's own broker can't be looked up.
        """
        self._sink = sink
        broker = self._broker()
        if self._settings.client_id:
            # By MQTT 5 a session ends with its connection unless one asks for more, by 3.1.1 not.
            broker = replace(broker, clean_session=False, protocol="3.1.1")
        client = MqttClient(
            broker,
            client_id=self._settings.client_id or self._random_id,
            on_error=self._trouble,
        )
        if self._settings.commands_topic:
            client.subscribe(self._settings.commands_topic, self._on_command, qos=1)
        await client.start(wait=False)
        self._client = client

    async def publish(self, event: Mapping[str, object]) -> None:
        """Publish the event, and keep it as the latest of its work order and asset.

        Raises RetryLater when the broker is away or did not acknowledge everything, Permanent
        when the event isn't JSON or too long.
        """
        if self._client is None:
            raise RetryLater(f"the feed {self.name} hasn't been started")
        try:
            payload = msgspec.json.encode(event)
        except (TypeError, ValueError, RecursionError) as error:
            raise Permanent(f"an event that isn't JSON can't be published: {error}") from error
        values = values_of(event, self._settings.asset_field)
        messages = [(topic_of(self._topic, values), False)]
        messages += [(topic, True) for topic in self._latest(values, str(event.get("time", "")))]
        client, settings = self._client, self._settings
        outcomes = await asyncio.gather(
            *(
                client.publish(
                    topic, payload, qos=settings.qos, retain=keep, deadline_s=settings.timeout_s
                )
                for topic, keep in messages
            ),
            return_exceptions=True,
        )
        _raise_worst(outcomes)

    async def stop(self) -> None:
        """Disconnect."""
        if self._client is not None:
            await self._client.stop()

    def _broker(self) -> MqttSettings:
        own = self._settings
        if own.url is None:
            return self._mqtt
        return MqttSettings.from_url(
            own.url,
            username=own.username,
            password=None if own.password is None else SecretStr(own.password.reveal()),
            tls=TlsSettings(**own.tls.model_dump()) if own.url.startswith("mqtts:") else None,
            protocol=own.protocol,
        )

    def _latest(self, values: Mapping[str, str], time: str) -> list[str]:
        """The topics of which this event is the newest one.

        Cases of one asset are published side by side, so an older event may come later. Times
        are UTC texts of one form, so they compare as texts.
        """
        topics = []
        for kept in self._kept:
            topic = whole_topic_of(kept, values)
            if topic is None or time < self._newest.get(topic, ""):
                continue
            self._newest.pop(topic, None)  # so that the least recent one is forgotten first
            self._newest[topic] = time
            if len(self._newest) > _REMEMBERED:
                del self._newest[next(iter(self._newest))]
            topics.append(topic)
        return topics

    def _on_command(self, message: Message) -> None:
        command = commands.read(message.payload, self.name)
        if command is None:
            return  # a status that some bridge sent back
        if message.retain:
            # The broker gives it again at each connection, and nobody knows how old it is.
            digest = sha256(message.payload).digest()
            if digest in self._old_commands or len(self._old_commands) >= _REMEMBERED:
                return
            self._old_commands.add(digest)
            command = commands.refusal("a retained message is no command", self.name, command.raw)
        self._sink(command)

    def _trouble(self, subject: str, error: Exception) -> None:
        """A message that was too long to be read, a refused subscription, a sink that failed."""
        if isinstance(error, PayloadTooLong):
            self._sink(commands.refusal(f"it is too long: {error}", self.name, ""))
            return
        self._log.error(
            f"Feed {self.name}: {error}", action="feed.trouble", topic=subject, exc_info=error
        )


def _raise_worst(outcomes: list[BaseException | None]) -> None:
    """Raise what is to be tried again first, then what isn't."""
    errors = [outcome for outcome in outcomes if outcome is not None]
    again = [error for error in errors if isinstance(error, RetryLater)]
    for error in (*again, *errors):
        raise error


def _nowhere(_: FeedCommand) -> None:
    """Before `start` nothing comes."""
