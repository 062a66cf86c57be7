"""Witnesses of the Desk suite for the emulated desks and the one in memory."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dragoman.config.secrets import Secret
from dragoman.desks.rt import PLUGIN as RT
from dragoman.desks.servicenow import PLUGIN as SERVICENOW
from dragoman.domain.errors import NeedsHuman, RetryLater
from dragoman.ports.desk import Desk
from dragoman.testing.conformance.desk_witness import (
    HURRY_S,
    PATIENCE_S,
    RETRY_AFTER_S,
    Trouble,
    Words,
)
from dragoman.testing.fakes.desk import Failure, MemoryDesk
from dragoman.testing.rt import EmulatedRequestTracker, NewTicket
from dragoman.testing.rt import Fault as RtFault
from dragoman.testing.servicenow import FaultKind, ServiceNowDesk

LARGE = "x" * 300_000
MAX_BODY = 250_000
HTML = "<!DOCTYPE html><html><body>Down for maintenance</body></html>"


class ShiftingClock:
    """The true time plus what a test adds; implements the Clock port."""

    def __init__(self) -> None:
        self.shift = timedelta()
        self._ids = itertools.count(1)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def monotonic(self) -> float:
        return time.monotonic() + self.shift.total_seconds()

    def new_id(self) -> str:
        return f"{next(self._ids):026}"

    def trace_id(self) -> str:
        return f"{next(self._ids):032x}"

    def random(self) -> float:
        return random.random()


class ServiceNowWitness:
    """At the emulated ServiceNow; table: incident or sn_customerservice_case."""

    troubles = frozenset(Trouble)

    def __init__(self, emulated: ServiceNowDesk, clock: ShiftingClock, table: str) -> None:
        self.emulated = emulated
        self.table = table
        self.options: dict[str, Any] = {}
        self._clock = clock
        states = {"incident": ("1", "2"), "sn_customerservice_case": ("1", "10")}
        new, working = states[table]
        self.words = Words(
            title="short_description", state="state", new=new, working=working, own="dragoman"
        )

    def connect(self, deadline_s: float = PATIENCE_S) -> Desk:
        settings = SERVICENOW.settings.model_validate(
            {
                "url": self.emulated.url,
                "table": self.table,
                "auth": {
                    "type": "basic",
                    "username": "dragoman",
                    "password": Secret.of(self.emulated.credentials.password),
                },
                "page_size": 10,
                "fetch_size": 5,
                "timeout_s": deadline_s,
                "max_body": MAX_BODY,
                **self.options,
            }
        )
        return SERVICENOW.connect("desk", settings, self._clock)

    async def open(self, title: str) -> str:
        return self.emulated.open_case(self.table, short_description=title)["sys_id"]

    async def edit(self, external_id: str, title: str) -> None:
        self.emulated.edit(self._row(external_id)["number"], short_description=title)

    async def title(self, external_id: str) -> str:
        return str(self._row(external_id)["short_description"])

    async def titled(self, title: str) -> int:
        rows = self.emulated.records(self.table)
        return sum(row["short_description"] == title for row in rows)

    async def said(self, external_id: str) -> Sequence[str]:
        entries = self.emulated.journal(self._row(external_id)["number"])
        return [entry["value"] for entry in entries]

    async def later(self, seconds: float) -> None:
        self._clock.shift += timedelta(seconds=seconds)

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        kinds: Mapping[Trouble, Mapping[str, Any]] = {
            Trouble.RATE_LIMIT: {"kind": FaultKind.RATE_LIMIT, "seconds": RETRY_AFTER_S},
            Trouble.UNAUTHORIZED: {"kind": FaultKind.UNAUTHORIZED},
            Trouble.SERVER_ERROR: {"kind": FaultKind.SERVER_ERROR},
            Trouble.HTML: {"kind": FaultKind.HTML},
            Trouble.TRUNCATED: {"kind": FaultKind.TRUNCATED, "after_commit": True},
            Trouble.SILENCE: {"kind": FaultKind.HANG, "seconds": 3 * HURRY_S, "after_commit": True},
            Trouble.LOST_ANSWER: {"kind": FaultKind.RESET, "after_commit": True},
        }
        methods = ("POST", "PATCH") if on_write else ("GET",)
        self.emulated.faults.add(calls=times, methods=methods, **kinds[trouble])

    async def spoil(self, external_id: str) -> None:
        self._row(external_id)["description"] = LARGE

    def _row(self, external_id: str) -> dict[str, str]:
        row = self.emulated.instance.table(self.table).get(external_id)
        assert row is not None
        return row


class RtWitness:
    """At the emulated Request Tracker."""

    troubles = frozenset(Trouble)
    words = Words(title="Subject", state="Status", new="new", working="open", own="svc-gateway")

    def __init__(self, emulated: EmulatedRequestTracker, clock: ShiftingClock) -> None:
        self.emulated = emulated
        self._clock = clock
        self._pat = emulated.store.user("pat-requester")

    def connect(self, deadline_s: float = PATIENCE_S) -> Desk:
        settings = RT.settings.model_validate(
            {
                "url": self.emulated.url,
                "queue": "Robots",
                "auth": {"type": "token", "token": Secret.of(self.emulated.gateway_token)},
                "page_size": 10,
                "timeout_s": deadline_s,
                "max_body": MAX_BODY,
            }
        )
        return RT.connect("desk", settings, self._clock)

    async def open(self, title: str) -> str:
        return str(self.emulated.store.create(self._pat, NewTicket(subject=title)).id)

    async def edit(self, external_id: str, title: str) -> None:
        store = self.emulated.store
        store.set_subject(store.tickets[int(external_id)], self._pat, title)

    async def title(self, external_id: str) -> str:
        return self.emulated.store.tickets[int(external_id)].subject

    async def titled(self, title: str) -> int:
        return sum(one.subject == title for one in self.emulated.store.tickets.values())

    async def said(self, external_id: str) -> Sequence[str]:
        lines = self.emulated.store.tickets[int(external_id)].history
        return [
            line.attachment.content
            for line in lines
            if line.attachment and line.type in ("Comment", "Correspond")
        ]

    async def later(self, seconds: float) -> None:
        self._clock.shift += timedelta(seconds=seconds)

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        faults = {
            Trouble.RATE_LIMIT: RtFault(
                status=429, headers={"Retry-After": str(int(RETRY_AFTER_S))}
            ),
            Trouble.UNAUTHORIZED: RtFault(status=401, body='{"message":"Unauthorized"}'),
            Trouble.SERVER_ERROR: RtFault(status=500),
            Trouble.HTML: RtFault(status=200, body=HTML, headers={"Content-Type": "text/html"}),
            Trouble.TRUNCATED: RtFault(status=200, body='{"items":[{"id":"4', applied=True),
            Trouble.SILENCE: RtFault(delay_s=3 * HURRY_S),
            Trouble.LOST_ANSWER: RtFault(applied=True, drops_connection=True),
        }
        # a write is PUT (fields), then POST (what is said): the last of them loses its answer
        method = "POST" if trouble is Trouble.LOST_ANSWER else "PUT"
        self.emulated.faults.plan(
            faults[trouble], times=times, method=method if on_write else "GET"
        )

    async def spoil(self, external_id: str) -> None:
        self.emulated.store.tickets[int(external_id)].subject = LARGE


class MemoryWitness:
    """At the desk in memory, which fails by raising what an adapter would."""

    troubles = frozenset(
        {Trouble.RATE_LIMIT, Trouble.SERVER_ERROR, Trouble.LOST_ANSWER, Trouble.UNAUTHORIZED}
    )
    words = Words(title="title", state="state", new="new", working="working", own="gateway")

    def __init__(self) -> None:
        self._clock = ShiftingClock()
        self.desk = MemoryDesk(clock=self._clock.now)

    def connect(self, deadline_s: float = PATIENCE_S) -> Desk:
        return self.desk

    async def open(self, title: str) -> str:
        return self.desk.open(title)

    async def edit(self, external_id: str, title: str) -> None:
        self.desk.edit(external_id, title=title)

    async def title(self, external_id: str) -> str:
        return self.desk.records[external_id]["title"]

    async def titled(self, title: str) -> int:
        return sum(raw["title"] == title for raw in self.desk.records.values())

    async def said(self, external_id: str) -> Sequence[str]:
        return [text for number, _, text in self.desk.said if number == external_id]

    async def later(self, seconds: float) -> None:
        self._clock.shift += timedelta(seconds=seconds)

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        errors = {
            Trouble.RATE_LIMIT: RetryLater("wants fewer calls", delay_s=RETRY_AFTER_S),
            Trouble.SERVER_ERROR: RetryLater("failed"),
            Trouble.LOST_ANSWER: RetryLater("gave no answer"),
            Trouble.UNAUTHORIZED: NeedsHuman("doesn't accept our credentials"),
        }
        failure = Failure(
            error=errors[trouble], after_commit=trouble is Trouble.LOST_ANSWER and on_write
        )
        self.desk.failures += [failure] * times

    async def spoil(self, external_id: str) -> None:
        self.desk.unreadable.add(external_id)
