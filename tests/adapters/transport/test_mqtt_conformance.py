"""What the MQTT client promises, on every broker that we say works."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from dragoman.domain.errors import NeedsHuman, Permanent, RetryLater
from dragoman.transport.mqtt import Message, MqttSettings, NotSent, Will
from dragoman.transport.tls import TlsSettings
from tests.adapters.transport.brokers import Broker, MosquittoBroker, eventually
from tests.adapters.transport.conftest import MakeClient


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_message_arrives_at_each_matching_handler(
    broker: Broker, client: MakeClient, qos: int
) -> None:
    exact: list[Message] = []
    wild: list[Message] = []
    receiver = client(broker.settings)
    receiver.subscribe("uagv/v2/acme/r1/state", exact.append, qos=qos)
    await receiver.start()
    receiver.subscribe("other/+/#", wild.append, qos=qos)  # after the start, too
    await receiver.subscribed()
    sender = client(broker.settings)
    await sender.start()
    await sender.publish("uagv/v2/acme/r1/state", b"{}", qos=qos)
    await sender.publish("uagv/v2/acme/r1/order", b"not wanted", qos=qos)
    await sender.publish("other/x/y/z", b"\x00\xff", qos=qos)
    await eventually(lambda: exact and wild)
    assert exact == [Message("uagv/v2/acme/r1/state", b"{}", qos, False)]
    assert wild == [Message("other/x/y/z", b"\x00\xff", qos, False)]


async def test_messages_keep_their_order(broker: Broker, client: MakeClient) -> None:
    got: list[bytes] = []
    receiver, sender = client(broker.settings), client(broker.settings)
    receiver.subscribe("n", lambda message: got.append(message.payload))
    await receiver.start()
    await sender.start()
    for number in range(2_000):
        await sender.publish("n", b"%d" % number)
    await eventually(lambda: len(got) == 2_000)
    assert got == [b"%d" % number for number in range(2_000)]


async def test_many_acknowledged_at_once(broker: Broker, client: MakeClient) -> None:
    """More than a broker takes in flight (mosquitto grants 20 in MQTT 5)."""
    got: list[bytes] = []
    receiver, sender = client(broker.settings), client(broker.settings)
    receiver.subscribe("n/+", lambda message: got.append(message.payload))
    await receiver.start()
    await sender.start()
    await asyncio.gather(
        *(sender.publish(f"n/{n}", b"%d" % n, qos=1, deadline_s=30) for n in range(1_500))
    )
    await eventually(lambda: len(got) == 1_500)
    assert sorted(map(int, got)) == list(range(1_500))


async def test_a_retained_message_comes_marked_and_can_be_cleared(
    broker: Broker, client: MakeClient
) -> None:
    sender = client(broker.settings)
    await sender.start()
    await sender.publish("r/connection", b"ONLINE", qos=1, retain=True)
    got: list[Message] = []
    receiver = client(broker.settings)
    receiver.subscribe("r/+", got.append, qos=1)
    await receiver.start()
    await eventually(lambda: got)
    assert got == [Message("r/connection", b"ONLINE", 1, True)]
    await sender.publish("r/connection", b"OFFLINE", qos=1, retain=True)
    await eventually(lambda: len(got) == 2)
    assert got[1] == Message("r/connection", b"OFFLINE", 1, False)  # live, so not marked


async def test_the_will_is_sent_only_when_the_client_dies(
    broker: Broker, client: MakeClient
) -> None:
    got: list[Message] = []
    watcher = client(broker.settings)
    watcher.subscribe("will/#", got.append, qos=1)
    await watcher.start()
    polite = client(broker.settings, will=Will(topic="will/polite", payload=b"x", qos=1))
    dying = client(broker.settings, will=Will(topic="will/dying", payload=b"BROKEN", qos=1))
    await polite.start()
    await dying.start()
    await polite.stop()
    assert dying._connection is not None
    dying._connection.give_up(RetryLater("as if the process had died"))
    await eventually(lambda: got)
    await watcher.publish("will/end", b"", qos=1)
    await eventually(lambda: len(got) >= 2)
    assert [message.topic for message in got] == ["will/dying", "will/end"]


async def test_five_megabytes(broker: Broker, client: MakeClient) -> None:
    got: list[bytes] = []
    receiver, sender = client(broker.settings), client(broker.settings)
    receiver.subscribe("big", lambda message: got.append(message.payload))
    await receiver.start()
    await sender.start()
    payload = bytes(range(256)) * 20_480
    await sender.publish("big", payload, qos=1, deadline_s=20)
    await eventually(lambda: got)
    assert got == [payload]


async def test_too_long_a_message_is_refused_or_dropped_and_the_next_one_arrives(
    broker: Broker, client: MakeClient
) -> None:
    got: list[bytes] = []
    told: list[tuple[str, Exception]] = []
    receiver = client(
        replace(broker.settings, max_payload_bytes=1_000),
        on_error=lambda topic, error: told.append((topic, error)),
    )
    sender = client(broker.settings)
    receiver.subscribe("t/+", lambda message: got.append(message.payload), qos=1)
    await receiver.start()
    await sender.start()
    with pytest.raises(Permanent, match="too long"):
        await receiver.publish("t/1", bytes(1_001))
    for size in (1_000, 1_001, 300_000, 7_000_000, 0):
        await sender.publish(f"t/{size}", bytes(size), qos=1, deadline_s=20)
    await eventually(lambda: len(got) == 2)
    assert [len(payload) for payload in got] == [1_000, 0]
    assert [topic for topic, _ in told] == ["t/1001", "t/300000", "t/7000000"]
    assert receiver.connected


async def test_a_handler_that_raises_hurts_nobody(broker: Broker, client: MakeClient) -> None:
    got: list[bytes] = []
    told: list[tuple[str, Exception]] = []
    one = client(broker.settings, on_error=lambda topic, error: told.append((topic, error)))

    def broken(message: Message) -> None:
        raise ValueError(message.payload)

    one.subscribe("h", broken)
    one.subscribe("h", lambda message: got.append(message.payload))
    await one.start()
    for payload in (b"a", b"b"):
        await one.publish("h", payload, qos=1)
    await eventually(lambda: len(got) == 2)
    assert [(topic, type(error)) for topic, error in told] == [("h", ValueError)] * 2
    assert one.connected


async def test_it_comes_back_after_a_crash_and_sends_nothing_late(
    broker: Broker, client: MakeClient
) -> None:
    got: list[bytes] = []
    seen: list[bool] = []
    one = client(broker.settings, on_connection=seen.append)
    one.subscribe("d/#", lambda message: got.append(message.payload), qos=1)
    await one.start()
    await broker.kill()
    await eventually(lambda: not one.connected)
    started = asyncio.get_running_loop().time()
    for qos in (0, 1):
        with pytest.raises(NotSent):
            await one.publish("d/late", b"late", qos=qos, deadline_s=20)
    waited_s = asyncio.get_running_loop().time() - started
    assert waited_s < 20 / 2  # the deadline wasn't used up
    assert isinstance(one.last_error, RetryLater)
    await broker.start()
    await eventually(lambda: one.connected)
    await one.publish("d/now", b"now", qos=1)
    await eventually(lambda: got)
    assert got == [b"now"]
    assert seen == [True, False, True]


async def test_wrong_password(broker: Broker, client: MakeClient) -> None:
    wrong = client(replace(broker.settings, password=SecretStr("wrong-password")))
    with pytest.raises(NeedsHuman, match="give the user name and password") as refused:
        await wrong.start()
    assert "wrong-password" not in str(refused.value)
    assert not wrong.connected


async def test_hundreds_of_subscriptions_in_several_packets(
    broker: Broker, client: MakeClient
) -> None:
    got: list[str] = []
    one = client(broker.settings)
    for number in range(450):
        one.subscribe(f"many/{number}", lambda message: got.append(message.topic))
    await one.start()
    for number in (0, 199, 200, 449):
        await one.publish(f"many/{number}", b"", qos=1)
    await eventually(lambda: len(got) == 4)
    assert got == ["many/0", "many/199", "many/200", "many/449"]


@pytest.mark.live
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_tls_on_a_real_broker_is_verified(
    tmp_path: Path, client: MakeClient, protocol: Literal["3.1.1", "5"]
) -> None:
    broker = MosquittoBroker(tmp_path, protocol)
    await broker.start()
    try:
        stranger = replace(broker.settings, tls=TlsSettings())
        with pytest.raises(NeedsHuman, match=r"tls\.ca_file"):
            await client(stranger).start()
        plain = MqttSettings(host="127.0.0.1", port=broker.settings.port)
        with pytest.raises(RetryLater):
            await client(plain).start(deadline_s=1)
    finally:
        await broker.kill()
