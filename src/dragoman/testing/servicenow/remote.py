"""Drive an emulated desk that runs in another process.

Called by the demo, the benchmark and the kill tests. `start` begins the process and waits for its
address; the methods mirror `ServiceNowDesk` over the control API.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec

from dragoman.testing.servicenow.desk import (
    CLIENT_SECRET_VARIABLE,
    PASSWORD_VARIABLE,
    Credentials,
)

_DEADLINE = 15.0


class RemoteDesk:
    """A desk in a process of its own. Use `start`, then `stop`; or it as a context manager."""

    def __init__(
        self, url: str, credentials: Credentials, process: asyncio.subprocess.Process
    ) -> None:
        self.url = url
        self.credentials = credentials
        self.process = process
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_DEADLINE))

    @classmethod
    async def start(
        cls,
        *,
        port: int = 0,
        fields: Sequence[str] = (),
        report: Path | None = None,
        credentials: Credentials | None = None,
        log: Path | None = None,
    ) -> Self:
        """Start the process, in a session of its own: a Ctrl-C is its starter's to handle. It ends
        when its starter is gone.

        log: for its stderr. Raises TimeoutError or RuntimeError if it doesn't come up.
        """
        credentials = credentials or Credentials()
        command = [sys.executable, "-m", "dragoman.testing.bound", "dragoman.testing.servicenow"]
        command += ["--port", str(port)]
        command += ["--user", credentials.user_name, "--client-id", credentials.client_id]
        command += [item for name in fields for item in ("--field", name)]
        command += ["--report", str(report)] if report is not None else []
        with ExitStack() as stack:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=None if log is None else stack.enter_context(log.open("ab")),
                start_new_session=True,
                env={
                    **os.environ,
                    PASSWORD_VARIABLE: credentials.password,
                    CLIENT_SECRET_VARIABLE: credentials.client_secret,
                },
            )
        assert process.stdout is not None, "stdout is a pipe"
        async with asyncio.timeout(_DEADLINE):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the desk ended at once with exit code {await process.wait()}")
        return cls(msgspec.json.decode(line)["url"], credentials, process)

    async def stop(self) -> None:
        """End the process in order; it writes its report, if one was asked for."""
        await self._client.close()
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(_DEADLINE):
            await self.process.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One control call (see `control`); returns its JSON. Raises RuntimeError on a refusal."""
        async with self._client.request(
            method, f"{self.url}/__control__/{path}", data=msgspec.json.encode(body or {})
        ) as response:
            answer = msgspec.json.decode(await response.read())
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {response.status} {answer}")
            return answer

    async def open_case(self, **fields: str) -> dict[str, str]:
        """Open a case as a desk user (keys: table, user, and the fields); returns the record."""
        record: dict[str, str] = await self.call("POST", "cases", fields)
        return record

    async def edit(self, number: str, **fields: str) -> dict[str, str]:
        """Change a case as a desk user; returns the record."""
        record: dict[str, str] = await self.call("PATCH", f"cases/{number}", fields)
        return record

    async def cancel(self, number: str) -> dict[str, str]:
        """Cancel a case as a desk user; returns the record."""
        record: dict[str, str] = await self.call("POST", f"cases/{number}/cancel")
        return record

    async def records(self, table: str = "incident") -> list[dict[str, str]]:
        """All records of a table."""
        rows: list[dict[str, str]] = await self.call("GET", f"records/{table}")
        return rows

    async def ledger(self, *, after: int = 0, user: str = "") -> list[dict[str, Any]]:
        """Entries beyond a sequence number, of one user or of all (JSON of `ledger.Entry`)."""
        path = f"ledger?after={after}" + (f"&user={user}" if user else "")
        entries: list[dict[str, Any]] = await self.call("GET", path)
        return entries

    async def acknowledged(self) -> list[str]:
        """The sys_id of each record whose webhook was answered with 2xx."""
        records: list[str] = await self.call("GET", "acknowledged")
        return records

    async def add_fault(self, kind: str, **details: Any) -> None:
        """Add a fault (see `faults.Fault`)."""
        await self.call("POST", "faults", {"kind": kind, **details})

    async def clear_faults(self) -> None:
        """Let the desk behave well again."""
        await self.call("DELETE", "faults")

    async def subscribe(self, url: str, *, secret: str, **options: Any) -> None:
        """Send webhooks to a URL (see `Webhooks.subscribe`)."""
        await self.call("POST", "subscriptions", {"url": url, "secret": secret, **options})
