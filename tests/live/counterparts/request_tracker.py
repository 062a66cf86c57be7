"""Request Tracker 5 from Debian's package, with a database of its own for each run."""

from __future__ import annotations

import base64
import itertools
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rt.exceptions
import rt.rest2

from tests.live.counterparts.processes import Process, accepts_connections, free_port

INSTALLED = Path("/usr/share/request-tracker5")
EMPTY_DATABASE = Path("/var/lib/dbconfig-common/sqlite3/request-tracker5/rtdb")
SCRIPTS = Path(__file__).parent.parent / "rt"
QUEUE = "Robots"
HISTORY_FIELDS = "Type,Creator,Created,Field,OldValue,NewValue,_hyperlinks"

# A site configuration of our own, read instead of the machine's (RT_SITE_CONFIG_DIR).
# MailCommand mbox: never send mail.
SITE_CONFIG = """\
Set($rtname, 'live.test');
Set($Organization, 'live.test');
Set($WebPath, '');
Set($WebDomain, '127.0.0.1');
Set($WebPort, {port});
Set($WebBaseURL, 'http://127.0.0.1:{port}');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '{database}');
Set($MailCommand, 'mbox');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
Set($Timezone, 'UTC');
Set($BcryptCost, 4);
1;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One line of a ticket's history, as Request Tracker tells it."""

    id: int
    type: str  # Create, Comment, Correspond, Status, CustomField, Set, …
    creator: str
    created: str
    field: str  # a name, or the number of a custom field; "" if none
    old_value: str
    new_value: str
    content: str  # text of a comment or a reply, else empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket as a check wants to see it."""

    id: int
    subject: str
    status: str
    owner: str
    custom_fields: Mapping[str, str]
    history: tuple[Transaction, ...]

    @property
    def comments(self) -> tuple[str, ...]:
        """Texts of its comments, oldest first."""
        return tuple(line.content for line in self.history if line.type == "Comment")


def is_installed() -> bool:
    """Tell whether tests/live/setup.sh has been run on this machine."""
    return (INSTALLED / "libexec/rt-server").exists() and EMPTY_DATABASE.exists()


