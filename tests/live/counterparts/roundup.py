"""Roundup from PyPI, with a tracker of its own for each run. Not as root: Roundup refuses that."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.live.counterparts.processes import Process, accepts_connections, free_port

PROGRAMS = Path(__file__).parent.parent / "roundup" / ".venv" / "bin"
NOBODY = 65_534


def is_installed() -> bool:
    """Tell whether tests/live/setup.sh has been run on this machine."""
    return (PROGRAMS / "roundup-server").exists()


class Roundup:
    """A running tracker: `start()`, then `url`; it has the accounts `gateway` and `pat`.

    calls, interval_s: its rate limit for each account, none if 0. Without a limit the account may
    log in as often as it likes, too.
    """

    def __init__(self, *, calls: int = 0, interval_s: int = 60) -> None:
        self.port = free_port()
        self.password = secrets.token_urlsafe(12)
        self._limit = (calls, interval_s)
        # pytest's own folders are closed to other users
        self._folder = Path(tempfile.mkdtemp(prefix="roundup-"))
        self._process: Process | None = None

    @property
    def origin(self) -> str:
        """What its header Origin has to be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Base address of its REST interface."""
        return f"{self.origin}/tracker/rest"

    def start(self) -> None:
        """Make the tracker, start the server and wait for it."""
        home = self._folder / "home"
        self._admin("install", "classic", "sqlite")
        self._set_up(home)
        self._admin("initialise", self.password)
        for name in ("gateway", "pat"):
            address = f"{name}@example.test"
            more = (f"password={self.password}", f"address={address}", "roles=User")
            self._admin("create", "user", f"username={name}", *more)
        command: list[str | Path] = [PROGRAMS / "roundup-server", "-n", "127.0.0.1"]
        command += ["-p", str(self.port), f"tracker={home}"]
        if os.geteuid() == 0:
            self._folder.chmod(0o755)
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
            drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            command = [*drop, *command]
        self._process = Process(command, log=self._folder / "server.log", cwd=self._folder)
        self._process.wait_until(lambda: accepts_connections(self.port), "Roundup", 30)

    def stop(self) -> None:
        """Stop the server and remove the tracker."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    async def as_pat(self, method: str, path: str, body: Any = None, etag: str = "") -> Any:
        """What a person does, through the same interface; returns `data` of the answer."""
        return await asyncio.to_thread(self._call, method, path, body, etag)

    async def texts(self, issue: str) -> Sequence[str]:
        """What was said on an issue."""
        shown = await self.as_pat("GET", f"/data/issue/{issue}?@fields=messages&@verbose=1")
        found = []
        for message in shown["attributes"]["messages"]:
            one = await self.as_pat("GET", f"/data/msg/{message['id']}?@verbose=3")
            found.append(str(one["attributes"]["content"]))
        return found

    def _call(self, method: str, path: str, body: Any, etag: str) -> Any:
        pair = base64.b64encode(f"pat:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
        headers |= {"Origin": self.origin, "X-Requested-With": "test"}
        headers |= {"If-Match": etag} if etag else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}{path}", data=data, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the same
            return json.load(answer)["data"]

    def _set_up(self, home: Path) -> None:
        calls, interval_s = self._limit
        wanted = {
            "#web": f"http://127.0.0.1:{self.port}/tracker/",
            "#domain": "example.test",
            "#host": "127.0.0.1",
            "debug": str(home / "mails"),  # in place of sending any
            "api_calls_per_interval": str(calls),
            "api_interval_in_sec": str(interval_s),
            "login_attempts_min": "0",
            "password_pbkdf2_default_rounds": "1000",  # its default takes 0.3 s a request
        }
        lines = (home / "config.ini").read_text().splitlines()
        for number, line in enumerate(lines):
            key = line.partition(" = ")[0]
            mail = key != "debug" or line == "debug = "
            if key in wanted and mail:
                lines[number] = f"{key.lstrip('#')} = {wanted.pop(key)}"
        (home / "config.ini").write_text("\n".join(lines) + "\n")
        schema = home / "schema.py"
        text = schema.read_text()
        before = 'status=Link("status"))'
        assert before in text
        after = f"{before[:-1]}, gateway_key=String(), location=String())"
        schema.write_text(text.replace(before, after))

    def _admin(self, *arguments: str) -> None:
        done = subprocess.run(
            [PROGRAMS / "roundup-admin", "-i", self._folder / "home", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"roundup-admin {arguments[0]}: {done.stdout[-500:]}{done.stderr}")
