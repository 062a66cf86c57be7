"""Witnesses of the Desk suite for desks that are described by configuration alone.

The descriptions are those of docs/howto/connect-any-rest-desk.md, as they stand there: only
address, credentials and sizes are those of the test.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from dragoman.config.catalogue import keys_of
from dragoman.config.model import DeskTable
from dragoman.config.secrets import Secret
from dragoman.desks.rest import PLUGIN
from dragoman.desks.rest.client import RestDesk
from dragoman.desks.rest.fields import merged
from dragoman.ports.desk import Desk
from dragoman.testing.conformance.desk_witness import (
    HURRY_S,
    PATIENCE_S,
    RETRY_AFTER_S,
    Trouble,
    Words,
)
from dragoman.testing.rest import EmulatedHelpdesk, EmulatedRedmine
from dragoman.testing.rt import Fault
from tests.adapters.desks.witnesses import HTML, LARGE, MAX_BODY, ShiftingClock

HOWTO = Path(__file__).parents[3] / "docs" / "howto" / "connect-any-rest-desk.md"


def samples() -> dict[str, str]:
    """The complete configurations of the page, by the desk's name."""
    blocks = re.findall(r"^```toml\n(.*?)^```", HOWTO.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return {re.findall(r"\[desks\.(\w+)\]", block)[0]: block for block in blocks}


def options(name: str, **changes: Any) -> dict[str, Any]:
    """The adapter's own settings of a sample, with changes put over them, tables within tables."""
    table = tomllib.loads(samples()[name])["desks"][name]
    own = {key: value for key, value in table.items() if key not in keys_of(DeskTable)}
    return merged(own, changes)


def connect(name: str, clock: ShiftingClock, **changes: Any) -> RestDesk:
    """An adapter for a sample."""
    settings = PLUGIN.settings.model_validate(options(name, **changes))
    desk = PLUGIN.connect("desk", settings, clock)
    assert isinstance(desk, RestDesk)
    return desk


FAULTS: Mapping[Trouble, Fault] = {
    Trouble.RATE_LIMIT: Fault(status=429, headers={"Retry-After": str(int(RETRY_AFTER_S))}),
    Trouble.UNAUTHORIZED: Fault(status=401, body=""),
    Trouble.SERVER_ERROR: Fault(status=500),
    Trouble.HTML: Fault(status=200, body=HTML, headers={"Content-Type": "text/html"}),
    Trouble.TRUNCATED: Fault(status=200, body='{"issues":[{"id":4', applied=True),
    Trouble.SILENCE: Fault(delay_s=3 * HURRY_S),
    Trouble.LOST_ANSWER: Fault(applied=True, drops_connection=True),
}


class RedmineWitness:
    """At the emulated Redmine, through the sample `redmine`."""

    troubles = frozenset(Trouble) - {
        Trouble.SILENCE
    }  # takes long; the client's deadline is its own
    words = Words(title="subject", state="status_id", new="1", working="2", own="Gateway")

    def __init__(self, emulated: EmulatedRedmine, clock: ShiftingClock) -> None:
        self.emulated = emulated
        self.changes: dict[str, Any] = {}
        self._clock = clock

    def connect(self, deadline_s: float = PATIENCE_S) -> Desk:
        own = {
            "url": self.emulated.url,
            "auth": {"value": Secret.of(self.emulated.api_key)},
            "paging": {"size": 10},
            "timeout_s": deadline_s,
            "max_body": MAX_BODY,
        }
        return connect("redmine", self._clock, **merged(own, self.changes))

    async def open(self, title: str) -> str:
        return str(self.emulated.open(title))

    async def edit(self, external_id: str, title: str) -> None:
        self.emulated.edit(int(external_id), subject=title)

    async def title(self, external_id: str) -> str:
        return str(self.emulated.issues[int(external_id)]["subject"])

    async def titled(self, title: str) -> int:
        return sum(one["subject"] == title for one in self.emulated.issues.values())

    async def said(self, external_id: str) -> Sequence[str]:
        journals = self.emulated.issues[int(external_id)]["journals"]
        return [one["notes"] for one in journals if one["notes"]]

    async def later(self, seconds: float) -> None:
        self._clock.shift += timedelta(seconds=seconds)

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        # the POST of a creation, the PUT of anything else
        methods = ("PUT", "POST") if on_write else ("GET",)
        for method in methods:
            self.emulated.faults.plan(FAULTS[trouble], times=times, method=method)

    async def spoil(self, external_id: str) -> None:
        self.emulated.edit(int(external_id), notes=LARGE)


class HelpdeskWitness:
    """At the emulated django-helpdesk, through the sample `helpdesk`."""

    troubles = frozenset(Trouble) - {Trouble.SILENCE}
    words = Words(title="title", state="status", new="1", working="2", own="2")

    def __init__(self, emulated: EmulatedHelpdesk, clock: ShiftingClock) -> None:
        self.emulated = emulated
        self._clock = clock

    def connect(self, deadline_s: float = PATIENCE_S) -> Desk:
        return connect(
            "helpdesk",
            self._clock,
            url=self.emulated.url,
            auth={"password": Secret.of(self.emulated.password)},
            paging={"size": 10},
            timeout_s=deadline_s,
            max_body=MAX_BODY,
        )

    async def open(self, title: str) -> str:
        return str(self.emulated.open(title))

    async def edit(self, external_id: str, title: str) -> None:
        """The web page leaves a followup without words."""
        self.emulated.tickets[int(external_id)]["title"] = title
        self.emulated.follow_up(int(external_id), 3, "")

    async def title(self, external_id: str) -> str:
        return str(self.emulated.tickets[int(external_id)]["title"])

    async def titled(self, title: str) -> int:
        return sum(one["title"] == title for one in self.emulated.tickets.values())

    async def said(self, external_id: str) -> Sequence[str]:
        told = self.emulated.tickets[int(external_id)]["followup_set"]
        return [one["comment"] for one in told if one["comment"] and not one["new_status"]]

    async def later(self, seconds: float) -> None:
        self._clock.shift += timedelta(seconds=seconds)

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        # a PATCH sets fields; a POST says something, sets the status, or creates
        lost = trouble is Trouble.LOST_ANSWER
        methods = ("POST",) if lost else ("PATCH", "POST") if on_write else ("GET",)
        for method in methods:
            self.emulated.faults.plan(FAULTS[trouble], times=times, method=method)

    async def spoil(self, external_id: str) -> None:
        raise AssertionError("declared: a ticket that is too large has no id for us")
