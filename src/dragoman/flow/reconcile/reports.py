"""The figures of a shift, from the journal. Called by the web, and at the end of each shift."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from dragoman.domain.case import Case
from dragoman.domain.change import Change, Entry
from dragoman.domain.reconcile.desk import key_of
from dragoman.domain.reconcile.report import (
    COMPARED,
    MISMATCH,
    SETTLED,
    SWEPT,
    UNREACHABLE,
    Shift,
    SyncReport,
    keys_of,
    report,
    shift_at,
)
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile.history import every, parts

ACTIONS = (COMPARED, UNREACHABLE, MISMATCH, SETTLED, SWEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """times, zone: when shifts start, by the wall clock there."""

    kit: Kit
    site_name: str
    times: Sequence[time]
    zone: tzinfo

    def shift(self, at: datetime) -> Shift:
        """The shift of a moment."""
        return shift_at(at, self.times, self.zone)

    def last(self, count: int) -> list[Shift]:
        """The running shift and those before it, newest first."""
        shifts = [self.shift(self.kit.clock.now())]
        while len(shifts) < count:
            shifts.append(self.shift(shifts[-1].start - timedelta(microseconds=1)))
        return shifts

    async def of(self, shift: Shift) -> SyncReport:
        """The figures of a shift, the running one included."""
        entries = await every(self.kit, Entry, {"action": ACTIONS}, since=shift.start)
        return report(shift, entries, await self._active(shift), self.site_name)

    async def told(self, shift: Shift) -> dict[str, set[str]]:
        """What this shift's entries name already, by action; to go on after a restart."""
        told: dict[str, set[str]] = {}
        where = {"action": (COMPARED, UNREACHABLE)}
        for entry in await every(self.kit, Entry, where, since=shift.start):
            told.setdefault(entry.action, set()).update(keys_of(entry))
        return told

    def ended(self, found: SyncReport) -> Change:
        """The entry that closes a shift."""
        shift = found.shift
        text = (
            f"Shift {shift.start:%Y-%m-%d %H:%M} to {shift.end:%H:%M} UTC: {found.errors} errors "
            f"in {found.compared} of {found.active} active cases; with 95 % confidence the rate "
            f"is at most {found.rate_at_most:.2%}."
        )
        data: dict[str, object] = {
            "start": shift.start.isoformat(),
            "end": shift.end.isoformat(),
            "active": found.active,
            "compared": found.compared,
            "errors": found.errors,
            "unreachable": found.unreachable,
            "open": found.open,
            "swept": found.swept,
            "rate_at_most": round(found.rate_at_most, 6),
        }
        now = self.kit.clock.now()
        return Change(entries=(Entry(action="reconcile.shift", at=now, text=text, data=data),))

    async def _active(self, shift: Shift) -> set[str]:
        """The keys of all cases that were open at some time of the shift."""
        cases = [case for case in self.kit.site.cases.values() if case.received_at < shift.end]
        closings = await every(self.kit, Entry, {"action": "case.closed"}, since=shift.start)
        for part in parts([entry.case_id for entry in closings]):
            found = await every(self.kit, Case, {"id": part})
            cases += [case for case in found if case.received_at < shift.end]
        return {key_of(case.desk, case.external_id) for case in cases}
