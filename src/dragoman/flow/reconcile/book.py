"""What is suspected, what counts, what is open. Used by desks.py and robots.py, one for a site.

A mismatch is suspected at the first look. It counts at a later look, when the grace is over and
the gateway's own side has not moved meanwhile. From then on a row of the journal keeps it: queued
while a rule mends it, dead while it waits for a person; a replay looks again, a drop settles it.
Suspicions live in memory only: after a restart they begin anew.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.delivery import Delivery, DeliveryState, delivered
from dragoman.domain.reconcile.mismatch import Kind, Mend, Mismatch, Rules, Side, row_prefix
from dragoman.domain.reconcile.report import COMPARED, MISMATCH, SETTLED
from dragoman.domain.reconcile.robot import Fleet
from dragoman.domain.site import Lane
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile.history import every
from dragoman.flow.reconcile.mending import mend

KEYS_OF_ENTRY = 1000
"""How many keys one entry names at most."""


@dataclass(slots=True, kw_only=True)
class Suspicion:
    """A mismatch that has been seen. first: when its grace began. last: the newest look.

    quiet: no look of its own is due, as it was told or a person has settled it; others may see it.
    """

    found: Mismatch
    first: datetime
    last: datetime
    quiet: bool = False


@dataclass(slots=True, kw_only=True)
class Counts:
    """For metrics; since the start, never reset. mismatches: by (side, kind)."""

    compared: Counter[str] = field(default_factory=Counter)
    mismatches: Counter[tuple[str, str]] = field(default_factory=Counter)
    settled: int = 0


@dataclass(slots=True, kw_only=True)
class Book:
    """kit and rules as everywhere; fleet: both sides of the robots at this moment.

    told: what entries of this shift name already, by action; see `begin`.
    """

    kit: Kit
    rules: Rules
    fleet: Callable[[], Fleet]
    suspicions: dict[Lane, Suspicion] = field(default_factory=dict)
    told: dict[str, set[str]] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)

    def begin(self, told: dict[str, set[str]]) -> None:
        """A shift begins, or goes on after a restart, with what its entries name already."""
        self.told = told

    def row(self, lane: Lane) -> Delivery | None:
        """The row of a mismatch that counts."""
        return next(iter(self.kit.site.lanes.get(lane, {}).values()), None)

    def rows(self, side: Side, name: str = "") -> list[Delivery]:
        """The open rows of a side; name: of the desk or fleet, "" for all."""
        start = row_prefix(side) + name
        lanes = self.kit.site.lanes.items()
        fits = (
            lane
            for (target, _), lane in lanes
            if (target == start if name else target.startswith(start))
        )
        return [row for lane in fits for row in lane.values()]

    def agree(self, lane: Lane) -> Change:
        """One look shows no mismatch: settle what was open."""
        self.suspicions.pop(lane, None)
        row = self.row(lane)
        if row is None:
            return Change()
        now = self.kit.clock.now()
        heal_s = round((now - row.created_at).total_seconds(), 3)
        self.counts.settled += 1
        note = self._entry(
            SETTLED,
            f"Both sides agree again on {row.lane}.",
            row,
            {"delivery": row.id, "key": row.lane, "heal_s": heal_s},
        )
        return Change(deliveries=(delivered(row, now),), entries=(note,))

    def suspect(self, found: Mismatch) -> bool:
        """One look shows a mismatch; whether it counts by now, or is open and has to be mended."""
        now = self.kit.clock.now()
        known = self.suspicions.get(found.row)
        if known is None or (known.found.kind, known.found.ours) != (found.kind, found.ours):
            self.suspicions[found.row] = Suspicion(found=found, first=now, last=now)
            return False
        known.found, known.last = found, now
        row = self.row(found.row)
        if row is not None and found.kind is not Kind.UNREACHABLE:
            waits = row.next_at is not None and row.next_at > now
            return row.state is DeliveryState.QUEUED and not waits
        counts = now - known.first >= self.rules.grace
        known.quiet = known.quiet or (counts and found.kind is Kind.UNREACHABLE)
        return counts

    def due(self, side: Side, name: str) -> list[str]:
        """The keys that need a look of their own now: suspicions and rows past their wait."""
        now, start = self.kit.clock.now(), f"{row_prefix(side)}{name}"
        times = [*self._suspicions_due(start), *self._rows_due(self.rows(side, name))]
        return list(dict.fromkeys(key for key, at in times if at <= now))

    def next_due(self, side: Side, name: str) -> datetime | None:
        """When the next such look is due, None if nothing is suspected or being mended."""
        start = f"{row_prefix(side)}{name}"
        times = [*self._suspicions_due(start), *self._rows_due(self.rows(side, name))]
        return min((at for _, at in times), default=None)

    def _suspicions_due(self, target: str) -> Iterator[tuple[str, datetime]]:
        for lane, known in self.suspicions.items():
            if lane[0] == target and not known.quiet and self.row(lane) is None:
                yield lane[1], known.last + self.rules.grace

    def _rows_due(self, rows: Iterable[Delivery]) -> Iterator[tuple[str, datetime]]:
        for row in rows:
            if row.state is DeliveryState.QUEUED:
                known = self.suspicions.get((row.target, row.lane))
                soonest = row.next_at or row.created_at
                looked = known is not None and row.attempts > 0 and known.last >= soonest
                yield row.lane, known.last + self.rules.grace if known and looked else soonest

    async def take(self, counting: Sequence[Mismatch]) -> int:
        """Count the mismatches of one whole look, or go on mending them; how many are new."""
        counting = [found for found in counting if found.kind is not Kind.UNREACHABLE]
        off = sum(found.mend is Mend.CALL_OFF for found in counting)
        new = 0
        for found in counting:
            asked = found
            if found.mend is Mend.CALL_OFF and off > self.rules.most_called_off:
                text = f"{found.text} {off} at once: a person has to look why."
                asked = replace(found, mend=Mend.PERSON, text=text)
            if self.row(found.row) is None:
                counted = await self._count(asked)
                new += counted
                known = self.suspicions.get(found.row)
                if known is not None:
                    known.quiet = not counted
            else:
                await self._again(asked)
        return new

    async def tell(self, action: str, desk: str, keys: Collection[str], text: str) -> None:
        """Put the keys on record that this shift's entries don't name yet. desk: "" for robots."""
        if not keys:
            return
        known = self.told.setdefault(action, set())
        fresh = sorted(set(keys) - known)
        known.update(fresh)
        if action == COMPARED:
            self.counts.compared[desk] += len(fresh)
        for start in range(0, len(fresh), KEYS_OF_ENTRY):
            part = fresh[start : start + KEYS_OF_ENTRY]
            note = Entry(
                action=action,
                at=self.kit.clock.now(),
                text=text.replace("{count}", str(len(part)))[:2000],
                desk=desk,
                data={"keys": part},
            )
            await self.kit.journal.commit(Change(entries=(note,)))

    async def _count(self, found: Mismatch) -> bool:
        """The mismatch counts: note it, keep it, mend it. False if a person settled it before."""
        target, lane = found.row
        rows = await every(self.kit, Delivery, {"target": target, "lane": lane})
        last = rows[-1] if rows else None
        if (
            last is not None
            and last.state is DeliveryState.FAILED
            and last.payload.get("digest") == found.digest
        ):
            return False
        mended = await mend(self.kit, found, self.rules, self.fleet())
        now = self.kit.clock.now()
        waits = bool(mended) or found.mend is Mend.OUTBOX
        row = Delivery(
            id=self.kit.clock.new_id(),
            target=target,
            lane=lane,
            verb=found.kind.value,
            payload=found.payload(),
            created_at=now,
            case_id=found.case_id,
            order_id=found.order_id,
            trace_id=found.trace_id,
            state=DeliveryState.QUEUED if waits else DeliveryState.DEAD,
            attempts=1,
            next_at=now + self.rules.grace if waits else None,
            reason=found.text,
        )
        self.counts.mismatches[(found.side.value, found.kind.value)] += 1
        detect_s = round(max(0.0, (now - (found.since or now)).total_seconds()), 3)
        data = {**found.payload(), "delivery": row.id, "detect_s": detect_s}
        note = self._entry(MISMATCH, found.text, row, data)
        await self.kit.journal.commit(merged(Change(entries=(note,), deliveries=(row,)), mended))
        return True

    async def _again(self, found: Mismatch) -> None:
        """It is open and still there: mend it once more, or leave it to a person."""
        mended = await mend(self.kit, found, self.rules, self.fleet())
        row, now = self.row(found.row), self.kit.clock.now()
        if row is None or row.state is not DeliveryState.QUEUED:
            return
        late = now - row.created_at >= timedelta(seconds=self.rules.heal_within_s)
        replayed = row.attempts == 0
        helps = bool(mended) or found.mend is Mend.OUTBOX
        if helps and (replayed or not late):
            kept = replace(row, attempts=row.attempts + 1, next_at=now + self.rules.grace)
            await self.kit.journal.commit(merged(Change(deliveries=(kept,)), mended))
            return
        dead = replace(
            row,
            state=DeliveryState.DEAD,
            next_at=None,
            payload=found.payload(),
            reason=found.text,
        )
        note = self._entry(
            "reconcile.held",
            f"No rule has mended it, a person has to: {found.text}",
            row,
            {"delivery": row.id, "key": row.lane},
        )
        await self.kit.journal.commit(Change(deliveries=(dead,), entries=(note,)))

    def _entry(self, action: str, text: str, row: Delivery, data: dict[str, object]) -> Entry:
        return Entry(
            action=action,
            at=self.kit.clock.now(),
            text=text[:2000],
            case_id=row.case_id,
            order_id=row.order_id,
            robot_id=str(row.payload.get("robot_id", "")),
            desk=row.target.partition(":")[2] if row.target.startswith("reconcile.desk:") else "",
            trace_id=row.trace_id,
            data=data,
        )


def unreachable(found: Iterable[Mismatch]) -> tuple[list[str], str]:
    """The keys of those that could not be read, and why the first could not."""
    unknown = [one for one in found if one.kind is Kind.UNREACHABLE]
    return [one.key for one in unknown], unknown[0].text if unknown else ""
