"""The MQTT client for fleets and feeds: stays connected, routes messages, publishes or says no.

bootstrap makes one for each broker and hands it to the adapters, simulated robots make their
own. What it promises:

- `publish` returns when the message is out (QoS 0: written to a live connection; QoS 1:
  acknowledged) or raises by its deadline. It never keeps a message to send it later: an order
  that we gave up on must not reach a robot (no case is executed twice).
- Handlers run one after the other in the order of arrival, on the event loop. One that raises
  is reported and hurts nobody else. So a slow handler slows the socket, and loses nothing.
- It reconnects for ever, with growing jittered waits, and subscribes again each time.

Traps of the protocol: brokers may deliver a message once per overlapping subscription, so
don't overlap filters; MQTT 3.1.1 acknowledges a message that the broker's access rules then
drop; two clients with one client id throw each other out.
"""

import asyncio
import random
from collections.abc import Callable

import gmqtt
import structlog
from structlog.typing import FilteringBoundLogger

from dragoman.domain.errors import DragomanError, NeedsHuman, Permanent, RetryLater
from dragoman.transport.mqtt_connection import Connection, connect
from dragoman.transport.mqtt_errors import (
    NotSent,
    PayloadTooLong,
    Unacknowledged,
    refused_subscription,
)
from dragoman.transport.mqtt_inbox import Inbox
from dragoman.transport.mqtt_settings import MqttSettings, Will
from dragoman.transport.mqtt_topics import Handler, Message, check_filter, check_topic

__all__ = [
    "Message",
    "MqttClient",
    "MqttSettings",
    "NotSent",
    "PayloadTooLong",
    "Unacknowledged",
    "Will",
]

_FILTERS_A_PACKET = 200
_SETTLED_S = 5.0  # a connection that lived this long resets the wait between attempts


