"""One desk against the gateway: a window of recent and open cases, the full sweep, second looks.

Called by runtime/reconciler.py, which paces the requests. A look reads the desk's side first and
takes the gateway's own side right after, without awaiting in between.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dragoman.domain.case import ENDED, WORKING, Case, CaseState, DeskPhase
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import DeliveryState
from dragoman.domain.reconcile.desk import (
    Ours,
    Receipt,
    Theirs,
    compare,
    duplicates,
    key_of,
    missing,
)
from dragoman.domain.reconcile.mismatch import Mismatch, Side, row_prefix
from dragoman.domain.reconcile.report import COMPARED, SWEPT, UNREACHABLE
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile.book import Book, unreachable
from dragoman.flow.reconcile.history import History, parts
from dragoman.flow.reconcile.reading import Reader


@dataclass(slots=True, kw_only=True)
class Look:
    """One look while it goes on. doubles: by key. due: what counts by now, or is unreachable."""

    doubles: Mapping[str, Mismatch]
    compared: set[str] = field(default_factory=set)
    due: list[Mismatch] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class DeskSide:
    """One desk. Its state is only where the walks go on, so a restart loses nothing but time."""

    kit: Kit
    book: Book
    name: str
    reader: Reader
    _next: str = field(default="", init=False)
    _next_recent: str = field(default="", init=False)
    _entries: str = field(default="", init=False)
    _closed: dict[str, datetime] = field(default_factory=dict, init=False)

    @property
    def _history(self) -> History:
        return History(kit=self.kit, desk=self.name)

    async def window(self, limit: int, recent: timedelta) -> int:
        """Compare what changed lately, what was closed lately, and some more of the open cases.

        limit: how many cases at most; three in four may be recent ones. The others follow from
        call to call, so that all open cases have their turn. Gives how many were compared.
        """
        await self._begin()
        closed = await self._ripe(max(1, limit // 4), recent)
        now = self.kit.clock.now()
        open_cases = _open(self.kit, self.name)
        new = [case for case in open_cases if now - _moved_at(case) <= recent]
        chosen = {case.id: case for case in _walk(new, self._next_recent)[: max(1, limit * 3 // 4)]}
        self._next_recent = next(reversed(chosen), "")
        for case in _walk(open_cases, self._next):
            if len(chosen) >= limit:
                break
            chosen[case.id] = case
            self._next = case.id
        look = Look(doubles=_doubles(self.kit, self.name))
        await self._read_all([*chosen.values(), *closed], look)
        return len(look.compared)

    async def sweep(self, since: datetime) -> int:
        """Compare everything: the desk's open records, all open cases, those closed since then.

        Gives how many were compared. Raises RetryLater, Permanent or NeedsHuman if the desk can't
        list its records.
        """
        await self._begin()
        look = Look(doubles=_doubles(self.kit, self.name))
        listed: set[str] = set()
        async for theirs in self._listed():
            known = {**await self._history.closed_of(theirs), **self._known(theirs)}
            await self._compare(theirs, known, look)
            await self._end(look)
            listed |= theirs.keys()
        closings = await self._history.closings("", since)
        closed_since = await self._history.closed([entry.case_id for entry in closings])
        rest = [case for case in _open(self.kit, self.name) if case.external_id not in listed]
        await self._read_all([*rest, *closed_since], look)
        compared = len(look.compared)
        note = Entry(
            action=SWEPT,
            at=self.kit.clock.now(),
            text=f"All of {self.name} was compared: {compared} cases and records.",
            desk=self.name,
            data={"compared": compared},
        )
        await self.kit.journal.commit(Change(entries=(note,)))
        return compared

    async def again(self) -> int:
        """The second look at whatever is due for it; how many were compared."""
        ids = [key.partition("/")[2] for key in self.book.due(Side.DESK, self.name)]
        if not ids:
            return 0
        look = Look(doubles=_doubles(self.kit, self.name))
        for part in parts(ids, self.reader.batch):
            known = self._known(part)
            theirs = await self.reader.read(part)
            closed = await self._history.closed_of(part)
            await self._compare(theirs, {**closed, **known}, look)
            await self._end(look)
        return len(look.compared)

    async def _read_all(self, cases: Sequence[Case], look: Look) -> None:
        for part in parts(cases, self.reader.batch):
            known = {case.external_id: case for case in part}
            await self._compare(await self.reader.read(list(known)), known, look)
            await self._end(look)

    async def _compare(
        self, theirs: Mapping[str, Theirs], known: Mapping[str, Case], look: Look
    ) -> None:
        """Weigh what one reading shows. known: the cases as they were before it."""
        past = await self._history.archived(one for one in theirs if one not in known)
        receipts = await self._history.receipts([case.id for case in known.values()])
        agreed: list[Change] = []
        for external_id, side in theirs.items():
            case, before = self.kit.site.case_of(self.name, external_id), known.get(external_id)
            if case is None and before is not None and before.state is not CaseState.CLOSED:
                continue  # closed while we looked; it has its turn as a closed one
            if case is None and before is None and external_id in past:
                continue  # nothing is left to compare it with
            case = case or before
            key = key_of(self.name, external_id)
            receipt = None if case is None else receipts.get(case.id)
            found = self._found(external_id, case, side, receipt) or look.doubles.get(key)
            if found is None:
                agreed.append(self.book.agree((f"{row_prefix(Side.DESK)}{self.name}", key)))
            elif self.book.suspect(found):
                look.due.append(found)
            if side.unknown:
                continue
            if case is not None:
                self._closed.pop(case.id, None)
            if found if case is None else _whole(self.book, case, receipt):
                look.compared.add(key)
        for change in filter(None, agreed):
            await self.kit.journal.commit(change)

    def _found(
        self, external_id: str, case: Case | None, theirs: Theirs, receipt: Receipt | None
    ) -> Mismatch | None:
        if case is None:
            draft, cursors = theirs.draft, self.kit.site.cursors
            backlog = self.reader.backlog
            if draft is not None and backlog.passes_over(self.name, draft.opened_at, cursors):
                return None
            return _missing(self.kit, self.name, external_id, theirs)
        if case.state is CaseState.CLOSED and receipt is None and not theirs.unknown:
            return None
        lane = self.kit.site.lanes.get((f"desk:{self.name}", case.id), {})
        pending = [delivery for delivery in lane.values() if delivery.verb == "write"]
        ours = Ours(case=case, receipt=receipt, pending=pending)
        return compare(ours, theirs, self.kit.clock.now(), self.book.rules)

    async def _begin(self) -> None:
        """Note from when on this desk's records are ours, at the first look ever.

        A grace later than now, as the desk's clock may be a little ahead of ours: what was there
        before is for people, and robots must not be sent to it.
        """
        if _floor(self.name) not in self.kit.site.cursors:
            floor = (self.kit.clock.now() + self.book.rules.grace).isoformat()
            await self.kit.journal.commit(Change(cursors={_floor(self.name): floor}))

    async def _end(self, look: Look) -> None:
        """Count what is due by now, tell what was compared: a part of a look is kept as it ends."""
        await self.book.take(look.due)
        text = "{count} cases and records of " + self.name + " were compared, new in this shift."
        await self.book.tell(COMPARED, self.name, look.compared, text)
        keys, why = unreachable(look.due)
        text = "{count} cases of " + self.name + f" can't be compared now, the first one so: {why}"
        await self.book.tell(UNREACHABLE, self.name, keys, text)
        look.due.clear()

    async def _listed(self) -> AsyncIterator[dict[str, Theirs]]:
        """The desk's open records, page by page."""
        survey, after = self.reader.survey, ""
        while survey is not None:
            page = await survey.survey(after, self.reader.batch)
            yield {record.external_id: self.reader.theirs(record) for record in page.records}
            if not page.more:
                return
            after = page.cursor

    def _known(self, external_ids: Iterable[str]) -> dict[str, Case]:
        cases = ((one, self.kit.site.case_of(self.name, one)) for one in external_ids)
        return {one: case for one, case in cases if case is not None}

    async def _ripe(self, limit: int, recent: timedelta) -> list[Case]:
        """Cases that were closed a grace ago and have not been compared since."""
        grace, now = self.book.rules.grace, self.kit.clock.now()
        for entry in await self._history.closings(self._entries, now - recent - grace):
            self._closed[entry.case_id] = entry.at
            self._entries = str(entry.seq)
        ripe = [case_id for case_id, at in self._closed.items() if at <= now - grace]
        return await self._history.closed(ripe[:limit])


