"""One connection to an MQTT broker, from CONNECT to its loss; never reconnects, never resends.

`mqtt.py` opens a new one for every attempt, `broker.py` opens one to see whether the broker
answers. A message lives as long as its connection: what wasn't acknowledged when it is lost is
forgotten with it, so nothing goes out after its publisher was told that it failed. That is why
gmqtt is used for its packets only: its client keeps unacknowledged messages and sends them
again after a reconnect, and its reader buffers without a limit.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence

import gmqtt
from gmqtt.mqtt import package
from gmqtt.mqtt.constants import MQTTCommands, MQTTv50, MQTTv311
from gmqtt.mqtt.utils import IdGenerator

from dragoman.domain.errors import DragomanError, RetryLater
from dragoman.transport import mqtt_codec as codec
from dragoman.transport import tls
from dragoman.transport.mqtt_errors import NotSent, Unacknowledged, refused_connect, refused_publish
from dragoman.transport.mqtt_flow import KeepAlive, SendWindow
from dragoman.transport.mqtt_settings import MqttSettings, Will

_MOST_UNACKNOWLEDGED = 1_000  # messages; a broker may allow fewer (MQTT 5)
_SUBACK_S = 30.0  # a broker that makes a session's hundreds of consumers may take seconds
_TOO_OFTEN = 10  # messages in a row without an answer: the broker is stuck, try a new connection
LONGEST_HEAD = 65_540  # bytes before a payload: topic and packet identifier

# Called for each message: topic as on the wire, payload, QoS, retained. A payload over the
# limit comes as its size. Must not raise.
Deliver = Callable[[bytes, bytes | int, int, bool], None]


class Connection(asyncio.Protocol):
    """accepted: done when the broker's CONNACK came. lost: done when the connection is over,
    with the error that says why."""

    proto_name = b"MQTT"  # gmqtt's builders read this, proto_ver and id_generator

    def __init__(self, settings: MqttSettings, deliver: Deliver) -> None:
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._deliver = deliver
        self._mqtt5 = settings.protocol == "5"
        self.proto_ver = MQTTv50 if self._mqtt5 else MQTTv311
        self.id_generator = IdGenerator()
        self._framer = codec.Framer(settings.max_payload_bytes + LONGEST_HEAD)
        self.accepted: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[DragomanError] = loop.create_future()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._window = SendWindow(_MOST_UNACKNOWLEDGED)
        self._unanswered = 0
        self._reason: DragomanError | None = None
        self._keepalive = KeepAlive(
            lambda: self._write(package.SimpleCommandPacket.build_package(MQTTCommands.PINGREQ)),
            lambda s: self.give_up(RetryLater(f"the MQTT broker was silent for {s:.0f} s")),
        )
        self._transport: asyncio.Transport

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Ask for (topic filter, QoS) pairs; returns those that the broker refused, with its
        return code. Raises RetryLater when the connection is lost or no answer comes."""
        packet_id, data = package.SubscribePacket.build_package(
            [gmqtt.Subscription(topic_filter, qos=qos) for topic_filter, qos in filters], self
        )
        answer = self._send(packet_id, data)
        await asyncio.wait((answer,), timeout=_SUBACK_S)
        if not answer.done():
            raise RetryLater(f"the MQTT broker didn't answer a SUBSCRIBE within {_SUBACK_S:g} s")
        codes = answer.result()
        if self._mqtt5:
            codes = codec.without_properties(codes)
        if len(codes) != len(filters):
            raise RetryLater(f"{len(filters)} subscriptions got {len(codes)} answers")
        asked = [topic_filter for topic_filter, _ in filters]
        return [(name, code) for name, code in zip(asked, codes, strict=True) if code >= 0x80]

    async def publish(self, message: gmqtt.Message, deadline_s: float) -> None:
        """QoS 0: return when the message is written; QoS 1: when it is acknowledged.

        Waits while the broker reads nothing: a message written then would sit here and could
        go out after the deadline. Raises NotSent, Unacknowledged or what the broker answered.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_s
        if message.qos or not self._window.writable.is_set():
            await self._window.enter(message.qos, deadline_s)
        if self.lost.done() or self._transport.is_closing():
            if message.qos:
                self._window.leave()
            raise NotSent("the connection to the MQTT broker was lost before the message left")
        packet_id, data = package.PublishPacket.build_package(message, self)
        if not message.qos:
            self._transport.write(data)
            return
        answer = self._send(packet_id, data)
        answer.add_done_callback(self._window.leave)
        await asyncio.wait((answer,), timeout=max(0.0, until - loop.time()))
        if not answer.done():
            late = Unacknowledged("the MQTT broker didn't acknowledge the message in time")
            self._unanswered += 1
            if self._transport.get_write_buffer_size() or self._unanswered >= _TOO_OFTEN:
                self.give_up(late)  # what is in our buffer must not leave any more
            raise late
        refused_publish(answer.result()[:1], message.topic.decode())

    def give_up(self, reason: DragomanError) -> None:
        """End the connection at once; what is still in our buffer is thrown away."""
        self._reason = self._reason or reason
        self._transport.abort()

    def log_out(self) -> None:
        """Send DISCONNECT (so that the broker drops our will) and close when it is out."""
        self._reason = self._reason or RetryLater("the connection was closed by us")
        self._write(package.DisconnectPacket.build_package(self))
        self._transport.close()

    def log_in(self, client_id: str, will: Will | None) -> None:
        """Send CONNECT; `accepted` tells the answer."""
        username, password = self._settings.username, self._settings.password
        self._write(
            package.LoginPackageFactor.build_package(
                client_id,
                None if username is None else username.encode(),
                None if password is None else password.get_secret_value().encode(),
                self._settings.clean_session,
                self._settings.keepalive_s,
                self,
                will_message=will
                and gmqtt.Message(will.topic, will.payload, qos=will.qos, retain=will.retain),
            )
        )

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _send(self, packet_id: int, data: bytes) -> asyncio.Future[bytes]:
        """Write a packet; the result is what its acknowledgement says after the identifier."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[packet_id] = answer
        self._transport.write(data)
        return answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio.Protocol, like the next four: the socket is open."""
        self._transport = transport  # type: ignore[assignment]  # the loops' have no common base
        self._keepalive.start(self._settings.keepalive_s)

    def data_received(self, data: bytes) -> None:
        """Bytes came, cut anywhere."""
        self._keepalive.heard_at = asyncio.get_running_loop().time()
        try:
            for packet in self._framer.feed(data):
                self._receive(packet)
        except codec.MalformedPacket as error:
            self.give_up(RetryLater(f"{self._settings.address} sent what isn't MQTT: {error}"))

    def pause_writing(self) -> None:
        """The peer reads more slowly than we write."""
        self._window.writable.clear()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._window.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed: tell everyone who waits for something."""
        self._keepalive.stop()
        if self._reason is None and isinstance(exc, ssl.SSLError):
            self._reason = tls.explain(exc, address=self._settings.address)
        reason = self._reason or RetryLater(
            f"the MQTT broker at {self._settings.address} closed the connection"
            + (f": {exc}" if exc is not None else "")
        )
        self._window.writable.set()  # so that who waits for room sees the end
        if not self.accepted.done():
            self.accepted.set_exception(reason)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Unacknowledged(f"no acknowledgement came: {reason.text}"))
                answer.exception()  # a publisher past its deadline no longer asks for it
        self._waiting.clear()
        self.lost.set_result(reason)

    def _receive(self, packet: codec.Packet) -> None:
        kind = packet.command & 0xF0
        if kind == codec.PUBLISH and self.accepted.done():
            message = codec.read_publish(packet, mqtt5=self._mqtt5)
            size = packet.size - (len(packet.body) - len(message.payload))
            payload = message.payload if size <= self._settings.max_payload_bytes else size
            self._deliver(message.topic, payload, message.qos, message.retain)
            if message.qos:
                self._write(
                    package.CommandWithMidPacket.build_package(
                        MQTTCommands.PUBACK, message.packet_id, False, proto_ver=self.proto_ver
                    )
                )
        elif kind in (codec.PUBACK, codec.SUBACK):
            packet_id, codes = codec.read_ack(packet.body)
            self.id_generator.free_id(packet_id)
            self._unanswered = 0
            answer = self._waiting.pop(packet_id, None)
            if answer is not None and not answer.done():
                answer.set_result(codes)
        elif kind == codec.CONNACK and not self.accepted.done():
            self._receive_connack(packet.body)
        elif kind == codec.DISCONNECT:
            code = packet.body[0] if packet.body else 0
            self.give_up(RetryLater(f"the MQTT broker ended the connection, reason 0x{code:02x}"))
        elif kind != codec.PINGRESP:
            raise codec.MalformedPacket(f"a packet 0x{packet.command:02x} out of place")

    def _receive_connack(self, body: bytes) -> None:
        code, properties = codec.read_connack(body, mqtt5=self._mqtt5)
        if code:
            self._reason = refused_connect(code, self._settings)
            self.accepted.set_exception(self._reason)
            self._transport.abort()
            return
        most = min(_MOST_UNACKNOWLEDGED, properties.get("receive_maximum", _MOST_UNACKNOWLEDGED))
        self._window = SendWindow(max(1, most))
        self._keepalive.start(properties.get("server_keep_alive", 0) or self._settings.keepalive_s)
        self.accepted.set_result(None)


async def connect(
    settings: MqttSettings,
    *,
    client_id: str,
    deliver: Deliver,
    will: Will | None = None,
    deadline_s: float = 10.0,
) -> Connection:
    """A connection that the broker has accepted. Raises RetryLater when it can't be reached or
    doesn't answer by the deadline, NeedsHuman when TLS or the credentials are wrong."""
    context = None if settings.tls is None else settings.tls.client_context()
    loop = asyncio.get_running_loop()
    connection: Connection | None = None
    where = f"the MQTT broker at {settings.address}"
    try:
        async with asyncio.timeout(deadline_s):
            _, connection = await loop.create_connection(
                lambda: Connection(settings, deliver), settings.host, settings.port, ssl=context
            )
            connection.log_in(client_id, will)
            await connection.accepted
            return connection
    except BaseException as error:
        if connection is not None:
            connection.give_up(RetryLater("the connection was given up before it was accepted"))
        if isinstance(error, TimeoutError):
            raise RetryLater(f"{where} gave no answer within {deadline_s:g} s") from error
        if isinstance(error, ssl.SSLError):
            raise tls.explain(error, address=settings.address) from error
        if isinstance(error, OSError):
            raise RetryLater(f"{where} can't be reached: {error}") from error
        raise
