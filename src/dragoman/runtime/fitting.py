"""Whether the mappings fit the desks: asked once beside a start, journalled when it has changed.

A task of the running gateway (gateway.py); bootstrap.py says how a desk is asked. It stops nothing
and keeps nothing waiting: a desk that gives no answer in time stays unknown. `/api/v1/status` and
the metrics show what was found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from dragoman.domain.change import Change, Entry
from dragoman.domain.errors import DragomanError
from dragoman.flow.kit import Kit
from dragoman.ports.journal import Find

log = structlog.get_logger(__name__)

FIRST_S = 10.0
"""From the start to the first question: a gateway that has just started has other work."""
DEADLINE_S = 60.0
"""Of one desk."""
ACTION = "desk.mapping_drift"

Ask = Callable[[], Awaitable[Sequence[str]]]
"""What doesn't fit of one desk's mapping, a sentence each. Raises as the desk does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What is known of one desk. drift: None until it is known. error: why it isn't."""

    at: datetime | None = None
    drift: tuple[str, ...] | None = None
    error: str = ""


class Fitting:
    """Asks each desk once. desks: those that can list their fields. sleep: waits seconds."""

    def __init__(
        self,
        kit: Kit,
        desks: Mapping[str, Ask],
        *,
        deadline_s: float = DEADLINE_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.known = {name: Fit() for name in desks}
        self._kit = kit
        self._desks = desks
        self._deadline_s = deadline_s
        self._sleep = sleep

    async def run(self) -> None:
        """Ask all of them, one after the other."""
        await self._sleep(FIRST_S)
        for name, ask in self._desks.items():
            self.known[name] = await self._asked(name, ask)

    async def _asked(self, name: str, ask: Ask) -> Fit:
        try:
            async with asyncio.timeout(self._deadline_s):
                drift = tuple(await ask())
            await self._told(name, drift)
        except TimeoutError:
            error = f"no answer within {self._deadline_s:g} s"
        except DragomanError as failure:
            error = str(failure)
        except Exception as failure:
            log.exception(
                "A desk's fields can't be listed, in a way that its adapter does not know.",
                action="desk.defect",
                desk=name,
            )
            error = f"unexpected {type(failure).__name__}: {failure}"
        else:
            return Fit(at=self._kit.clock.now(), drift=drift)
        log.info("A mapping was not checked.", action="desk.unchecked", desk=name, reason=error)
        return Fit(at=self._kit.clock.now(), error=error)

    async def _told(self, name: str, drift: tuple[str, ...]) -> None:
        """Journal it, unless that is what was journalled last. Raises JournalUnavailable."""
        where = {"action": ACTION, "desk": name}
        found = await self._kit.journal.find(Entry, Find(where=where, newest_first=True, limit=1))
        last = found.rows[0].data.get("drift", []) if found.rows else []
        if list(drift) == last:
            return
        text = f"The mapping of {name} fits the desk again."
        if drift:
            text = f"The mapping of {name} doesn't fit the desk in {len(drift)} places: {drift[0]}"
            log.warning(text, action=ACTION, desk=name, drift=drift)
        entry = Entry(
            action=ACTION,
            at=self._kit.clock.now(),
            text=text[:500],
            desk=name,
            data={"drift": list(drift)},
        )
        await self._kit.journal.commit(Change(entries=(entry,)))
