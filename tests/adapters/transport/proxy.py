"""A TCP proxy on the way to a broker that can misbehave, for tests of the MQTT client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Mode = Literal["pass", "swallow", "stall", "garbage"]


class Proxy:
    """mode: pass; swallow (read from the client, forward nothing); stall (stop reading from the
    client); garbage (answer each chunk with the next of `garbage`, connect to no broker)."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode: Mode = "pass"
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.garbage: tuple[bytes, ...] = ()
        self.accepted = 0
        self.swallowed = bytearray()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "stall":
            self._flowing.clear()
        else:
            self._flowing.set()

    async def start(self) -> None:
        # A small receive buffer, so that a stalled connection fills up soon.
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=4096)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        try:
            if self.mode == "garbage":
                for answer in self.garbage:
                    await reader.read(4096)
                    writer.write(answer)
                await reader.read()
                return
            to_broker_from, to_broker = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(to_broker)
            await asyncio.wait(
                (
                    asyncio.create_task(self._client_to_broker(reader, to_broker)),
                    asyncio.create_task(_pump(to_broker_from, writer)),
                ),
                return_when=asyncio.ALL_COMPLETED,
            )
            self._writers.discard(to_broker)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _client_to_broker(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(4096):
                await self._flowing.wait()
                if self.mode == "swallow":
                    self.swallowed += data
                else:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
