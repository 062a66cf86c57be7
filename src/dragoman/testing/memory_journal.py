"""A journal in memory, for tests of what stands on ports/journal.py.

It passes the same conformance suite as the real one (testing/conformance/journal.py), records
every durable change in `changes`, and fails or waits when told to.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from dragoman.domain.case import Case, CaseState, PastCase
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import SETTLED, Delivery, DeliveryState
from dragoman.domain.errors import JournalUnavailable, Permanent
from dragoman.domain.order import LIVE, Assignment
from dragoman.domain.robot import Robot
from dragoman.domain.site import Site
from dragoman.ports.journal import COLUMNS, Find, Found, Row, RowT, Tally

_CREATED = {Case: "received_at", Assignment: "assigned_at", Delivery: "created_at", Entry: "at"}


class MemoryStore:
    """What a disk would hold. One may outlive its journal, to play a restart."""

    def __init__(self) -> None:
        self.tables: dict[type, dict[str, Row]] = {kind: {} for kind in COLUMNS}
        self.rest = Change()
        self.keys: dict[str, tuple[str, str]] = {}
        self.matched: Counter[str] = Counter()

    @property
    def entries(self) -> list[Entry]:
        """All entries, in order."""
        return [row for row in self.tables[Entry].values() if isinstance(row, Entry)]

    def put(self, change: Change) -> None:
        """Make a change durable."""
        known = self.tables[Delivery]
        new = {d.id: d.target for d in change.deliveries if d.id not in known}
        self.matched.update(new.values())
        for kind, rows in (
            (Entry, change.entries),
            (Case, change.cases),
            (Assignment, change.assignments),
            (Robot, change.robots),
            (Delivery, change.deliveries),
        ):
            self.tables[kind].update((_id(row), row) for row in rows)
        for assignment in change.assignments:
            case = self.tables[Case].get(assignment.case_id)
            key = case.key if isinstance(case, Case) else ("", "")
            self.keys.setdefault(assignment.order_id, key)
        rest = self.rest
        reports = {r.robot_id: r for r in rest.reports}
        for report in change.reports:
            last = reports.get(report.robot_id)
            if last is None or last.received_at <= report.received_at:
                reports[report.robot_id] = report
        self.rest = Change(
            reports=tuple(reports.values()),
            faults=tuple({f.id: f for f in (*rest.faults, *change.faults)}.values()),
            cursors={**rest.cursors, **change.cursors},
            seen={**rest.seen, **change.seen},
        )

    def load(self, now: datetime) -> Site:
        """The open state, as a journal reads it at its start."""
        site = Site()
        site.apply(Change(cases=tuple(_of(Case, self, lambda c: c.state is not CaseState.CLOSED))))
        current = {case.order_id for case in site.cases.values()}
        site.apply(
            replace(
                self.rest,
                assignments=tuple(
                    _of(Assignment, self, lambda a: a.state in LIVE or a.order_id in current)
                ),
                robots=tuple(_of(Robot, self, lambda _: True)),
                deliveries=tuple(
                    replace(d, state=DeliveryState.QUEUED)
                    if d.state is DeliveryState.IN_FLIGHT
                    else d
                    for d in _of(Delivery, self, lambda d: d.state not in SETTLED)
                ),
            )
        )
        site.forget_seen(now)
        return site


class MemoryJournal:
    """Implements ports/journal.py. Use `fail_next` and `delay_s` to make it behave badly."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store or MemoryStore()
        self.changes: list[Change] = []
        self.failing = 0
        self.delay_s = 0.0
        self._now = now
        self._site = self.store.load(now())
        self._seq = len(self.store.tables[Entry])
        self._under_way: list[tuple[Change, int, asyncio.Future[int]]] = []
        self._closed = False

    @property
    def site(self) -> Site:
        """The working set."""
        return self._site

    @property
    def entries(self) -> list[Entry]:
        """All durable entries, in order."""
        return self.store.entries

    def fail_next(self, count: int = 1) -> None:
        """Let the next `count` transactions fail with JournalUnavailable."""
        self.failing = count

    def commit(self, change: Change) -> asyncio.Future[int]:
        """Apply a change now; the future is done in a later turn of the event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        if self._closed:
            future.set_exception(JournalUnavailable("the journal is closed"))
            return future
        try:
            msgspec.json.encode(change)
        except (TypeError, ValueError, RecursionError) as error:
            future.set_exception(Permanent(f"a value can't be written to the journal: {error}"))
            return future
        stamped = [replace(entry, seq=n) for n, entry in enumerate(change.entries, self._seq + 1)]
        self._seq += len(stamped)
        self._site.apply(change)
        if not self._under_way:
            loop.call_later(self.delay_s, self._sync)
        self._under_way.append((replace(change, entries=tuple(stamped)), self._seq, future))
        return future

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        """Look up rows of one type in the whole history."""
        if unknown := query.where.keys() - COLUMNS[row]:
            raise Permanent(
                f"a {row.__name__.lower()} can't be looked up by this column",
                field=min(unknown),
                mend=f"use one of {', '.join(sorted(COLUMNS[row]))}",
            )
        if query.since is not None and row not in _CREATED:
            text = f"a {row.__name__} has no time of creation"
            raise Permanent(text, field="since", mend="leave it out")
        if query.after and not query.after.isdecimal():
            raise Permanent("not a page's `next`", field="after", value=query.after)
        rows = list(enumerate(_of(row, self.store, lambda _: True), 1))
        if query.newest_first:
            rows.reverse()
        page = [(n, value) for n, value in rows if self._fits(n, value, query)]
        more = len(page) > query.limit
        return Found(
            rows=[value for _, value in page[: query.limit]],
            next=str(page[query.limit - 1][0]) if more else "",
        )

    async def tallies(self) -> Sequence[Tally]:
        """The outbox's sums per target."""
        found: Counter[tuple[str, DeliveryState]] = Counter(
            (d.target, d.state) for d in _of(Delivery, self.store, lambda _: True)
        )
        return [
            Tally(
                target=target, matched=matched, **{s.value: found[target, s] for s in DeliveryState}
            )
            for target, matched in sorted(self.store.matched.items())
        ]

    async def close(self) -> None:
        """Finish what was committed."""
        self._closed = True
        if self._under_way:
            await asyncio.wait([future for _, _, future in self._under_way])

    def _fits(self, n: int, value: Row, query: Find) -> bool:
        if query.after and not (
            n < int(query.after) if query.newest_first else n > int(query.after)
        ):
            return False
        if query.since is not None and getattr(value, _CREATED[type(value)]) < query.since:
            return False
        return all(
            self._column(value, column) in ([wanted] if isinstance(wanted, str) else wanted)
            for column, wanted in query.where.items()
        )

    def _column(self, value: Row, column: str) -> str:
        if isinstance(value, Assignment) and column in {"desk", "external_id"}:
            return self.store.keys[value.order_id][column == "external_id"]
        return str(getattr(value, column))

    def _sync(self) -> None:
        jobs, self._under_way = self._under_way, []
        failed = self.failing > 0
        if failed:
            self.failing -= 1
            self._seq = len(self.store.tables[Entry])
            self._site.take(self.store.load(self._now()))
        else:
            for change, _, _ in jobs:
                self.store.put(change)
                self.changes.append(change)
        for _, seq, future in jobs:
            if future.done():
                continue
            if failed:
                future.set_exception(JournalUnavailable("the journal was told to fail"))
            else:
                future.set_result(seq)


def _id(row: Row) -> str:
    if isinstance(row, Entry):
        return str(row.seq)
    if isinstance(row, PastCase):
        return row.case_id
    return row.order_id if isinstance(row, Assignment) else row.id


def _of(kind: type[RowT], store: MemoryStore, wanted: Callable[[RowT], bool]) -> Iterable[RowT]:
    return [r for r in store.tables[kind].values() if isinstance(r, kind) and wanted(r)]
