"""The processes of a demo: the gateway, which may be killed, and the robots.

Started by `run`, killed and driven by `chaos`. Each has a session of its own, so that a Ctrl-C in
the terminal is the demo's to handle; each is ended by its pid, by force at the deadline. If the
demo is killed, their standard input closes, and they end by themselves.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Any

from dragoman.domain.errors import Permanent
from dragoman.testing.demo.scene import TIME_SCALE
from dragoman.testing.demo.site import BROKER_USER, SiteFolder

START_S = 30.0
STOP_S = 25.0


class Gateway:
    """`dragoman up`, started as often as it takes on the same data folder."""

    def __init__(self, folder: SiteFolder) -> None:
        self.starts = 0
        self.kills = 0
        self._folder = folder
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """Of the process, 0 before the first start."""
        return self._process.pid if self._process is not None else 0

    @property
    def running(self) -> bool:
        """There is a process."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Return when it says that it is ready. Raises Permanent if it doesn't."""
        self.starts += 1
        log = self._folder.log("gateway-errors")
        with log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dragoman.testing.bound", "dragoman"),
                *("--config", str(self._folder.config), "up", "--json"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                start_new_session=True,
            )
        answer = await _line(self._process, "the gateway", str(log))
        if not answer.get("ready"):
            raise Permanent(f"the gateway didn't start: {answer.get('detail', answer)}")

    async def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None and self.running:
            self.kills += 1
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        return await end(self._process)


class Robots:
    """The simulated robots' process, driven by lines."""

    def __init__(
        self, folder: SiteFolder, *, count: int, seed: int, time_scale: float = TIME_SCALE
    ) -> None:
        self._folder = folder
        self._count = count
        self._seed = seed
        self._time_scale = time_scale
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self.names: list[str] = []

    @property
    def pid(self) -> int:
        """Of the process, 0 before the start."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Return when all are online. Raises Permanent if they aren't."""
        log = self._folder.log("robots")
        password = "DRAGOMAN_DEMO_BROKER_PASSWORD"  # noqa: S105  # a name, no password
        with log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dragoman.testing.robots"),
                *("--broker", f"mqtt://127.0.0.1:{self._folder.broker_port}"),
                *("--username", BROKER_USER, "--password-variable", password),
                *("--count", str(self._count), "--seed", str(self._seed), "--map", "hall"),
                *("--time-scale", str(self._time_scale), "--state-interval-s", "5"),
                *("--report", str(self._folder.robots_report)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, password: self._folder.secret("broker-password")},
            )
        answer = await _line(self._process, "the robots", str(log))
        if "robots" not in answer:
            raise Permanent(f"the robots didn't start: {answer.get('error', answer)}")
        self.names = [str(name).rpartition("/")[2] for name in answer["robots"]]

    async def tell(self, line: str) -> None:
        """One control line, see robots/control.py. Raises Permanent if it is refused."""
        assert self._process is not None, "the robots run"
        assert self._process.stdin is not None, "stdin is a pipe"
        async with self._turn:
            self._process.stdin.write(f"{line}\n".encode())
            await self._process.stdin.drain()
            answer = await _line(self._process, "the robots", str(self._folder.log("robots")))
        if "error" in answer:
            raise Permanent(f"the robots refuse {line!r}: {answer['error']}")

    async def stop(self) -> None:
        """Let them say goodbye."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        await end(self._process)


async def end(process: Process | None) -> int:
    """SIGTERM, at the deadline SIGKILL; the exit code, 0 if there is no process."""
    if process is None:
        return 0
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
    return await process.wait()


async def _line(process: Process, who: str, log: str) -> dict[str, Any]:
    """The next line of JSON. Raises Permanent if none comes."""
    assert process.stdout is not None, "stdout is a pipe"
    try:
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
    except TimeoutError:
        raise Permanent(f"{who} said nothing for {START_S:.0f} s", mend=f"see {log}") from None
    if not line:
        raise Permanent(f"{who} ended with {await process.wait()}", mend=f"see {log}")
    answer: dict[str, Any] = json.loads(line)
    return answer
