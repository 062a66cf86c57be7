"""What emulated servers share: a socket on the loopback, and being started and stopped.

Used by the emulated desks of the packages beside this file.
"""

from ssl import SSLContext
from types import TracebackType
from typing import Self

from aiohttp import web


class Running:
    """Something with `start` and `stop` that is an asynchronous context manager, too."""

    async def start(self) -> object:
        """Begin; what it gives is the subclass's affair."""
        raise NotImplementedError

    async def stop(self) -> None:
        """End; a second time does nothing."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


class Listener:
    """One address on 127.0.0.1. port: 0 before the first `open`, then the same at each."""

    def __init__(self) -> None:
        self.port = 0
        self._scheme = "http"
        self._runner: web.AppRunner | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    async def open(
        self, application: web.Application, *, port: int = 0, tls: SSLContext | None = None
    ) -> None:
        """Listen. port: 0 for that of the last time, or a free one; tls makes it https."""
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port or self.port, ssl_context=tls).start()
        self.port = self._runner.addresses[0][1]
        self._scheme = "https" if tls else "http"

    async def close(self) -> None:
        """Stop listening and cut what is open, also one that waits for a TLS farewell."""
        if self._runner is None:
            return
        server = self._runner.server
        for connection in server.connections if server else ():
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()
        self._runner = None
