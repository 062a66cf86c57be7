"""Shifts, and the figures of one: how many cases were compared, how many disagreed, how sure.

Made from the journal's own entries, so any shift can be reported again. Called by
flow/reconcile/reports.py.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from statistics import median

from dragoman.domain.change import Entry
from dragoman.domain.reconcile.bound import upper_bound
from dragoman.domain.reconcile.mismatch import Kind

COMPARED, UNREACHABLE = "reconcile.compared", "reconcile.unreachable"
MISMATCH, SETTLED = "reconcile.mismatch", "reconcile.settled"
SWEPT = "reconcile.swept"

LIMIT = 0.01
"""More than one error in a hundred cases is too many."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """From start to end, aware, in UTC."""

    start: datetime
    end: datetime


def shift_at(now: datetime, times: Sequence[time], zone: tzinfo) -> Shift:
    """The shift that `now` falls into. times: when shifts start, by the wall clock of `zone`."""
    today = now.astimezone(zone).date()
    starts = sorted(
        {_wall(today + timedelta(days=days), at, zone) for days in (-1, 0, 1, 2) for at in times}
    )
    after = next(start for start in starts if start > now)
    before = max(start for start in starts if start <= now)
    return Shift(start=before, end=after)


def _wall(day: date, at: time, zone: tzinfo) -> datetime:
    """A wall clock's time; one that a change of the clocks skips or repeats: as zoneinfo has it."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds. count: how many were measured; the others are None without any."""

    count: int = 0
    median_s: float | None = None
    longest_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """One shift's figures.

    active: distinct cases that were open at some time of the shift, and records that should have
    been. compared: those of them whose both sides were read and compared. errors: those of them
    with a mismatch that counted, unreachable ones aside; by_kind counts their mismatches.
    unreachable: those of which one side couldn't be read and that were not compared either. open:
    mismatches of the shift that are not settled. swept: whether a full sweep ended in it. detect:
    from the change at its side to the count; heal: from the count to agreement.
    """

    shift: Shift
    site: str = ""
    active: int = 0
    compared: int = 0
    errors: int = 0
    unreachable: int = 0
    open: int = 0
    swept: bool = False
    by_kind: dict[str, int] = field(default_factory=dict)
    detect: Times = Times()
    heal: Times = Times()

    @property
    def coverage(self) -> float:
        """Which part of the active cases was compared; 1.0 if there was none."""
        return min(1.0, self.compared / self.active) if self.active else 1.0

    @property
    def rate(self) -> float:
        """Errors per compared case."""
        return self.errors / self.compared if self.compared else 0.0

    @property
    def rate_at_most(self) -> float:
        """The upper bound of the true rate, with the confidence of 95 %."""
        return upper_bound(min(self.errors, self.compared), self.compared, CONFIDENCE)

    @property
    def too_many(self) -> bool:
        """More than one error in a hundred compared cases."""
        return self.rate > LIMIT


def report(
    shift: Shift, entries: Iterable[Entry], active: Collection[str], site: str
) -> SyncReport:
    """The figures of a shift. entries: those of reconcile, from its start on, in order.

    active: the keys of the cases that were open at some time of the shift.
    """
    compared: set[str] = set()
    wrong: set[str] = set()
    unknown: set[str] = set()
    unsettled: set[object] = set()
    kinds: Counter[str] = Counter()
    detected: list[float] = []
    healed: list[float] = []
    swept = False
    for entry in entries:
        inside = shift.start <= entry.at < shift.end
        data = entry.data
        if entry.action == COMPARED and inside:
            compared |= keys_of(entry)
        elif entry.action == UNREACHABLE and inside:
            unknown |= keys_of(entry)
        elif entry.action == MISMATCH and inside:
            kinds[str(data.get("kind", ""))] += 1
            wrong.add(str(data.get("key", "")))
            unsettled.add(data.get("delivery"))
            detected += _seconds(data.get("detect_s"))
        elif entry.action == SETTLED:
            if inside:
                healed += _seconds(data.get("heal_s"))
            unsettled.discard(data.get("delivery"))
        elif entry.action == SWEPT and inside:
            swept = True
    compared |= wrong
    if unknown:
        kinds[Kind.UNREACHABLE.value] = len(unknown)
    return SyncReport(
        shift=shift,
        site=site,
        active=len({*active, *compared}),
        compared=len(compared),
        errors=len(wrong),
        unreachable=len(unknown - compared),
        open=len(unsettled),
        swept=swept,
        by_kind=dict(sorted(kinds.items())),
        detect=_times(detected),
        heal=_times(healed),
    )


def keys_of(entry: Entry) -> set[str]:
    """The keys that an entry of a whole look names."""
    keys = entry.data.get("keys")
    return {str(key) for key in keys} if isinstance(keys, list | tuple) else set()


def _seconds(value: object) -> list[float]:
    return [float(value)] if isinstance(value, int | float) else []


def _times(seconds: Sequence[float]) -> Times:
    if not seconds:
        return Times()
    return Times(
        count=len(seconds),
        median_s=round(median(seconds), 3),
        longest_s=round(max(seconds), 3),
    )
