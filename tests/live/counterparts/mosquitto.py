"""Mosquitto from Debian's package, with TLS and passwords, on ports of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from dragoman.testing.tls import TestAuthority
from tests.live.counterparts.processes import Process, accepts_connections, free_port

CONFIG = """\
per_listener_settings false
persistence {persistence}
persistence_location {folder}/
allow_anonymous false
password_file {folder}/passwords
log_dest stderr
log_type error
log_type warning
log_type notice
max_queued_messages 10000

listener {port} 127.0.0.1
certfile {server}
keyfile {server_key}
"""


def is_installed() -> bool:
    """Tell whether tests/live/setup.sh has been run on this machine."""
    return _program("mosquitto") is not None and _program("mosquitto_passwd") is not None


class Mosquitto:
    """A broker that takes only TLS and only the given accounts: `start()`, then `url`.

    `accounts` maps user names to passwords. `stop()`, `kill()` and `start()` again keep the port,
    the certificates and, with `persistent`, the retained messages.
    """

    def __init__(self, folder: Path, accounts: dict[str, str], *, persistent: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "tls").mkdir(parents=True, exist_ok=True)
        self.authority = TestAuthority(folder / "tls", datetime.now(UTC))
        self._process: Process | None = None
        self._write_config(accounts, persistent)

    @property
    def url(self) -> str:
        """Address in the form that gateways and vehicles take."""
        return f"mqtts://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The authority that a client has to trust."""
        return self.authority.bundle

    def start(self) -> None:
        """Start the broker and wait until it listens."""
        program = _program("mosquitto")
        if program is None:
            raise RuntimeError("mosquitto is not installed: run tests/live/setup.sh")
        self._process = Process(
            [program, "-c", self.folder / "mosquitto.conf"], log=self.folder / "mosquitto.log"
        )
        self._process.wait_until(lambda: accepts_connections(self.port), "mosquitto", 10)

    def stop(self) -> None:
        """Stop the broker in good order."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End the broker as a crash would: no goodbye, nothing saved."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _write_config(self, accounts: dict[str, str], persistent: bool) -> None:
        issued = self.authority.issue()
        config = CONFIG.format(
            folder=self.folder,
            port=self.port,
            persistence="true" if persistent else "false",
            server=issued.certificate,
            server_key=issued.key,
        )
        if os.geteuid() == 0:
            # Else mosquitto drops to a user of its own, which can't read this folder.
            config += "user root\n"
        (self.folder / "mosquitto.conf").write_text(config)
        passwords = self.folder / "passwords"
        passwords.touch(mode=0o600)
        passwords.write_text("".join(f"{name}:{word}\n" for name, word in accounts.items()))
        program = _program("mosquitto_passwd")
        if program is None:
            raise RuntimeError("mosquitto_passwd is not installed: run tests/live/setup.sh")
        # -U replaces the plain passwords in the file by salted hashes.
        subprocess.run([program, "-U", passwords], check=True, timeout=30)


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin")