class RequestTracker:
    """A running Request Tracker: `start()`, then `url`, `gateway_token` and `requester`."""

    def __init__(self, folder: Path, *, port: int | None = None, workers: int = 3) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.workers = workers
        self.gateway_token = ""
        self.requester_token = ""
        self._process: Process | None = None
        self._client: rt.rest2.Rt | None = None

    @property
    def url(self) -> str:
        """Base address of REST 2.0, with no slash at its end."""
        return f"http://127.0.0.1:{self.port}/REST/2.0"

    @property
    def database(self) -> Path:
        """SQLite file of this run."""
        return self.folder / "rtdb"

    @property
    def requester(self) -> rt.rest2.Rt:
        """A client that acts as the person who opens the cases (not as the gateway)."""
        if self._client is None:
            self._client = rt.rest2.Rt(self.url, token=self.requester_token)
        return self._client

    def start(self) -> None:
        """Make and seed the database when there is none yet, start the server and wait for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "site-config.d"
        config.mkdir(exist_ok=True)
        (config / "10-live.pm").write_text(
            SITE_CONFIG.format(port=self.port, database=self.database)
        )
        if not self.database.exists():
            self._make_database()
        # --max-workers makes Starlet fork before it accepts: one slow request blocks no other.
        self._process = Process(
            [
                INSTALLED / "libexec/rt-server",
                *("--server", "Starlet", "--host", "127.0.0.1", "--port", str(self.port)),
                *("--max-workers", str(self.workers)),
            ],
            log=self.folder / "rt-server.log",
            cwd=self.folder,
            env=self._environment(),
        )
        self._process.wait_until(lambda: accepts_connections(self.port), "Request Tracker", 60)

    def stop(self) -> None:
        """Stop the server; the database stays, so that `start()` goes on with it."""
        if self._client is not None:
            self._client.session.close()
            self._client = None
        if self._process is not None:
            self._process.stop()
            self._process = None

    def add_webhook(self, url: str, secret: str) -> None:
        """Post every change that others than the gateway make to `url`, signed with `secret`.

        Signed as Standard Webhooks asks; `secret` is base64, with or without `whsec_` before it.
        The running server obeys at once.
        """
        self._run_script("webhook.pl", HOOK_URL=url, HOOK_SECRET=secret)

    def create_ticket(
        self, subject: str, *, text: str = "", fields: Mapping[str, str] | None = None
    ) -> int:
        """Open a ticket as the requester and return its number."""
        return self.requester.create_ticket(
            QUEUE, subject=subject, content=text or subject, CustomFields=dict(fields or {})
        )

    def read_ticket(self, ticket_id: int) -> Ticket:
        """Read one ticket with its custom fields and its whole history."""
        client = self.requester
        raw = client.get_ticket(ticket_id)
        return Ticket(
            id=int(raw["id"]),
            subject=raw["Subject"],
            status=raw["Status"],
            owner=raw["Owner"]["id"],
            custom_fields={
                field["name"]: field["values"][0] if field["values"] else ""
                for field in raw["CustomFields"]
            },
            history=tuple(_history(client, self.url, ticket_id)),
        )

    def read_tickets(self) -> list[Ticket]:
        """Read every ticket of the queue, by number."""
        found = self.requester.search(queue=QUEUE, order="id")
        return [self.read_ticket(int(item["id"])) for item in found]

    def statuses(self) -> dict[int, str]:
        """Return the status of each ticket of the queue by its number: one cheap request."""
        found = self.requester.search(queue=QUEUE, order="id", query_format=["Status"])
        return {int(item["id"]): item["Status"] for item in found}

    def _make_database(self) -> None:
        # Through SQLite's backup, for the machine's own server may be writing to the file.
        with (
            closing(sqlite3.connect(EMPTY_DATABASE)) as source,
            closing(sqlite3.connect(self.database)) as target,
        ):
            source.backup(target)
            # Kept in the file: far fewer waits for the disk than with SQLite's default.
            target.execute("PRAGMA journal_mode = WAL")
        tokens = json.loads(self._run_script("seed.pl").splitlines()[-1])
        self.gateway_token = tokens["gateway_token"]
        self.requester_token = tokens["requester_token"]

    def _environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "RT_SITE_CONFIG_DIR": str(self.folder / "site-config.d"), **more}

    def _run_script(self, name: str, **environment: str) -> str:
        done = subprocess.run(
            ["perl", SCRIPTS / name],
            env=self._environment(**environment),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{name} failed: {done.stderr[-2000:]}")
        return done.stdout


def _history(client: rt.rest2.Rt, base: str, ticket_id: int) -> Iterator[Transaction]:
    # With the client's own methods each line costs a request more; a history is read in pages.
    query = {"fields": HISTORY_FIELDS, "orderby": "id", "per_page": "100"}
    for page in itertools.count(1):
        answer = client.session.get(
            f"{base}/ticket/{ticket_id}/history", params={**query, "page": str(page)}
        )
        answer.raise_for_status()
        lines = answer.json()["items"]
        if not lines:
            return
        for raw in lines:
            yield Transaction(
                id=int(raw["id"]),
                type=raw["Type"],
                creator=raw["Creator"]["id"],
                created=raw["Created"],
                field=raw["Field"],
                old_value=raw["OldValue"],
                new_value=raw["NewValue"],
                content=_content(client, raw) if raw["Type"] in ("Comment", "Correspond") else "",
            )


def _content(client: rt.rest2.Rt, transaction: Mapping[str, Any]) -> str:
    for link in transaction["_hyperlinks"]:
        if link["ref"] == "attachment":
            attachment = client.get_attachment(link["_url"].rsplit("/", 1)[1])
            if attachment.get("ContentType", "").startswith("text/"):
                return base64.b64decode(attachment["Content"]).decode()
    return ""
