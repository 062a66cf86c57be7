"""The MQTT client against peers and networks that misbehave: nothing is sent late, nothing
crashes, every wait ends."""

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dragoman.domain.errors import NeedsHuman, RetryLater
from dragoman.transport.mqtt import MqttClient, MqttSettings, NotSent, Unacknowledged
from tests.adapters.transport.brokers import Nats, eventually
from tests.adapters.transport.conftest import MakeClient
from tests.adapters.transport.proxy import Proxy, proxy_to

CONNACK = b"\x20\x02\x00\x00"


@pytest.fixture
async def proxy(nats: Nats) -> AsyncIterator[Proxy]:
    async with proxy_to(nats.settings.port) as running:
        yield running


@pytest.fixture
def settings(nats: Nats, proxy: Proxy) -> MqttSettings:
    """To the broker by way of the proxy."""
    return replace(nats.settings, port=proxy.port, reconnect_most_s=0.2)


async def watcher(nats: Nats, client: MakeClient) -> list[bytes]:
    """Payloads that arrive at the broker in topics orders/#."""
    got: list[bytes] = []
    watching = client(nats.settings, client_id="watcher")
    watching.subscribe("orders/#", lambda message: got.append(message.payload), qos=1)
    await watching.start()
    return got


async def only_now_arrives(one: MqttClient, proxy: Proxy, got: list[bytes]) -> None:
    """Mend the network; what the client publishes then is all that the broker ever gets."""
    proxy.mode = "pass"
    proxy.cut()
    await eventually(lambda: proxy.accepted >= 2 and one.connected)
    await one.publish("orders/1", b"now", qos=1)
    await eventually(lambda: b"now" in got)
    assert got == [b"now"]


async def test_an_unacknowledged_message_is_never_sent_again(
    nats: Nats, proxy: Proxy, settings: MqttSettings, client: MakeClient
) -> None:
    got = await watcher(nats, client)
    one = client(settings)
    await one.start()
    proxy.mode = "swallow"
    with pytest.raises(Unacknowledged):
        await one.publish("orders/1", b"too late", qos=1, deadline_s=0.2)
    assert b"too late" in proxy.swallowed  # it did leave
    await only_now_arrives(one, proxy, got)


async def test_a_publisher_is_told_when_the_connection_is_lost_meanwhile(
    nats: Nats, proxy: Proxy, settings: MqttSettings, client: MakeClient
) -> None:
    got = await watcher(nats, client)
    one = client(settings)
    await one.start()
    proxy.mode = "swallow"
    publishing = asyncio.create_task(one.publish("orders/1", b"lost", qos=1, deadline_s=60))
    await eventually(lambda: b"lost" in proxy.swallowed)
    proxy.cut()
    with pytest.raises(Unacknowledged, match="closed the connection"):
        await publishing
    await only_now_arrives(one, proxy, got)


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_broker_that_reads_nothing(
    nats: Nats, proxy: Proxy, settings: MqttSettings, client: MakeClient, qos: int
) -> None:
    """The sockets fill up; then publishing says so in time, and keeps nothing for later."""
    got = await watcher(nats, client)
    one = client(settings)
    await one.start()
    proxy.mode = "stall"

    async def publish_until_refused() -> None:
        for _ in range(100):
            await one.publish("orders/big", bytes(5_000_000), qos=qos, deadline_s=0.2)

    with pytest.raises(NotSent if qos == 0 else Unacknowledged):
        await publish_until_refused()
    await only_now_arrives(one, proxy, got)