def _open(kit: Kit, desk: str) -> list[Case]:
    cases = (case for case in kit.site.cases.values() if case.desk == desk)
    return sorted(cases, key=lambda case: case.id)


def _walk(cases: Sequence[Case], after: str) -> list[Case]:
    """All of them, from where the last window ended."""
    later = [case for case in cases if case.id > after]
    return later + [case for case in cases if case.id <= after]


def _doubles(kit: Kit, desk: str) -> dict[str, Mismatch]:
    waiting = (case for case in _open(kit, desk) if case.state not in ENDED)
    return {found.key: found for found in duplicates(waiting)}


def _whole(book: Book, case: Case, receipt: Receipt | None) -> bool:
    """Whether the rest of the case can be compared too: its last write, its robot."""
    if case.state is CaseState.CLOSED:
        return receipt is not None
    if case.state not in WORKING:
        return True
    fleet = book.fleet()
    attempt = fleet.assignments.get(case.order_id)
    robot = fleet.robots.get(attempt.robot_id) if attempt is not None else None
    return robot is not None and fleet.said(robot) is not None


def _missing(kit: Kit, desk: str, external_id: str, theirs: Theirs) -> Mismatch | None:
    """A record without a case. What was there before the desk was ours isn't asked for."""
    lane = kit.site.lanes.get((f"intake:{desk}", external_id[:200]), {})
    letter = next((one for one in lane.values() if one.state is DeliveryState.DEAD), None)
    reason = "" if letter is None else letter.reason
    draft = theirs.draft
    if theirs.unknown and letter is not None:
        return missing(desk, external_id, external_id, reason=reason)
    if draft is None or draft.phase is not DeskPhase.OPEN or not (theirs.wanted and theirs.listed):
        return None
    floor = kit.site.cursors.get(_floor(desk), "")
    if not floor or draft.updated_at < datetime.fromisoformat(floor):
        return None
    return missing(desk, external_id, draft.number, draft=draft, reason=reason)


def _floor(desk: str) -> str:
    """Where the journal keeps from when on a desk's records are ours."""
    return f"reconcile:{desk}"


def _moved_at(case: Case) -> datetime:
    return max(case.since, case.desk_updated_at or case.since)
