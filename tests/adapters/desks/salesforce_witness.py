"""The witness of the Desk suite for the emulated Salesforce org."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dragoman.config.secrets import Secret
from dragoman.desks.salesforce import PLUGIN
from dragoman.ports.desk import Desk
from dragoman.testing.conformance.desk_witness import (
    HURRY_S,
    PATIENCE_S,
    RETRY_AFTER_S,
    Trouble,
    Words,
)
from dragoman.testing.salesforce import EmulatedSalesforce, FaultKind
from tests.adapters.desks.witnesses import LARGE, MAX_BODY, ShiftingClock


class SalesforceWitness:
    """Somebody at the emulated org. options: settings that differ from the suite's."""

    troubles = frozenset(Trouble)

    def __init__(self, emulated: EmulatedSalesforce, clock: ShiftingClock) -> None:
        self.emulated = emulated
        self.options: dict[str, Any] = {}
        self._clock = clock
        self.words = Words(
            title="Subject", state="Status", new="New", working="Working", own=emulated.gateway
        )

    def connect(self, deadline_s: float = PATIENCE_S) -> Desk:
        told = self.emulated.credentials
        settings = PLUGIN.settings.model_validate(
            {
                "url": self.emulated.url,
                "auth": {
                    "type": "oauth2",
                    "client_id": told.client_id,
                    "client_secret": Secret.of(told.client_secret),
                },
                "page_size": 10,
                "timeout_s": deadline_s,
                "max_body": MAX_BODY,
                **self.options,
            }
        )
        return PLUGIN.connect("desk", settings, self._clock)

    async def open(self, title: str) -> str:
        return self.emulated.open_case(Subject=title)

    async def edit(self, external_id: str, title: str) -> None:
        self.emulated.edit(external_id, Subject=title)

    async def title(self, external_id: str) -> str:
        return str(self.emulated.case(external_id)["Subject"])

    async def titled(self, title: str) -> int:
        return sum(case["Subject"] == title for case in self.emulated.cases())

    async def said(self, external_id: str) -> Sequence[str]:
        return [str(one["CommentBody"]) for one in self.emulated.comments(external_id)]

    async def later(self, seconds: float) -> None:
        self._clock.shift += timedelta(seconds=seconds)

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        kinds: Mapping[Trouble, Mapping[str, Any]] = {
            Trouble.RATE_LIMIT: {"kind": FaultKind.RATE_LIMIT, "retry_after": int(RETRY_AFTER_S)},
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
        self.emulated.tamper(external_id, Subject=LARGE)
