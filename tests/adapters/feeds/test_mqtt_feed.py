"""The feed over MQTT against the suite of the port, on a real broker with a CMMS listening."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.feeds.mqtt import PLUGIN
from dragoman.feeds.mqtt.settings import MqttFeedSettings
from dragoman.ports.feed import Feed, FeedCommand
from dragoman.runtime.clock import SystemClock
from dragoman.testing.conformance.feed import (
    FeedConformance,
    command,
    event,
    eventually,
    published,
    running,
)
from dragoman.transport.mqtt import Message, MqttClient
from tests.adapters.transport.brokers import Broker, MosquittoBroker, Nats

COMMANDS = "cmms/commands/+"


class Cmms:
    """A CMMS on the broker: what it hears, by topic, and what it says."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.heard: list[Message] = []
        self.options: dict[str, Any] = {"commands_topic": COMMANDS}
        self._client: MqttClient | None = None

    async def start(self) -> None:
        await self.broker.start()
        self._client = MqttClient(
            replace(self.broker.settings, reconnect_most_s=0.2), client_id="cmms"
        )
        self._client.subscribe("dragoman/#", self.heard.append, qos=1)
        await self._client.start()

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.stop()
        await self.broker.kill()

    def feed(self) -> Feed:
        settings = MqttFeedSettings(**self.options)
        mqtt = replace(self.broker.settings, reconnect_most_s=0.2)
        return PLUGIN.connect("cmms", settings, mqtt, SystemClock())

    async def received(self) -> Sequence[Mapping[str, Any]]:
        return [json.loads(one.payload) for one in self.heard if "/cases/" in one.topic]

    async def send(self, payload: bytes, *, retain: bool = False) -> None:
        assert self._client is not None
        await self._client.publish("cmms/commands/hall-1", payload, qos=1, retain=retain)

    async def cut(self) -> None:
        await self.broker.kill()

    async def restore(self) -> None:
        await self.broker.start()
        assert self._client is not None
        await self._client.subscribed(deadline_s=20.0)

    def latest(self, topic: str) -> Any:
        return next(json.loads(m.payload)["id"] for m in reversed(self.heard) if m.topic == topic)

    async def late_reader(self, topic_filter: str) -> dict[str, Message]:
        """What the broker gives to somebody who subscribes now, by topic."""
        heard: dict[str, Message] = {}
        client = MqttClient(self.broker.settings, client_id="late")
        client.subscribe(topic_filter, lambda m: heard.update({m.topic: m}), qos=1)
        client.subscribe("late/mark", lambda m: heard.update({m.topic: m}), qos=1)
        await client.start()
        await client.publish("late/mark", b"", qos=1)
        await eventually(lambda: "late/mark" in heard)
        await client.stop()
        del heard["late/mark"]
        return heard


@pytest.fixture(
    params=[
        "nats",
        pytest.param("mosquitto", marks=pytest.mark.live),
        pytest.param("mosquitto, MQTT 5", marks=pytest.mark.live),
    ]
)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cmms]:
    broker: Broker
    if request.param == "nats":
        broker = Nats(tmp_path / "nats")
    else:
        broker = MosquittoBroker(tmp_path, "5" if "5" in request.param else "3.1.1")
    cmms = Cmms(broker)
    await cmms.start()
    yield cmms
    await cmms.stop()


class TestMqttFeed(FeedConformance):
    @pytest.fixture
    def world(self, world: Cmms) -> Cmms:
        return world


async def test_the_latest_is_kept_per_work_order_and_asset(world: Cmms) -> None:
    async with running(world.feed(), lambda _: None) as feed:
        for number in range(3):
            await published(feed, event(number, of=1))
        await published(feed, event(7, of=2))
    kept = await world.late_reader("dragoman/#")
    assert {topic: json.loads(m.payload)["id"] for topic, m in kept.items()} == {
        "dragoman/plant-1/workorders/INC0000001": "event-0002",
        "dragoman/plant-1/assets/pump%201": "event-0002",
        "dragoman/plant-1/workorders/INC0000002": "event-0007",
        "dragoman/plant-1/assets/pump%202": "event-0007",
    }
    assert all(message.retain for message in kept.values())


async def test_an_older_event_does_not_replace_the_latest(world: Cmms) -> None:
    async with running(world.feed(), lambda _: None) as feed:
        await published(feed, event(5))
        await published(feed, event(4))
    kept = await world.late_reader("dragoman/plant-1/assets/+")
    assert [json.loads(m.payload)["id"] for m in kept.values()] == ["event-0005"]


async def test_hostile_names_stay_on_their_level(world: Cmms) -> None:
    names = [
        "a/b",
        "+",
        "#",
        "$SYS",
        "x\x00y",
        "\n",
        " ",
        "*",
        ">",
        "..",
        "%2F",
        "工单 7",
        "e" * 9_000,
    ]
    names += ["\ud800"]
    async with running(world.feed(), lambda _: None) as feed:
        for index, name in enumerate(names):
            one: dict[str, Any] = event(index)
            one["data"]["number"] = name if name != "\ud800" else "lone"
            await published(feed, one)
        await eventually(lambda: len(world.heard) >= 3 * len(names))
    topics = {m.topic for m in world.heard if "/workorders/" in m.topic}
    assert len(topics) == len(names)
    assert all(topic.count("/") == 3 and topic.isascii() for topic in topics)


async def test_retained_commands_are_not_taken(world: Cmms) -> None:
    await world.send(command("cancel", "INC0000001"), retain=True)
    heard: list[FeedCommand] = []
    async with running(world.feed(), heard.append) as feed:
        await published(feed, event(1))
        await eventually(lambda: heard)
        await world.cut()
        await world.restore()
        await world.send(command("hold", "INC0000001"))
        async with asyncio.timeout(20):
            while heard[-1].verb != "hold":
                await world.send(command("hold", "INC0000001"))
                await asyncio.sleep(0.05)
    assert [one.error for one in heard if one.verb != "hold"] == [
        "a retained message is no command"
    ]


async def test_a_broker_keeps_commands_for_a_feed_with_a_client_id(world: Cmms) -> None:
    world.options["client_id"] = "gateway-feed"
    heard: list[FeedCommand] = []
    async with running(world.feed(), heard.append) as feed:
        await published(feed, event(1))
    await world.send(command("hold", "INC0000001"))
    assert heard == []
    async with running(world.feed(), heard.append):
        await eventually(lambda: heard)
    assert [one.verb for one in heard] == ["hold"]


async def test_a_feed_may_have_a_broker_of_its_own(world: Cmms, tmp_path: Path) -> None:
    if not isinstance(world.broker, Nats):
        pytest.skip("once is enough")
    own = world.broker.settings
    elsewhere = replace(own, port=1)  # the gateway's broker, where nobody is
    (tmp_path / "word").write_text(own.password.get_secret_value() if own.password else "")
    settings = MqttFeedSettings.model_validate(
        {
            "url": f"mqtt://{own.host}:{own.port}",
            "username": own.username,
            "password": {"file": str(tmp_path / "word")},
        }
    )
    async with running(PLUGIN.connect("own", settings, elsewhere, SystemClock()), print) as feed:
        await published(feed, event(1))
    await eventually(lambda: len(world.heard) == 3)
