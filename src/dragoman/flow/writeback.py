"""Step 5: what happened is written to the desk's fields, and published to feeds.

Called by the runtime's courier for each delivery towards a desk or a feed, in order per case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, cast

from dragoman.domain.case import Case, DeskPhase
from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.delivery import Delivery, dropped
from dragoman.domain.errors import Conflict
from dragoman.domain.events import Confirmed
from dragoman.domain.status import Told
from dragoman.flow.kit import Kit
from dragoman.ports.desk import Desk, DeskRecord, DeskWrite
from dragoman.ports.feed import Feed


class ReadBack(Protocol):
    """What is made of the record that a write gives back: flow/reconcile/reading.py."""

    def receipt(self, record: DeskRecord) -> Mapping[str, object]:
        """What to keep of it in the journal, JSON-ready."""
        ...

    def has_news(self, case: Case, record: DeskRecord) -> bool:
        """Whether somebody else changed what the case is made of, shortly before our write."""
        ...


async def write(kit: Kit, desk: Desk, delivery: Delivery, read_back: ReadBack) -> Change:
    """Write one status to the case's record; the final one closes the case.

    A precondition that fails means that people changed the record meanwhile: the write is given
    up, and the record is fetched so that intake sees what they want. A final write that conflicts
    is raised (a dead letter), since somebody has to decide; but a calling-off that conflicts isn't,
    since the desk has called it off itself. If the record that comes back shows an edit that was
    not seen before, it is fetched as well: its version is ours by now, and would pass for known.
    """
    external_id = str(delivery.payload["external_id"])
    try:
        record = await _written(desk, external_id, delivery)
    except Conflict as conflict:
        if delivery.final and delivery.payload.get("status") != Told.CANCELLED:
            raise
        return _overtaken(kit, delivery, external_id, conflict)
    told = str(delivery.payload.get("status", ""))
    kept = read_back.receipt(record)
    noted = _noted(kit, delivery, record, told, kept)
    if not delivery.final:
        case = kit.site.cases.get(delivery.case_id)
        if case is not None and read_back.has_news(case, record):
            return merged(noted, kit.fetch(case.desk, external_id, case))
        return merged(noted, _seen(kit, delivery, record))
    how = f"the desk has taken {told!r}"
    ended = merged(noted, kit.move(delivery.case_id, Confirmed(how=how)))
    if told == Told.CANCELLED and kept.get("phase") == DeskPhase.OPEN:
        # It may have been called off there, and opened again before we said that it has ended.
        return merged(ended, kit.fetch(delivery.target.removeprefix("desk:"), external_id))
    return ended


async def create(kit: Kit, desk: Desk, delivery: Delivery) -> Change:
    """Open a record at a desk for a robot's fault, and remember which it is."""
    record = await desk.create(_asked(delivery))
    fault = kit.site.faults.get(delivery.lane)
    noted = _noted(kit, delivery, record, "fault")
    if fault is None:
        return noted
    known = replace(fault, external_id=record.external_id)
    return merged(noted, Change(faults=(known,)))


async def settle_fault(kit: Kit, desk: Desk, delivery: Delivery) -> Change:
    """Tell the record of a fault that it has cleared. The lane puts this after the creation.

    If a person has given the creation up, there is no record to tell: the fault ends here.
    """
    fault = kit.site.faults.get(delivery.lane)
    if fault is None or not fault.external_id:
        over = () if fault is None else (replace(fault, given_up=True),)
        ended = given_up(kit, delivery, "this fault never had a record at the desk", "gateway")
        return merged(ended, Change(faults=over))
    record = await _written(desk, fault.external_id, delivery)
    gone = Change(faults=(fault,)) if fault.cleared_at else Change()
    return merged(_noted(kit, delivery, record, "fault_cleared"), gone)


async def publish(feed: Feed, delivery: Delivery) -> Change:
    """Publish one CloudEvent."""
    await feed.publish(delivery.payload)
    return Change()


def given_up(kit: Kit, delivery: Delivery, reason: str, actor: str) -> Change:
    """A delivery ends without having arrived. Without its final write the case closes, too."""
    now = kit.clock.now()
    note = Entry(
        action="delivery.dropped",
        at=now,
        text=f"Given up: {delivery.verb} to {delivery.target}: {reason}",
        case_id=delivery.case_id,
        order_id=delivery.order_id,
        trace_id=delivery.trace_id,
        actor=actor,
        data={"delivery": delivery.id, "reason": reason},
    )
    ended = Change(deliveries=(dropped(delivery, reason, now),), entries=(note,))
    if not delivery.final:
        return ended
    how = f"its final write was given up by {actor}: {reason}"
    return merged(ended, kit.move(delivery.case_id, Confirmed(how=how)))


async def _written(desk: Desk, external_id: str, delivery: Delivery) -> DeskRecord:
    """Write it. Of a replayed one, parts may have arrived before: what was said isn't said again,
    and that it was said doesn't mean that the desk has taken the fields, so they are seen to apart.
    """
    asked = _asked(delivery)
    record = await desk.write(external_id, asked)
    if delivery.replays and asked.fields and (asked.comment or asked.note):
        return await desk.write(external_id, replace(asked, comment="", note=""))
    return record


def _asked(delivery: Delivery) -> DeskWrite:
    payload = delivery.payload
    return DeskWrite(
        key=delivery.id,
        fields=cast("Mapping[str, str]", payload.get("fields", {})),
        comment=str(payload.get("comment", "")),
        note=str(payload.get("note", "")),
        expect=cast("Mapping[str, Sequence[str]]", payload.get("expect", {})),
        retried=delivery.attempts > 0 or delivery.replays > 0,
    )


def _noted(
    kit: Kit,
    delivery: Delivery,
    record: DeskRecord,
    told: str,
    kept: Mapping[str, object] | None = None,
) -> Change:
    case = kit.site.cases.get(delivery.case_id)
    note = Entry(
        action="desk.updated",
        at=kit.clock.now(),
        text=f"The desk has taken {told!r} for {case.number if case else record.external_id}.",
        case_id=delivery.case_id,
        order_id=delivery.order_id,
        desk=delivery.target.removeprefix("desk:"),
        trace_id=delivery.trace_id,
        data={"delivery": delivery.id, "status": told, "version": record.version, **(kept or {})},
    )
    return Change(entries=(note,))


def _seen(kit: Kit, delivery: Delivery, record: DeskRecord) -> Change:
    """The case with the version that our own write made, so that it isn't taken for news."""
    case = kit.site.cases.get(delivery.case_id)
    if case is None or case.version == record.version:
        return Change()
    return Change(cases=(replace(case, version=record.version),))


def _overtaken(kit: Kit, delivery: Delivery, external_id: str, conflict: Conflict) -> Change:
    ended = given_up(kit, delivery, f"overtaken at the desk: {conflict}", "gateway")
    case = kit.site.cases.get(delivery.case_id)
    return merged(ended, kit.fetch(delivery.target.removeprefix("desk:"), external_id, case))
