"""Step 1: a desk's record becomes a case, an edit, or a calling-off. Exactly once.

Called by the runtime's poller with pages, by the web's webhook route with notices, by the courier
for records that a webhook only pointed at, and by replays of dead letters. What can't be read
becomes a dead letter with its raw text; nothing is dropped.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256

from dragoman.domain.backlog import FIRST_LOOK, Backlog, first_look
from dragoman.domain.case import ENDED, Case, CaseDraft, CaseState, DeskPhase, PastCase
from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.delivery import Delivery, DeliveryState, dropped
from dragoman.domain.errors import BadInput, Permanent
from dragoman.domain.events import CalledOff, Edited, Release
from dragoman.domain.lifecycle import Job, Step, open_case, reject
from dragoman.domain.lifecycle.step import Note, queue
from dragoman.domain.mapping import Incoming, differs
from dragoman.domain.reopening import NOTED, TELLING, Reopened, over_since
from dragoman.domain.status import Told
from dragoman.flow.kit import Kit
from dragoman.ports.desk import DeskPage, DeskRecord
from dragoman.ports.journal import Find

REOPENED = "reopened"
"""The source of a dead letter whose replay opens a new case for a record whose case has ended."""
REMEMBERED = 20_000
"""How many closed cases are remembered by key, to spare a look-up when the desk repeats them."""


class Taken(StrEnum):
    """What became of a record."""

    NEW = "new"
    CHANGED = "changed"
    KNOWN = "known"
    IGNORED = "ignored"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """One desk's way in. kinds: those with a mission; reject_unknown: refuse the others.

    reopened: what becomes of a ticket that is open again after its case has ended. backlog: what
    becomes of one that was opened before the first look.
    """

    kit: Kit
    desk: str
    mapping: Incoming
    kinds: frozenset[str]
    reject_unknown: bool = False
    reopened: Reopened = Reopened.NEW_CASE
    backlog: Backlog = Backlog.ON_CHANGE
    closed: OrderedDict[str, PastCase] = field(default_factory=OrderedDict)

    async def page(self, page: DeskPage) -> Mapping[Taken, int]:
        """Take a whole page, and then its cursor: the cursor never runs ahead of its records.

        Raises JournalUnavailable if one of them could not be kept; the page has to be read again.
        """
        counts: dict[Taken, int] = {}
        under_way = []
        changes = [self.unreadable("", raw, reason) for raw, reason in page.unreadable]
        for record in page.records:
            taken, change = await self.record(record)
            counts[taken] = counts.get(taken, 0) + 1
            if change:
                under_way.append((record, self.kit.journal.commit(change)))
        for record, written in under_way:  # the journal may have lost one, and be back already
            try:
                await written
            except Permanent as error:
                changes.append(self._unwritable(record, error))
        if self.desk not in self.kit.site.cursors:
            changes.append(_first_look(self, page))
        if self.kit.site.cursors.get(self.desk) != page.cursor:
            changes.append(Change(cursors={self.desk: page.cursor}))
        final = merged(*changes)
        if final:
            await self.kit.journal.commit(final)
        return counts

    async def record(self, record: DeskRecord, *, again: bool = False) -> tuple[Taken, Change]:
        """What a record means now. Commit the change before awaiting anything else.

        again: a person wants it done although its case has ended.
        """
        known = self.kit.site.case_of(self.desk, record.external_id)
        past = None if known is not None else await self._past(record.external_id)
        known = self.kit.site.case_of(self.desk, record.external_id)
        if known is None and past is not None and not again:
            return await self._after_its_end(past, record)
        if known is not None and known.version == record.version:
            return Taken.KNOWN, Change()
        try:
            wanted = self.mapping.wanted(record.raw)
            if known is None and not wanted:
                return Taken.IGNORED, Change()
            draft = self.mapping.draft(
                record.external_id, record.version, record.updated_at, record.raw
            )
        except BadInput as error:
            return Taken.UNREADABLE, self._bad_record(record, error)
        if known is not None:
            return self.again(known, draft, wanted)
        old = self.backlog.passes_over(self.desk, draft.opened_at, self.kit.site.cursors)
        if draft.phase is not DeskPhase.OPEN or (old and past is None):
            return Taken.IGNORED, Change()
        self.closed.pop(record.external_id, None)
        return Taken.NEW, merged(self._open(draft, record), self._readable_now(record))

    def seen(self, delivery_id: str, keep: timedelta = timedelta(hours=24)) -> Change | None:
        """The mark that this webhook delivery was taken, or None if it was already."""
        key = f"{self.desk}:{delivery_id}"
        if key in self.kit.site.seen:
            return None
        return Change(seen={key: self.kit.clock.now() + keep})

    def fetch(self, external_id: str) -> Change:
        """Put it on record that this record has to be read; the courier does it."""
        return self.kit.fetch(self.desk, external_id)

    def unreadable(self, external_id: str, raw: str, reason: str, source: str = "desk") -> Change:
        """Keep something that could not be read as a dead letter, once per content.

        external_id: the record it is of, "" if that can't be told. source: `desk` or `webhook`.
        """
        target = f"intake:{self.desk}"
        lane = external_id[:200] or sha256(raw.encode("utf-8", "replace")).hexdigest()[:32]
        known = self.kit.site.lanes.get((target, lane), {})
        if any(d.payload.get("raw") == raw for d in known.values()):
            return Change()
        now = self.kit.clock.now()
        letter = Delivery(
            id=self.kit.clock.new_id(),
            target=target,
            lane=lane,
            verb="case",
            payload={"raw": raw, "external_id": external_id, "source": source},
            created_at=now,
            state=DeliveryState.DEAD,
            reason=reason,
        )
        note = Entry(
            action="intake.unreadable",
            at=now,
            text=f"A record of {self.desk} can't be read: {reason}",
            desk=self.desk,
            actor=f"desk:{self.desk}",
            data={"delivery": letter.id, "reason": reason},
        )
        older = tuple(dropped(d, "a newer version came", now) for d in known.values())
        return Change(deliveries=(*older, letter), entries=(note,))

    async def _past(self, external_id: str) -> PastCase | None:
        """The case that this record had, also if retention has moved it away since.

        A row whose case isn't open any more is closed, whatever it says: the history shows what is
        durable, and the closing may be on its way to the disk.
        """
        if external_id in self.closed:
            return self.closed[external_id]
        key = {"desk": self.desk, "external_id": external_id}
        query = Find(where=key, limit=1, newest_first=True)
        cases = (await self.kit.journal.find(Case, query)).rows
        if cases and cases[0].state is not CaseState.CLOSED:
            return PastCase.of(cases[0])
        moved = () if cases else (await self.kit.journal.find(PastCase, query)).rows
        for past in (*map(PastCase.of, cases), *moved):
            self.closed[external_id] = past
            while len(self.closed) > REMEMBERED:
                self.closed.popitem(last=False)
            return past
        return None

    async def _after_its_end(self, past: PastCase, record: DeskRecord) -> tuple[Taken, Change]:
        """A record whose case is over: nothing new, unless somebody has opened it again."""
        nothing = Taken.KNOWN, Change()
        try:
            draft = self.mapping.draft(
                record.external_id, record.version, record.updated_at, record.raw
            )
            if draft.phase is not DeskPhase.OPEN or not self.mapping.wanted(record.raw):
                return nothing
        except BadInput:
            return nothing
        where = {"case_id": past.case_id, "action": TELLING}
        said = await self.kit.journal.find(Entry, Find(where=where, newest_first=True))
        since = over_since(past, said.rows)
        if since is None or record.updated_at <= since:
            return nothing
        if self.kit.site.case_of(self.desk, record.external_id) is not None:
            return nothing  # taken in meanwhile
        return self._reopened(past, draft, record)

    def _reopened(
        self, past: PastCase, draft: CaseDraft, record: DeskRecord
    ) -> tuple[Taken, Change]:
        now, how = self.kit.clock.now(), self.reopened.of(past.outcome)
        text = f"{past.number} is open again at {self.desk} after it ended ({past.outcome})."
        note = Entry(
            action=NOTED,
            at=now,
            text=text,
            case_id=past.case_id,
            desk=self.desk,
            actor=f"desk:{self.desk}",
            data={"policy": how.value, "version": record.version},
        )
        noted = Change(entries=(note,))
        if how is Reopened.IGNORE:
            return Taken.IGNORED, noted
        if how is Reopened.NEW_CASE:
            self.closed.pop(record.external_id, None)
            return Taken.NEW, merged(noted, self._open(draft, record))
        letter = Delivery(
            id=self.kit.clock.new_id(),
            target=f"intake:{self.desk}",
            lane=record.external_id[:200],
            verb="case",
            payload={"external_id": record.external_id, "source": REOPENED},
            created_at=now,
            case_id=past.case_id,
            state=DeliveryState.DEAD,
            reason=f"{text} Replay this to have it done as a new case, or drop it.",
        )
        return Taken.CHANGED, merged(noted, Change(deliveries=(letter,)))

    def _bad_record(self, record: DeskRecord, error: BadInput) -> Change:
        raw = json.dumps(record.raw, ensure_ascii=False, sort_keys=True, default=str)
        return self.unreadable(record.external_id, raw, str(error))

    def _unwritable(self, record: DeskRecord, error: Permanent) -> Change:
        """A record that no journal can hold; what can be kept of it is."""
        try:
            raw = repr(dict(record.raw))[:65_536].encode("utf-8", "backslashreplace").decode()
        except RecursionError:
            raw = "(nested too deeply to be shown)"
        return self.unreadable(record.external_id, raw, error.text)

    def _readable_now(self, record: DeskRecord) -> Change:
        lane = self.kit.site.lanes.get((f"intake:{self.desk}", record.external_id[:200]), {})
        now = self.kit.clock.now()
        gone = tuple(
            dropped(d, "the record was mended at the desk", now)
            for d in lane.values()
            if d.state is DeliveryState.DEAD
        )
        return Change(deliveries=gone)

    def _open(self, draft: CaseDraft, record: DeskRecord) -> Change:
        """A new case: received and queued, or rejected, in one transaction."""
        now = self.kit.clock.now()
        case = open_case(self.kit.clock.new_id(), self.desk, draft, self.kit.clock.trace_id(), now)
        note = Entry(
            action="case.received",
            at=now,
            text=f"{case.number} came from {self.desk}: {case.title}",
            case_id=case.id,
            desk=self.desk,
            trace_id=case.trace_id,
            actor=f"desk:{self.desk}",
            data={
                "opened_at": case.opened_at.isoformat(),
                "updated_at": draft.updated_at.isoformat(),
                "version": case.version,
                "raw": record.raw,
            },
        )
        out = self.kit.draft(now)
        out.entries.append(note)
        out.add(self._first_step(Job(case=case)))
        return out.change()

    def _first_step(self, job: Job) -> Step:
        now, policy = self.kit.clock.now(), self.kit.policy
        kind = job.case.kind
        if self.reject_unknown and kind not in self.kinds:
            known = ", ".join(sorted(self.kinds))
            return reject(job, now, policy, f"kind {kind!r} is none of {known}")
        note = Note(action="case.queued", text=f"{job.case.number} waits for a robot.")
        return queue(job, now, policy, note, Told.QUEUED)

    def again(self, case: Case, draft: CaseDraft, wanted: bool) -> tuple[Taken, Change]:
        """A record of an open case: news, or the echo of our own write."""
        if case.desk_updated_at is not None and draft.updated_at < case.desk_updated_at:
            return Taken.KNOWN, Change()
        if case.state in ENDED:
            return Taken.KNOWN, Change()
        if draft.phase is not DeskPhase.OPEN or not wanted:
            how = draft.phase.value if wanted else "taken from the robots"
            event = CalledOff(reason=f"{how} at the desk", actor=f"desk:{self.desk}")
            change = self.kit.move(case.id, event)
            as_seen = tuple(
                replace(one, version=draft.version, desk_updated_at=draft.updated_at)
                for one in change.cases
            )
            return Taken.CHANGED, replace(change, cases=as_seen)
        changed = differs(case, draft)
        if not changed:
            return Taken.KNOWN, Change()
        return Taken.CHANGED, self.kit.move(case.id, Edited(draft=draft, fields=changed))


def released(intake: Intake, record: DeskRecord, case_id: str, release: Release) -> Change:
    """A held case goes on as its record and the mapping are now, or is called off by it.

    Empty if it isn't held any more. Raises BadInput if the record can't be read.
    """
    case = intake.kit.site.cases.get(case_id)
    if case is None or case.state is not CaseState.HELD:
        return Change()
    wanted = intake.mapping.wanted(record.raw)
    draft = intake.mapping.draft(record.external_id, record.version, record.updated_at, record.raw)
    if draft.phase is not DeskPhase.OPEN or not wanted:
        return intake.again(case, draft, wanted)[1]
    stale = case.desk_updated_at is not None and draft.updated_at < case.desk_updated_at
    changed = () if stale else differs(case, draft)
    if not changed:
        return intake.kit.move(case_id, release)
    return intake.kit.move(case_id, release, Edited(draft=draft, fields=changed))


def _first_look(intake: Intake, page: DeskPage) -> Change:
    """Tell once from when on records of this desk count, and keep it beside the cursor.

    Whole seconds, as desks give no more: what opens in that very second counts.
    """
    now = intake.kit.clock.now()
    since = (page.since or now).replace(microsecond=0)
    then = {
        Backlog.ON_CHANGE: "becomes a case when it is changed",
        Backlog.IGNORE: "is left to people",
    }
    note = Entry(
        action=FIRST_LOOK,
        at=now,
        text=f"First look at {intake.desk}: records count from {since.isoformat()} on. What was "
        f"opened before {then[intake.backlog]}.",
        desk=intake.desk,
        data={"since": since.isoformat(), "backlog": intake.backlog.value},
    )
    return Change(cursors={first_look(intake.desk): since.isoformat()}, entries=(note,))
