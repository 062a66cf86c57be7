"""MQTT packets as bytes: cuts a stream into packets and reads those a client receives.

Pure, called by `mqtt_connection.py` for every chunk from the socket. Packets to send are built
by gmqtt (`gmqtt.mqtt.package`). Sections named are those of MQTT 3.1.1 and MQTT 5.0 (OASIS).
Written for a peer that may be broken or hostile: nothing is buffered before its type and
length are known to be acceptable, and a PUBLISH beyond the limit costs its head only.
"""

from typing import Any, NamedTuple

from gmqtt.mqtt.property import Property

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 0x20, 0x30, 0x40, 0x90, 0xD0, 0xE0
_FROM_SERVER = frozenset({CONNACK, PUBACK, SUBACK, PINGRESP, DISCONNECT})
_MAX_CONTROL_BYTES = 65_536  # of any packet that isn't a PUBLISH
_HEAD_BYTES = 65_540  # of a PUBLISH: topic length, the longest topic, packet identifier


class MalformedPacket(Exception):
    """The peer sent what isn't MQTT; the connection can't go on."""


class Packet(NamedTuple):
    """command: the first byte, type and flags. size: bytes the body had; more than len(body)
    when the packet was a PUBLISH over the limit, of which only the head was kept."""

    command: int
    body: bytes
    size: int


class Framer:
    """Cuts the stream of one connection into packets (section 2.2, Fixed Header).

    max_body: bytes after the fixed header that a PUBLISH may have before it is cut.
    """

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._pending = bytearray()
        self._need = 2
        self._skip = 0

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are complete with `data`. Raises MalformedPacket."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._pending:
            self._pending += data
            if len(self._pending) < self._need:
                return []
            data = bytes(self._pending)
            self._pending.clear()
        packets: list[Packet] = []
        position, end = 0, len(data)
        while end - position >= 2:
            size, start = _remaining_length(data, position)
            if start == 0:
                self._need = end - position + 1
                break
            keep = self._kept(data[position], size)
            if end - start < keep:
                self._need = start - position + keep
                break
            packets.append(Packet(data[position], data[start : start + keep], size))
            position = start + size
            if position > end:
                self._skip = position - end
                position = end
        else:
            self._need = 2
        if position < end:
            self._pending += data[position:]
        return packets

    def _kept(self, command: int, size: int) -> int:
        """How many bytes of the body to keep, or MalformedPacket."""
        if command & 0xF4 == PUBLISH:  # at QoS 0 or 1: we never subscribe to more
            return size if size <= self._max_body else min(size, _HEAD_BYTES)
        if command not in _FROM_SERVER:
            raise MalformedPacket(f"first byte 0x{command:02x} opens no packet a server sends")
        if size > _MAX_CONTROL_BYTES:
            raise MalformedPacket(f"a packet of type 0x{command:02x} claims {size} bytes")
        return size


def _remaining_length(data: bytes, position: int) -> tuple[int, int]:
    """Remaining Length (2.2.3) of the packet at `position` and where its body starts, or
    (0, 0) while the header isn't complete."""
    size, shift = 0, 0
    for index in range(position + 1, min(position + 5, len(data))):
        byte = data[index]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return size, index + 1
        shift += 7
    if len(data) - position > 4:
        raise MalformedPacket("the length of a packet takes more than four bytes")
    return 0, 0


class Publish(NamedTuple):
    """What a PUBLISH holds; topic as it came, maybe not UTF-8."""

    topic: bytes
    packet_id: int
    payload: bytes
    qos: int
    retain: bool


def read_publish(packet: Packet, *, mqtt5: bool) -> Publish:
    """A PUBLISH (3.3); packet_id is 0 at QoS 0. Properties of MQTT 5 are passed over: we allow
    no topic aliases, and nothing else in them changes what the message means to us."""
    command, body, _ = packet
    qos = (command >> 1) & 0x03
    after = 2 + int.from_bytes(body[:2], "big")
    topic = body[2:after]
    packet_id = 0
    if qos:
        packet_id = int.from_bytes(body[after : after + 2], "big")
        after += 2
        if packet_id == 0:
            raise MalformedPacket("a PUBLISH at QoS 1 without a packet identifier")
    if after > len(body) or len(topic) == 0:
        raise MalformedPacket("a PUBLISH with no topic, or with one longer than the packet")
    if mqtt5:
        size, after = _remaining_length(body, after - 1)
        after += size
        if after == 0 or after > packet.size:
            raise MalformedPacket("the properties of a PUBLISH are longer than the packet")
    return Publish(topic, packet_id, body[after:], qos, bool(command & 0x01))


def read_connack(body: bytes, *, mqtt5: bool) -> tuple[int, dict[str, Any]]:
    """Return code (3.2.2.3; reason code in MQTT 5) and properties of a CONNACK."""
    if len(body) < 2:
        raise MalformedPacket("a CONNACK of fewer than two bytes")
    return body[1], _properties(body[2:]) if mqtt5 and len(body) > 2 else {}


def read_ack(body: bytes) -> tuple[int, bytes]:
    """Packet identifier and return codes of a SUBACK (3.9), or of a PUBACK (3.4), whose
    reason code MQTT 5 leaves out when it is success."""
    if len(body) < 2:
        raise MalformedPacket("an acknowledgement without a packet identifier")
    return int.from_bytes(body[:2], "big"), body[2:]


def without_properties(data: bytes) -> bytes:
    """The return codes of a SUBACK of MQTT 5, which follow its properties (3.9.2.1)."""
    if not data:
        raise MalformedPacket("a SUBACK without properties and return codes")
    size, start = _remaining_length(data, -1)
    return data[start + size :]


def _properties(data: bytes) -> dict[str, Any]:
    size, start = _remaining_length(data, -1)
    rest = data[start : start + size]
    found: dict[str, Any] = {}
    while rest:
        kind = Property.factory(id_=rest[0])
        if kind is None:
            raise MalformedPacket(f"an unknown property {rest[0]} in a CONNACK")
        try:
            values, rest = kind.loads(rest[1:])
        except Exception as error:  # gmqtt lets struct, index and decoding errors through
            raise MalformedPacket(f"a property of a CONNACK can't be read: {error}") from error
        found.update(values)
    return found
