"""The gateway as a process: started by `dragoman up`, runs until it is told to stop.

The order at the start: configuration, log, address, journal and broker, the loops, and last the
web service, so that an address or a journal in use is told at once and nobody is answered too
early. At a stop the web service goes first; what it has answered with 2xx is durable by then.
"""

import asyncio
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import structlog

from dragoman import __version__
from dragoman.bootstrap import opened
from dragoman.cli.exits import Exit
from dragoman.cli.supervisor import notify, watch
from dragoman.config.model import Config
from dragoman.domain.errors import DragomanError, NeedsHuman, Permanent
from dragoman.observe.log import configure
from dragoman.runtime.gateway import Gateway
from dragoman.web.app import create_app
from dragoman.web.server import WebServer

STOP_S = 20.0
"""A stop that takes longer is cut short; the journal has everything all the same."""

log = structlog.get_logger(__name__)


def serve(config: Config, *, as_json: bool) -> None:
    """Run until a signal. Raises what keeps it from starting, or what ended it otherwise."""
    _set_up_log(config)
    with _runner() as runner:
        runner.run(_up(config, as_json=as_json))


def _set_up_log(config: Config) -> None:
    resource = {
        "service.name": "dragoman",
        "service.version": __version__,
        "service.instance.id": config.site.name,
    }
    try:
        configure(config.log.level, config.log.file, resource=resource)
    except OSError as error:
        raise NeedsHuman(
            f"the log can't be written: {error.strerror}",
            field="log.file",
            value=str(config.log.file),
            mend="make its folder, or name another file",
        ) from error


def _runner() -> "asyncio.Runner":
    """An event loop of uvloop, where there is one."""
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - there is none for Windows

        return asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return asyncio.Runner()


async def _up(config: Config, *, as_json: bool) -> None:
    """Run until a signal. Raises what ended it otherwise."""
    stop = asyncio.Event()
    _on_signals(stop)
    server = WebServer(config.api)
    url = server.bind()
    async with opened(config) as gateway, _running(gateway) as loops:
        await server.start(create_app(gateway, config))
        with _announced(config.url_file, url):
            ready = {"ready": True, "url": url, "pid": os.getpid(), "site": config.site.name}
            line = f"dragoman: site {config.site.name} is ready at {url}"
            print(json.dumps(ready) if as_json else line, flush=True)
            log.info("Ready.", action="gateway.ready", url=url)
            notify("READY=1")
            await _until(stop, loops, server)
            notify("STOPPING=1")
            log.info("Stopping.", action="gateway.stopping")
            await server.stop()
    log.info("Stopped.", action="gateway.stopped")


@asynccontextmanager
async def _running(gateway: Gateway) -> AsyncIterator[asyncio.Task[None]]:
    """The gateway's loops, from when they all run until they have stopped."""
    ready = asyncio.Event()
    loops = asyncio.create_task(gateway.run(ready.set), name="gateway")
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait((loops, waiting), return_when=asyncio.FIRST_COMPLETED)
        _raise_failure(loops)
        yield loops
    finally:
        waiting.cancel()
        loops.cancel()
        await asyncio.wait((loops,))


async def _until(stop: asyncio.Event, loops: asyncio.Task[None], server: WebServer) -> None:
    """Wait for the signal. Raises what ended the loops or the server before that."""
    waits = {
        asyncio.create_task(stop.wait(), name="stop"),
        asyncio.create_task(server.wait(), name="web ended"),
    }
    watchdog = asyncio.create_task(watch(), name="watchdog")
    try:
        await asyncio.wait({loops, *waits}, return_when=asyncio.FIRST_COMPLETED)
        _raise_failure(loops)
        if not stop.is_set():
            raise Permanent("the web service has ended by itself", mend="see the log")
    finally:
        for task in (watchdog, *waits):
            task.cancel()


def _raise_failure(loops: asyncio.Task[None]) -> None:
    """Raise what ended the loops: one of our errors as it is, a defect as itself."""
    if not loops.done():
        return
    error = loops.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, DragomanError):
        log.critical("The gateway has failed.", action="gateway.failed", exc_info=error)
        error = Permanent(f"the gateway has failed ({type(error).__name__})", mend="see the log")
    raise error


def _on_signals(stop: asyncio.Event) -> None:
    """The first SIGTERM or SIGINT stops; a second SIGINT, or a stop that hangs, ends at once."""
    loop = asyncio.get_running_loop()

    def stopping(number: signal.Signals) -> None:
        if stop.is_set():
            if number is signal.SIGINT:
                os._exit(Exit.INTERRUPTED)
            return
        stop.set()
        cut = threading.Timer(STOP_S, os._exit, (Exit.FAILED,))
        cut.daemon = True
        cut.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping, number)


@contextmanager
def _announced(file: Path, url: str) -> Iterator[None]:
    """Keep the address in a file while it counts, since port 0 takes any."""
    partial = file.with_name(file.name + ".partial")
    partial.write_text(url + "\n", encoding="utf-8")
    partial.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
