"""The brokers on which the MQTT client's conformance is tested, behind one set of verbs.

nats-server is the one that we embed (in every run); mosquitto is the one that most sites have
(in `make live`, with TLS and passwords, and the only one of both that speaks MQTT 5).
"""

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from dragoman.transport.broker import BrokerTls, EmbeddedBroker
from dragoman.transport.mqtt import MqttSettings
from dragoman.transport.tls import TlsSettings
from tests.live.counterparts.mosquitto import Mosquitto

USER, PASSWORD = "robot one", 'pa"ss \\w0rd $x #1'


async def eventually(condition: Callable[[], object], *, within_s: float = 20.0) -> None:
    """Return when the condition holds; fail at the deadline."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while not condition():
        assert loop.time() < until, "it didn't happen within the deadline"
        await asyncio.sleep(0.01)


class Broker(ABC):
    """`kill` is a crash and leaves it down; `start` brings it back on the same port."""

    settings: MqttSettings

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def kill(self) -> None: ...


class Nats(Broker):
    def __init__(self, folder: Path, tls: BrokerTls | None = None) -> None:
        self._folder = folder
        self._tls = tls
        self._port = 0
        self.embedded: EmbeddedBroker | None = None

    async def start(self) -> None:
        self.embedded = EmbeddedBroker(
            self._folder, port=self._port, users={USER: SecretStr(PASSWORD)}, tls=self._tls
        )
        self.settings = await self.embedded.start()
        self._port = self.embedded.port

    async def kill(self) -> None:
        if self.embedded is not None:
            if self.embedded.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(self.embedded.pid, signal.SIGKILL)
            await self.embedded.stop()


class MosquittoBroker(Broker):
    def __init__(self, folder: Path, protocol: Literal["3.1.1", "5"]) -> None:
        self._real = Mosquitto(folder, {USER: PASSWORD}, persistent=True)
        self.settings = MqttSettings.from_url(
            self._real.url,
            username=USER,
            password=SecretStr(PASSWORD),
            tls=TlsSettings(ca_file=self._real.ca_file),
            protocol=protocol,
        )

    async def start(self) -> None:
        await asyncio.to_thread(self._real.start)

    async def kill(self) -> None:
        await asyncio.to_thread(self._real.kill)
