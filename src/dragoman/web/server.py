"""Serves the app in the gateway's own event loop: uvicorn with uvloop and httptools.

Used by `dragoman up` and by tests. The signals are the command's affair, so uvicorn's are off.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from dragoman.config.model import ApiTable
from dragoman.domain.errors import NeedsHuman

BACKLOG = 2048
GRACE_S = 3
"""Seconds for requests under way at a stop; with a streaming client attached it would hang."""


class _Server(uvicorn.Server):
    """Leaves the process's signals alone, and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open for callers."""
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class WebServer:
    """One listening address. bind, then start when there is something to serve, then stop."""

    def __init__(self, api: ApiTable) -> None:
        self._api = api
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    def bind(self) -> str:
        """Take the address; the URL by which the service will be reached.

        Callers wait in the backlog until `start`. Raises NeedsHuman if the address can't be had.
        """
        host, _, port = self._api.listen.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host.strip("[]"), int(port)))
            bound.listen(BACKLOG)
        except OSError as error:
            bound.close()
            raise NeedsHuman(
                f"this address can't be listened on: {error.strerror}",
                field="api.listen",
                value=self._api.listen,
                mend="end what listens there, or name another port; 0 takes a free one",
            ) from error
        self._socket = bound
        scheme = "http" if self._api.tls is None else "https"
        return f"{scheme}://{host}:{bound.getsockname()[1]}"

    async def start(self, app: FastAPI) -> None:
        """Serve until `stop`."""
        if self._socket is None:
            self.bind()
        tls = self._api.tls
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=None if tls is None else tls.cert_file,
            ssl_keyfile=None if tls is None else tls.key_file,
        )
        config.load()
        self._server = _Server(config)
        sockets = None if self._socket is None else [self._socket]
        self._task = asyncio.create_task(self._server.serve(sockets), name="web")
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait((up, self._task), return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._task.done():
            self._task.result()

    async def wait(self) -> None:
        """Until the server ends."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Answer what is under way, then close."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        if self._socket is not None:
            self._socket.close()