async def test_a_broker_that_stops_acknowledging_is_left_for_a_new_connection(
    proxy: Proxy, settings: MqttSettings, client: MakeClient
) -> None:
    one = client(settings)
    await one.start()
    proxy.mode = "swallow"
    results = await asyncio.gather(
        *(one.publish("orders/1", b"x", qos=1, deadline_s=0.1) for _ in range(20)),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {Unacknowledged}
    proxy.mode = "pass"
    await eventually(lambda: proxy.accepted == 2 and one.connected)
    await one.publish("orders/1", b"x", qos=1)


async def test_a_silent_broker_is_noticed_by_the_keep_alive(
    proxy: Proxy, settings: MqttSettings, client: MakeClient
) -> None:
    seen: list[bool] = []
    one = client(replace(settings, keepalive_s=1), on_connection=seen.append)
    proxy.mode, proxy.garbage = "garbage", (CONNACK,)
    await one.start()
    await eventually(lambda: False in seen)
    assert "silent" in str(one.last_error)
    proxy.mode = "pass"
    await eventually(lambda: one.connected)


async def test_start_fails_by_its_deadline_or_waits_in_the_background(
    nats: Nats, client: MakeClient
) -> None:
    await nats.kill()
    with pytest.raises(RetryLater, match="can't be reached"):
        await client(nats.settings).start(deadline_s=0.3)
    got: list[bytes] = []
    patient = client(nats.settings)
    patient.subscribe("p", lambda message: got.append(message.payload))
    await patient.start(wait=False)
    with pytest.raises(NotSent):
        await patient.publish("p", b"before")
    with pytest.raises(RetryLater):
        await patient.subscribed(deadline_s=0.1)
    await nats.start()
    await eventually(lambda: patient.connected)
    await patient.publish("p", b"after", qos=1)
    await eventually(lambda: got)
    assert got == [b"after"]


async def test_stop_ends_waiting_publishers_and_may_be_called_twice(
    proxy: Proxy, settings: MqttSettings, client: MakeClient
) -> None:
    one = client(settings)
    await one.start()
    proxy.mode = "swallow"
    publishing = asyncio.create_task(one.publish("orders/1", b"x", qos=1, deadline_s=60))
    await eventually(lambda: proxy.swallowed)
    await one.stop(deadline_s=0.5)
    with pytest.raises(Unacknowledged):
        await publishing
    with pytest.raises(NotSent):
        await one.publish("orders/1", b"x")
    await one.stop()


GARBAGE: dict[str, bytes | tuple[bytes, ...]] = {
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "zeros": bytes(1_000),
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "endless length": b"\x20\xff\xff\xff\xff\xff\x01",
    "CONNACK of 200 MB": b"\x20\x80\x80\x80\x64" + bytes(100),
    "short CONNACK": b"\x20\x01\x00",
    "PUBLISH before CONNACK": b"\x30\x05\x00\x01tab",
    "two CONNACKs": CONNACK * 2,
    "PUBLISH without topic": CONNACK + b"\x30\x02\x00\x00",
    "topic beyond the packet": CONNACK + b"\x30\x04\x00\xfftt",
    "empty PUBLISH": CONNACK + b"\x30\x00",
    "QoS 2": CONNACK + b"\x34\x07\x00\x01t\x00\x01ab",
    "QoS 3": CONNACK + b"\x36\x07\x00\x01t\x00\x01ab",
    "QoS 1 with packet identifier 0": CONNACK + b"\x32\x05\x00\x01t\x00\x00",
    "PUBACK too short": CONNACK + b"\x40\x01\x07",
    "SUBACK with too few codes": (CONNACK, b"\x90\x02\x00\x01"),
    "refusal with an unknown code": b"\x20\x02\x00\x63",
    "end": b"",
}


async def test_peers_that_talk_nonsense(
    proxy: Proxy, settings: MqttSettings, client: MakeClient
) -> None:
    """The client says what is wrong, and goes on as soon as a broker answers."""
    for name, garbage in GARBAGE.items():
        proxy.mode = "garbage"
        proxy.garbage = garbage if isinstance(garbage, tuple) else (garbage,)
        await meets_nonsense(name, client(settings), proxy)


async def meets_nonsense(name: str, one: MqttClient, proxy: Proxy) -> None:
    before = proxy.accepted
    one.subscribe("orders/#", lambda message: None)
    await one.start(wait=False)
    await eventually(lambda: proxy.accepted > before)
    if any(proxy.garbage):
        await eventually(lambda: one.last_error is not None)
        assert isinstance(one.last_error, (RetryLater, NeedsHuman)), name
    assert not one.connected, name
    proxy.mode = "pass"
    proxy.cut()
    await eventually(lambda: one.connected)
    await one.publish("orders/1", b"x", qos=1)
    await one.stop()


async def test_odd_messages_are_reported_and_the_connection_stays(
    proxy: Proxy, settings: MqttSettings, client: MakeClient
) -> None:
    huge = b"\x32" + b"\xff\xff\xff\x7f" + struct.pack("!H", 1) + b"t" + struct.pack("!H", 7)
    proxy.mode = "garbage"
    odd = b"\x30\x04\x00\x02\xff\xfe" + b"\xd0\x00" + huge + bytes(100_000)
    proxy.garbage = (CONNACK, b"\x90\x03\x00\x01\x00" + odd)
    told: list[tuple[str, Exception]] = []
    one = client(settings, on_error=lambda topic, error: told.append((topic, error)))
    one.subscribe("t", lambda message: None)
    await one.start()
    await eventually(lambda: len(told) == 2)
    assert one.connected
    assert "isn't UTF-8" in str(told[0][1])
    assert told[1][0] == "t"
    assert "268435450 bytes was dropped" in str(told[1][1])  # and 100 kB of it were read


async def test_a_subscribe_without_answer_ends_the_connection(
    proxy: Proxy, settings: MqttSettings, client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.transport.mqtt_connection._SUBACK_S", 0.2)
    proxy.mode, proxy.garbage = "garbage", (CONNACK,)
    one = client(settings)
    one.subscribe("orders/#", lambda message: None)
    with pytest.raises(RetryLater, match="SUBSCRIBE"):
        await one.start(deadline_s=1)


async def test_callbacks_that_raise_hurt_nobody(nats: Nats, client: MakeClient) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a fault of the caller's")

    got: list[bytes] = []
    one = client(nats.settings, on_connection=broken, on_error=broken)
    one.subscribe("c", broken)
    one.subscribe("c", lambda message: got.append(message.payload))
    await one.start()
    await one.publish("c", b"x", qos=1)
    await eventually(lambda: got)
    await nats.kill()
    await nats.start()
    await eventually(lambda: one.connected)


async def test_mqtt_5_at_a_broker_of_the_older_version(nats: Nats, client: MakeClient) -> None:
    with pytest.raises(NeedsHuman, match="version of MQTT"):
        await client(replace(nats.settings, protocol="5")).start()
