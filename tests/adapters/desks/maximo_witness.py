"""Witness of the Desk suite for the emulated Maximo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dragoman.config.secrets import Secret
from dragoman.desks.maximo import PLUGIN
from dragoman.ports.desk import Desk
from dragoman.testing.conformance.desk_witness import (
    HURRY_S,
    PATIENCE_S,
    RETRY_AFTER_S,
    Trouble,
    Words,
)
from dragoman.testing.maximo import EmulatedMaximo, FaultKind, Row
from tests.adapters.desks.witnesses import LARGE, MAX_BODY, ShiftingClock

STATES = {"mxapiwo": ("WAPPR", "INPRG"), "mxapisr": ("NEW", "INPROG")}


class MaximoWitness:
    """At the emulated Maximo; structure: mxapiwo or mxapisr."""

    troubles = frozenset(Trouble)

    def __init__(
        self, emulated: EmulatedMaximo, clock: ShiftingClock, structure: str = "mxapiwo"
    ) -> None:
        self.emulated = emulated
        self.structure = structure
        self.options: dict[str, Any] = {}
        self._clock = clock
        self._desks: list[Desk] = []
        new, working = STATES[structure]
        self.words = Words(
            title="description", state="status", new=new, working=working, own="DRAGOMAN"
        )

    def connect(self, deadline_s: float = PATIENCE_S) -> Desk:
        settings = PLUGIN.settings.model_validate(
            {
                "url": self.emulated.url,
                "auth": {"type": "apikey", "key": Secret.of(self.emulated.api_key)},
                "object_structure": self.structure,
                "siteid": "BEDFORD",
                "page_size": 10,
                "fetch_size": 5,
                "timeout_s": deadline_s,
                "max_body": MAX_BODY,
                **self.options,
            }
        )
        self._desks.append(PLUGIN.connect("desk", settings, self._clock))
        return self._desks[-1]

    async def leave(self) -> None:
        """Close all adapters that were made here."""
        for desk in self._desks:
            await desk.close()

    def row(self, external_id: str) -> Row:
        known = self.emulated.store.structures[self.structure]
        return self.emulated.store.row(known.object, int(external_id))

    async def open(self, title: str) -> str:
        return str(self.emulated.open(self.structure, description=title).uid)

    async def edit(self, external_id: str, title: str) -> None:
        self.emulated.edit(self.row(external_id), description=title)

    async def title(self, external_id: str) -> str:
        return str(self.row(external_id).values["description"])

    async def titled(self, title: str) -> int:
        rows = self.emulated.rows(self.structure)
        return sum(row.values.get("description") == title for row in rows)

    async def said(self, external_id: str) -> Sequence[str]:
        return self.row(external_id).texts

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
        method = "POST" if on_write else "GET"
        self.emulated.faults.add(calls=times, method=method, **kinds[trouble])

    async def spoil(self, external_id: str) -> None:
        self.row(external_id).values["description_longdescription"] = LARGE