class MqttClient:
    """client_id: ASCII, unique at the broker. on_connection: told True when connected and
    subscribed, False when the connection is lost. on_error: told topic or filter, and the
    error, of what goes wrong with a message or a subscription; without it the log is told.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        will: Will | None = None,
        on_connection: Callable[[bool], None] | None = None,
        on_error: Callable[[str, Exception], None] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if not client_id.isascii() or not 1 <= len(client_id) <= 65_535:
            raise NeedsHuman(
                "an MQTT client id is wrong",
                field="client_id",
                value=client_id,
                mend="give 1 to 65535 ASCII characters",
            )
        if will is not None:
            check_topic(will.topic)
        self._settings = settings
        self._client_id = client_id
        self._will = will
        self._on_connection = on_connection
        self._rng = rng or random.Random()  # noqa: S311  # jitter, no secret
        self._log: FilteringBoundLogger = structlog.get_logger(
            __name__, broker=settings.address, client_id=client_id
        )
        self._inbox = Inbox(on_error, self._log)
        self._wanted: dict[str, int] = {}  # topic filter: QoS
        self._unconfirmed: dict[str, int] = {}  # those that the broker hasn't answered yet
        self._connection: Connection | None = None
        self._runner: asyncio.Task[None] | None = None
        self._confirmer: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()  # set when the connection or a subscription changed
        self.last_error: DragomanError | None = None

    @property
    def connected(self) -> bool:
        """Accepted by the broker and subscribed to all that was wanted by then."""
        return self._connection is not None and not self._connection.lost.done()

    async def start(self, *, deadline_s: float = 10.0, wait: bool = True) -> None:
        """Connect and stay connected until `stop`.

        With `wait` returns when connected; by the deadline raises RetryLater if the broker
        can't be reached, at once NeedsHuman if it refuses us, and has then stopped. Without,
        returns at once and keeps trying (`last_error` tells why it isn't connected).
        """
        if self._runner is not None:
            raise RuntimeError("this MQTT client was started before")
        self._runner = asyncio.create_task(self._run(), name=f"mqtt {self._client_id}")
        if not wait:
            return
        try:
            async with asyncio.timeout(deadline_s):
                while not self.connected and not isinstance(self.last_error, NeedsHuman):
                    await self._change()
        except TimeoutError:
            pass
        if not self.connected:
            await self.stop()
            raise self.last_error or RetryLater(
                f"the MQTT broker at {self._settings.address} gave no answer in {deadline_s:g} s"
            )

    def subscribe(self, topic_filter: str, handler: Handler, *, qos: int = 0) -> None:
        """Send what matches to `handler`, from now on and after every reconnect.

        A filter that the broker refuses is reported to on_error (NeedsHuman). Raises
        NeedsHuman when the filter isn't one.
        """
        check_filter(topic_filter)
        _check_qos(qos)
        self._inbox.add(topic_filter, handler)
        self._wanted[topic_filter] = max(qos, self._wanted.get(topic_filter, 0))
        self._unconfirmed[topic_filter] = self._wanted[topic_filter]
        idle = self._confirmer is None or self._confirmer.done()
        if self._connection is not None and idle:
            self._confirmer = asyncio.create_task(self._confirm_later(self._connection))

    async def subscribed(self, *, deadline_s: float = 5.0) -> None:
        """Return when the broker has answered every `subscribe` so far, else raise RetryLater."""
        try:
            async with asyncio.timeout(deadline_s):
                while not self.connected or self._unconfirmed:
                    await self._change()
        except TimeoutError:
            raise RetryLater(f"not subscribed at the MQTT broker in {deadline_s:g} s") from None

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        deadline_s: float = 5.0,
    ) -> None:
        """Publish, or raise. QoS 0: written to a live connection; QoS 1: acknowledged.

        Raises NotSent (a RetryLater) when not connected or the broker takes nothing: it never
        left. Raises Unacknowledged (a RetryLater) at QoS 1 when no answer came by the deadline
        or before the connection was lost: it may have arrived. Raises Permanent when the payload
        is too long; in MQTT 5 also what the broker answers (NeedsHuman, Permanent, NotSent).
        """
        check_topic(topic)
        _check_qos(qos)
        if len(payload) > self._settings.max_payload_bytes:
            raise Permanent(
                f"a message of {len(payload)} bytes is too long to publish",
                field="topic",
                value=topic,
                mend=f"the most are {self._settings.max_payload_bytes} bytes",
            )
        connection = self._connection
        if connection is None:
            raise NotSent(f"not connected to the MQTT broker at {self._settings.address}")
        await connection.publish(gmqtt.Message(topic, payload, qos=qos, retain=retain), deadline_s)

    def cut(self) -> None:
        """Break the connection as a fault would: no goodbye, so the broker publishes the will.

        It reconnects by itself unless `stop` follows. For tests and simulated robots.
        """
        if self._connection is not None:
            self._connection.give_up(RetryLater("the connection was cut on purpose"))

    async def stop(self, *, deadline_s: float = 5.0) -> None:
        """Say goodbye to the broker (no will is sent) and end. May be called twice."""
        for task in (self._runner, self._confirmer):
            if task is not None:
                task.cancel()
        await asyncio.gather(
            *(task for task in (self._runner, self._confirmer) if task), return_exceptions=True
        )
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.log_out()
        done, _ = await asyncio.wait((connection.lost,), timeout=deadline_s)
        if not done:
            connection.give_up(RetryLater("the MQTT broker took no goodbye"))
        self._tell(False)

    async def _run(self) -> None:
        """Connect, wait for the loss, wait a little, again."""
        attempt = 0
        while True:
            connection: Connection | None = None
            since = asyncio.get_running_loop().time()
            try:
                connection = await connect(
                    self._settings,
                    client_id=self._client_id,
                    deliver=self._inbox.deliver,
                    will=self._will,
                )
                self._unconfirmed = dict(self._wanted)
                await self._confirm(connection)
            except DragomanError as error:
                self._note(error, "mqtt.connect_failed")
                if connection is not None:
                    connection.give_up(error)
            except asyncio.CancelledError:
                if connection is not None:
                    connection.log_out()
                raise
            else:
                self.last_error = None
                self._connection = connection
                self._tell(True)
                reason = await asyncio.shield(connection.lost)
                self._connection = None
                self._note(reason, "mqtt.connection_lost")
                self._tell(False)
                if asyncio.get_running_loop().time() - since > _SETTLED_S:
                    attempt = 0
            longest = min(
                self._settings.reconnect_most_s, self._settings.reconnect_first_s * 2**attempt
            )
            attempt = min(attempt + 1, 30)
            await asyncio.sleep(longest * self._rng.uniform(0.5, 1.0))

    async def _confirm(self, connection: Connection) -> None:
        """Subscribe to what isn't confirmed yet."""
        while self._unconfirmed:
            batch = list(self._unconfirmed.items())[:_FILTERS_A_PACKET]
            refused = await connection.subscribe(batch)
            for topic_filter, qos in batch:
                if self._unconfirmed.get(topic_filter) == qos:
                    del self._unconfirmed[topic_filter]
            for topic_filter, code in refused:
                self._inbox.report(topic_filter, refused_subscription(topic_filter, code))
        self._changed.set()

    async def _confirm_later(self, connection: Connection) -> None:
        try:
            await self._confirm(connection)
        except DragomanError as error:  # lost: _run subscribes again on the next connection
            connection.give_up(error)

    async def _change(self) -> None:
        """Wait until the connection or the subscriptions have changed."""
        self._changed.clear()
        await self._changed.wait()

    def _note(self, error: DragomanError, action: str) -> None:
        """Keep why we aren't connected, and log it unless it is the same as before."""
        if str(error) != str(self.last_error):
            self._log.warning(f"MQTT: {error}", action=action)
        self.last_error = error
        self._changed.set()

    def _tell(self, connected: bool) -> None:
        if connected:
            self._log.info("MQTT: connected", action="mqtt.connected")
        self._changed.set()
        if self._on_connection is not None:
            try:
                self._on_connection(connected)
            except Exception as error:  # noqa: BLE001  # it must not end the reconnecting
                self._inbox.report("on_connection", error)


def _check_qos(qos: int) -> None:
    if qos not in (0, 1):
        raise NeedsHuman("an MQTT QoS is wrong", field="qos", value=str(qos), mend="give 0 or 1")
