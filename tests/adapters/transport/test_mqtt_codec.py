"""Packets and topics by rule: whatever the bytes, whichever way they are cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.domain.errors import NeedsHuman
from dragoman.transport.mqtt_codec import (
    Framer,
    MalformedPacket,
    Packet,
    read_connack,
    read_publish,
    without_properties,
)
from dragoman.transport.mqtt_topics import Message, Router, check_filter, check_topic, matches

LIMIT = 1_000


def framed(command: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while True:
        size, low = divmod(size, 128)
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            return bytes([command]) + length + body


packets = st.one_of(
    st.tuples(st.sampled_from([0x30, 0x31, 0x32, 0x3B]), st.binary(max_size=400)),
    st.tuples(st.sampled_from([0x20, 0x40, 0x90, 0xD0, 0xE0]), st.binary(max_size=200)),
    st.tuples(st.just(0x30), st.integers(66_000, 90_000).map(bytes)),  # over the limit
)


@given(st.lists(packets, max_size=6), st.data())
def test_packets_are_the_same_however_the_stream_is_cut(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(framed(command, body) for command, body in sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=30).map(sorted))
    framer = Framer(LIMIT)
    got: list[Packet] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += framer.feed(stream[start:end])
    expected = [Packet(command, body[:65_540], len(body)) for command, body in sent]
    assert got == expected


@given(st.lists(st.binary(max_size=60), max_size=20), st.booleans())
def test_any_bytes_are_packets_or_malformed(chunks: list[bytes], mqtt5: bool) -> None:
    framer = Framer(LIMIT)
    try:
        for chunk in chunks:
            for packet in framer.feed(chunk):
                if packet.command & 0xF0 == 0x30:
                    message = read_publish(packet, mqtt5=mqtt5)
                    assert message.topic
                elif packet.command == 0x20:
                    read_connack(packet.body, mqtt5=mqtt5)
    except MalformedPacket:
        return


@given(st.binary(max_size=80))
def test_any_connack_and_suback_of_mqtt_5_is_read_or_malformed(body: bytes) -> None:
    for read in (lambda: read_connack(body, mqtt5=True), lambda: without_properties(body)):
        try:
            read()
        except MalformedPacket:
            continue


def test_a_connack_of_mqtt_5_tells_its_limits() -> None:
    code, properties = read_connack(b"\x00\x00\x06\x21\x00\x14\x13\x00\x1e", mqtt5=True)
    assert (code, properties) == (0, {"receive_maximum": 20, "server_keep_alive": 30})


@given(
    st.text(min_size=1, max_size=20), st.binary(max_size=50), st.booleans(), st.sampled_from([0, 1])
)
def test_a_publish_is_read_back(topic: str, payload: bytes, retain: bool, qos: int) -> None:
    name = topic.encode()
    packet_id = b"\x12\x34" if qos else b""
    head = len(name).to_bytes(2, "big") + name + packet_id
    command = 0x30 | qos << 1 | retain
    for mqtt5, properties in ((False, b""), (True, b"\x00"), (True, b"\x02\x01\x01")):
        body = head + properties + payload
        message = read_publish(Packet(command, body, len(body)), mqtt5=mqtt5)
        assert message == (name, 0x1234 if qos else 0, payload, qos, retain)


levels = st.sampled_from(["", "a", "b", "$SYS", "ab"])
filters = st.tuples(
    st.lists(st.one_of(levels, st.just("+")), min_size=1, max_size=4), st.booleans()
).map(lambda parts: "/".join([*parts[0], "#"] if parts[1] else parts[0]))


@given(filters, st.lists(levels, min_size=1, max_size=5).map("/".join))
def test_matching_agrees_with_the_rules_as_a_regular_expression(wanted: str, topic: str) -> None:
    pattern = "/".join("[^/]*" if level == "+" else re.escape(level) for level in wanted.split("/"))
    if wanted.endswith("#"):
        pattern = pattern.removesuffix(re.escape("#")).removesuffix("/")
        pattern += "(/.*)?"
    hidden = topic.startswith("$") and wanted[0] in "+#" if wanted else False
    expected = re.fullmatch(pattern, topic, re.DOTALL) is not None and not hidden
    assert matches(wanted, topic) is expected


def test_the_examples_of_the_specification() -> None:
    """MQTT 3.1.1 section 4.7.1 and 4.7.2."""
    assert matches("sport/tennis/player1/#", "sport/tennis/player1")
    assert matches("sport/#", "sport")
    assert matches("#", "a/b")
    assert matches("+", "finance")
    assert not matches("+", "/finance")
    assert matches("/+", "/finance")
    assert not matches("sport/tennis/+", "sport/tennis/player1/ranking")
    assert not matches("sport/+", "sport")
    assert not matches("#", "$SYS/uptime")
    assert not matches("+/monitor/Clients", "$SYS/monitor/Clients")
    assert matches("$SYS/#", "$SYS/uptime")


@pytest.mark.parametrize("bad", ["", "a/#/b", "a#", "a+/b", "a\0b", "$share/g/a", "x" * 65_536])
def test_bad_filters(bad: str) -> None:
    with pytest.raises(NeedsHuman):
        check_filter(bad)


@pytest.mark.parametrize("bad", ["", "a/+/b", "#", "a\0b", "é" * 40_000])
def test_bad_topics(bad: str) -> None:
    with pytest.raises(NeedsHuman):
        check_topic(bad)


def test_a_handler_added_later_gets_topics_seen_before() -> None:
    router = Router()
    got: list[str] = []

    def first(message: Message) -> None:
        got.append("first")

    def second(message: Message) -> None:
        got.append("second")

    router.add("a/+", first)
    assert router.route(b"a/b") == ("a/b", (first,))
    assert router.route(b"x") == ("x", ())
    router.add("#", second)
    assert router.route(b"a/b") == ("a/b", (first, second))
    assert router.route(b"x") == ("x", (second,))
