"""A case and the desk's record of it, each as one canonical projection; hashed and compared.

Read fields are compared as the mapping reads them. Written fields are compared with the receipt:
what the desk itself showed when it had taken our last write; so a desk that trims or translates a
text raises no alarm. Called by flow/reconcile/desks.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise

from dragoman.domain.case import ENDED, Case, CaseDraft, CaseState, DeskPhase
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.domain.reconcile.mismatch import Kind, Mend, Mismatch, Rules, Side, digest

WRITTEN = "written."
"""Before the names of fields that we write, in a projection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the desk showed after our last write: version, its own time, phase, fields as digests.

    phase: None if the record could not be read through the mapping then.
    """

    version: str
    at: datetime
    phase: DeskPhase | None
    shown: Mapping[str, str] = field(default_factory=dict)

    def data(self) -> dict[str, object]:
        """As the entry `desk.updated` keeps it."""
        return {
            "updated_at": self.at.isoformat(),
            "phase": "" if self.phase is None else self.phase.value,
            "shown": dict(self.shown),
        }

    @classmethod
    def of(cls, data: Mapping[str, object]) -> "Receipt | None":
        """From such an entry's data; None if it is of a time before receipts were kept."""
        at, phase, shown = data.get("updated_at"), data.get("phase"), data.get("shown")
        if not isinstance(at, str) or not isinstance(shown, Mapping):
            return None
        return cls(
            version=str(data.get("version", "")),
            at=datetime.fromisoformat(at),
            phase=DeskPhase(phase) if isinstance(phase, str) and phase else None,
            shown={str(name): str(value) for name, value in shown.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The gateway's side of a case. pending: its writes that the desk has not taken, in order."""

    case: Case
    receipt: Receipt | None = None
    pending: Sequence[Delivery] = ()

    @property
    def over(self) -> bool:
        """No robot will work on it any more."""
        return self.case.state in ENDED or self.case.state is CaseState.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """The desk's side. draft: the record through the mapping; None: there is none (any more).

    wanted: the mapping's `when` holds. listed: the desk's own filter still lets it through.
    shown: written field → digest. unknown: why the record can't be read, "" if it can.
    """

    draft: CaseDraft | None = None
    wanted: bool = True
    listed: bool = True
    shown: Mapping[str, str] = field(default_factory=dict)
    unknown: str = ""


def key_of(desk: str, external_id: str) -> str:
    """What a mismatch about a record is counted by."""
    return f"{desk}/{external_id}"


def compare(ours: Ours, theirs: Theirs, now: datetime, rules: Rules) -> Mismatch | None:
    """The mismatch that one look shows, None if both sides agree. It counts only if it lasts."""
    if theirs.unknown:
        text = f"{ours.case.number} can't be compared: {theirs.unknown}"
        return _found(ours, theirs, Kind.UNREACHABLE, Mend.NONE, text)
    gone = _gone(ours, theirs)
    if gone is not None:
        return gone
    late = _late(ours, theirs, now, rules)
    if late is not None or theirs.draft is None:
        return late
    here, there = _here(ours, theirs), _there(ours, theirs, theirs.draft)
    if digest(here) == digest(there):
        return None
    differing = {
        name: (here.get(name, ""), there.get(name, ""))
        for name in sorted({*here, *there})
        if here.get(name, "") != there.get(name, "")
    }
    return _judged(ours, theirs, theirs.draft, differing, rules)


def _gone(ours: Ours, theirs: Theirs) -> Mismatch | None:
    """The case goes on, and the desk doesn't want it any more; or has nothing left to be told."""
    case, draft = ours.case, theirs.draft
    if ours.over:
        if draft is not None or not ours.pending:
            return None
        text = f"The desk has no record {case.number} any more that could be told the outcome."
        return _found(ours, theirs, Kind.ORPHAN, Mend.CALL_OFF, text)
    state = f"the case here is {case.state.value}"
    if draft is None:
        text = f"The desk has no record {case.number} any more; {state}."
        return _found(ours, theirs, Kind.ORPHAN, Mend.CALL_OFF, text)
    if draft.phase is not DeskPhase.OPEN or not theirs.wanted:
        how = draft.phase.value if theirs.wanted else "not for robots any more"
        text = f"{case.number} is {how} at the desk; {state}."
        pair = {"phase": ("open", how)}
        return _found(ours, theirs, Kind.STALE, Mend.FETCH, text, pair)
    if not theirs.listed:
        text = f"{case.number} has left the desk's filter; {state}."
        return _found(ours, theirs, Kind.ORPHAN, Mend.CALL_OFF, text)
    return None


def _late(ours: Ours, theirs: Theirs, now: datetime, rules: Rules) -> Mismatch | None:
    """A status waits in the outbox for longer than the grace: the desk is behind."""
    oldest = next(iter(ours.pending), None)
    if oldest is None or now - oldest.created_at <= rules.grace:
        return None
    dead = oldest.state is DeliveryState.DEAD
    told = str(oldest.payload.get("status", oldest.verb))
    text = f"{ours.case.number}: the desk has not taken {told!r}: {oldest.reason or 'it waits'}."
    if dead:
        text += f" The dead letter is {oldest.id}."
    mend = Mend.PERSON if dead else Mend.OUTBOX
    pair = {"status": (told, "")}
    found = _found(ours, theirs, Kind.STALE, mend, text, pair)
    return replace(found, ours="outbox", since=oldest.created_at)


def _here(ours: Ours, theirs: Theirs) -> dict[str, str]:
    """The canonical projection of the gateway's side, as far as the desk shows its own."""
    case, receipt = ours.case, ours.receipt
    projection: dict[str, str] = {}
    if not ours.over:
        projection = _read_fields(case)
    elif receipt is not None and receipt.phase is not None and not ours.pending:
        projection = {"phase": receipt.phase.value}
    if receipt is not None and not ours.pending:
        shown = {name: value for name, value in receipt.shown.items() if name in theirs.shown}
        projection |= {WRITTEN + name: value for name, value in shown.items()}
    return projection


def _there(ours: Ours, theirs: Theirs, draft: CaseDraft) -> dict[str, str]:
    """The same projection of the desk's side: of what the gateway's side has, too."""
    receipt = ours.receipt
    projection: dict[str, str] = {}
    if not ours.over:
        projection = _read_fields(draft)
    elif receipt is not None and receipt.phase is not None and not ours.pending:
        projection = {"phase": draft.phase.value}
    if receipt is not None and not ours.pending:
        for name in receipt.shown:
            if name in theirs.shown:
                projection[WRITTEN + name] = theirs.shown[name]
    return projection


def _read_fields(value: Case | CaseDraft) -> dict[str, str]:
    due = "" if value.due_by is None else value.due_by.isoformat()
    return {
        "number": value.number,
        "kind": value.kind,
        "title": value.title,
        "priority": str(value.priority),
        "location": value.location,
        "due_by": due,
        **{f"fields.{name}": text for name, text in value.fields.items()},
    }


def _judged(
    ours: Ours,
    theirs: Theirs,
    draft: CaseDraft,
    differing: Mapping[str, tuple[str, str]],
    rules: Rules,
) -> Mismatch | None:
    """What the differing values mean, and whose count."""
    case, receipt = ours.case, ours.receipt
    read = {n: pair for n, pair in differing.items() if n != "phase" and not n.startswith(WRITTEN)}
    if read:
        same = draft.version == case.version
        kind = Kind.CONFLICTING if same else Kind.STALE
        how = "differ in the same version" if same else "changed at the desk, and not here"
        text = f"{case.number}: {', '.join(read)} {how}."
        return _found(ours, theirs, kind, Mend.FETCH, text, read)
    if receipt is None:
        return None
    written = {n: pair for n, pair in differing.items() if n.startswith(WRITTEN)}
    back = draft.updated_at < receipt.at
    if back or draft.version == receipt.version:
        kind = Kind.STALE if back else Kind.CONFLICTING
        how = "went back at the desk" if back else "is not what the desk has confirmed"
        names = ", ".join(name.removeprefix(WRITTEN) for name in differing)
        text = f"{case.number}: {names} {how}."
        return _found(ours, theirs, kind, Mend.WRITE, text, differing)
    if "phase" in differing and draft.phase is DeskPhase.OPEN:
        text = f"{case.number} was opened again at the desk; here it is over."
        return _found(ours, theirs, Kind.CONFLICTING, Mend.PERSON, text, differing)
    return _overruled(ours, theirs, written, rules)


def _overruled(
    ours: Ours, theirs: Theirs, written: Mapping[str, tuple[str, str]], rules: Rules
) -> Mismatch | None:
    """Somebody changed what we wrote, after us. By rule that is theirs to do, or it isn't."""
    whose = {name: rules.fields.get(name.removeprefix(WRITTEN), "theirs") for name in written}
    told = {name: pair for name, pair in written.items() if whose[name] != "theirs"}
    if not told or ours.over:
        return None
    mend = Mend.PERSON if "ask" in {whose[name] for name in told} else Mend.WRITE
    names = ", ".join(name.removeprefix(WRITTEN) for name in told)
    text = f"{ours.case.number}: somebody else changed {names} at the desk."
    return _found(ours, theirs, Kind.CONFLICTING, mend, text, told)


def _found(
    ours: Ours,
    theirs: Theirs,
    kind: Kind,
    mend: Mend,
    text: str,
    fields: Mapping[str, tuple[str, str]] | None = None,
) -> Mismatch:
    case, draft = ours.case, theirs.draft
    return Mismatch(
        side=Side.DESK,
        kind=kind,
        mend=mend,
        target=f"desk:{case.desk}",
        key=key_of(case.desk, case.external_id),
        text=text,
        ours=digest(_fingerprint(ours)),
        theirs=digest(
            {
                "version": "" if draft is None else draft.version,
                "listed": str(theirs.listed),
                **({} if draft is None else _there(ours, theirs, draft)),
            }
        ),
        external_id=case.external_id,
        case_id=case.id,
        order_id=case.order_id,
        trace_id=case.trace_id,
        fields=fields or {},
        since=None if draft is None else draft.updated_at,
    )


def _fingerprint(ours: Ours) -> dict[str, str]:
    """Changes whenever the gateway's side moved, so that the grace starts anew."""
    return {
        **_read_fields(ours.case),
        "over": str(ours.over),
        "version": ours.case.version,
        "receipt": "" if ours.receipt is None else ours.receipt.version,
        "pending": ",".join(delivery.id for delivery in ours.pending),
    }


def missing(
    desk: str, external_id: str, number: str, *, draft: CaseDraft | None = None, reason: str = ""
) -> Mismatch:
    """An open record that asks for robots, and of which the gateway has no case.

    draft: None if it can't be read. reason: what its dead letter says; a person has to mend that.
    """
    text = f"The desk's record {number} has no case here."
    if reason:
        text += f" It can't be read: {reason}"
    return Mismatch(
        side=Side.DESK,
        kind=Kind.MISSING,
        mend=Mend.PERSON if reason else Mend.FETCH,
        target=f"desk:{desk}",
        key=key_of(desk, external_id),
        text=text,
        ours="",
        theirs=digest({"version": "" if draft is None else draft.version}),
        external_id=external_id,
        since=None if draft is None else draft.updated_at,
    )


def duplicates(cases: Iterable[Case]) -> Sequence[Mismatch]:
    """Open cases of one desk with the same number, or of the same record: all but the oldest.

    The record's number is what people call it, so two open ones mean that somebody, or a retry,
    opened it twice, and two robots would go.
    """
    found: list[Mismatch] = []
    by_number: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        by_number.setdefault((case.desk, case.number), []).append(case)
    for same in by_number.values():
        if len(same) == 1:
            continue
        ordered = sorted(same, key=lambda case: (case.received_at, case.id))
        found += [_double(first, second) for first, second in pairwise(ordered)]
    return found


def _double(first: Case, second: Case) -> Mismatch:
    text = f"{second.number} is there twice: records {first.external_id} and {second.external_id}."
    return Mismatch(
        side=Side.DESK,
        kind=Kind.DUPLICATE,
        mend=Mend.PERSON,
        target=f"desk:{second.desk}",
        key=key_of(second.desk, second.external_id),
        text=text,
        ours=digest({"first": first.id, "second": second.id}),
        external_id=second.external_id,
        case_id=second.id,
        order_id=second.order_id,
        trace_id=second.trace_id,
        since=second.received_at,
    )
