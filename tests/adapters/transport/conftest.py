"""Fixtures: a broker that runs, and clients that are stopped at the end."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from dragoman.transport.mqtt import MqttClient, MqttSettings
from tests.adapters.transport.brokers import Broker, MosquittoBroker, Nats

MakeClient = Callable[..., MqttClient]


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[Nats]:
    broker = Nats(tmp_path / "nats")
    await broker.start()
    yield broker
    assert broker.embedded is not None
    await broker.embedded.stop()


@pytest.fixture(
    params=[
        "nats",
        pytest.param("mosquitto", marks=pytest.mark.live),
        pytest.param("mosquitto, MQTT 5", marks=pytest.mark.live),
    ]
)
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Broker]:
    running: Broker
    if request.param == "nats":
        running = Nats(tmp_path / "nats")
    else:
        running = MosquittoBroker(tmp_path, "5" if "5" in request.param else "3.1.1")
    await running.start()
    yield running
    await running.kill()


@pytest.fixture
async def client() -> AsyncIterator[MakeClient]:
    """Makes clients with names of their own, stopped at the end."""
    made: list[MqttClient] = []

    def make(settings: MqttSettings, **options: Any) -> MqttClient:
        options.setdefault("client_id", f"client-{len(made)}")
        made.append(MqttClient(settings, **options))
        return made[-1]

    yield make
    for one in made:
        await one.stop()
