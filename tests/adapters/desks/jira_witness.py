"""The witness of the Desk suite for the emulated Jira."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dragoman.config.secrets import Secret
from dragoman.desks.jira import PLUGIN
from dragoman.ports.desk import Desk
from dragoman.testing.conformance.desk_witness import (
    HURRY_S,
    PATIENCE_S,
    RETRY_AFTER_S,
    Trouble,
    Words,
)
from dragoman.testing.jira import READ, WRITE, EmulatedJira, Fault, Issue
from tests.adapters.desks.witnesses import HTML, LARGE, MAX_BODY, ShiftingClock


class JiraWitness:
    """At the emulated Jira. Whatever its search's lag, it knows at once what people do here."""

    troubles = frozenset(Trouble)

    def __init__(self, emulated: EmulatedJira, clock: ShiftingClock) -> None:
        self.emulated = emulated
        self.options: dict[str, Any] = {}
        self._clock = clock
        self.words = Words(
            title="summary",
            state="status",
            new="Open",
            working="In Progress",
            own=emulated.gateway.account_id,
        )

    def connect(self, deadline_s: float = PATIENCE_S) -> Desk:
        settings = PLUGIN.settings.model_validate(
            {
                "url": self.emulated.url,
                "project": "FAC",
                "auth": {
                    "type": "basic",
                    "username": self.emulated.gateway.email,
                    "password": Secret.of(self.emulated.tokens["gateway"]),
                },
                "page_size": 10,
                "fetch_size": 5,
                "timeout_s": deadline_s,
                "max_body": MAX_BODY,
                **self.options,
            }
        )
        return PLUGIN.connect("desk", settings, self._clock)

    async def open(self, title: str) -> str:
        issue = self.emulated.open(title)
        self.emulated.store.settle(issue)
        return str(issue.id)

    async def edit(self, external_id: str, title: str) -> None:
        issue = self.issue(external_id)
        self.emulated.edit(issue, summary=title)
        self.emulated.store.settle(issue)

    async def title(self, external_id: str) -> str:
        return str(self.issue(external_id).values["summary"])

    async def titled(self, title: str) -> int:
        issues = self.emulated.store.issues.values()
        return sum(issue.values["summary"] == title for issue in issues)

    async def said(self, external_id: str) -> Sequence[str]:
        return [text for text, _ in self.emulated.said(self.issue(external_id))]

    async def later(self, seconds: float) -> None:
        self._clock.shift += timedelta(seconds=seconds)

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        refused: Mapping[str, str] = {
            "Retry-After": str(int(RETRY_AFTER_S)),
            "RateLimit-Reason": "jira-burst-based",
        }
        faults = {
            Trouble.RATE_LIMIT: Fault(status=429, headers=refused),
            Trouble.UNAUTHORIZED: Fault(status=401, body="Unauthorized; scope does not match"),
            Trouble.SERVER_ERROR: Fault(status=500, body='{"errorMessages":["Internal error"]}'),
            Trouble.HTML: Fault(status=200, body=HTML, headers={"Content-Type": "text/html"}),
            Trouble.TRUNCATED: Fault(status=200, body='{"issues":[{"id":"1', applied=True),
            Trouble.SILENCE: Fault(delay_s=3 * HURRY_S),
            Trouble.LOST_ANSWER: Fault(applied=True, drops_connection=True),
        }
        method = WRITE if on_write else READ
        self.emulated.faults.plan(faults[trouble], times=times, method=method)

    async def spoil(self, external_id: str) -> None:
        self.issue(external_id).spoilt["description"] = LARGE

    def issue(self, external_id: str) -> Issue:
        return self.emulated.store.issues[int(external_id)]
