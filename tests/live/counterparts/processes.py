"""Child processes of the live tests: free ports, waits with a deadline, ends by process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts_connections(port: int) -> bool:
    """Tell whether something accepts TCP connections on 127.0.0.1:port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], T], what: str, timeout_s: float = 30.0) -> T:
    """Poll until `condition()` is true and return its value; raise TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.02)
    return value


class Process:
    """One child process in a process group of its own, with its output in a file."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._child.poll() is None

    def wait_until(self, condition: Callable[[], T], what: str, timeout_s: float = 30.0) -> T:
        """Wait for a condition, but give up at once, with the log's end, when the process dies."""

        def check() -> T:
            if value := condition():
                return value
            if not self.running:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{what}: the process ended; its log ends with:\n{tail}")
            return value

        return wait_until(check, what, timeout_s)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group (SIGSTOP freezes, SIGCONT thaws)."""
        if self.running:
            os.killpg(self.pid, number)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the group to end, then force it. Does nothing when it has ended."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the whole group at once (SIGKILL), as a crash would."""
        self.signal(signal.SIGKILL)
        self._child.wait(10)
