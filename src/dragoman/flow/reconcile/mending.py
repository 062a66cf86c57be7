"""What the rules do about a mismatch: one change, or none if no rule helps. Used by book.py."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from dragoman.domain.case import ENDED
from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.delivery import Delivery, DeliveryState, dropped
from dragoman.domain.errors import Permanent
from dragoman.domain.events import CalledOff, Confirmed, Event, Hold
from dragoman.domain.order import LIVE, Assignment
from dragoman.domain.reconcile.desk import WRITTEN
from dragoman.domain.reconcile.mismatch import Mend, Mismatch, Rules
from dragoman.domain.reconcile.robot import Fleet, conclusion
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile.history import every


async def mend(kit: Kit, found: Mismatch, rules: Rules, fleet: Fleet) -> Change:
    """The change that mends it; empty if no rule helps now. Commit before anything is awaited."""
    match found.mend:
        case Mend.FETCH:
            return _fetch(kit, found)
        case Mend.WRITE:
            return _write_again(kit, found, await _written(kit, found))
        case Mend.CALL_OFF:
            return _call_off(kit, found, rules)
        case Mend.EVIDENCE:
            case = kit.site.cases.get(found.case_id)
            event = None if case is None else conclusion(fleet, case)
            return Change() if event is None else kit.move(found.case_id, event)
        case Mend.STOP:
            attempts = await every(kit, Assignment, {"order_id": found.order_id})
            return _stop(kit, found) if attempts else Change()
        case Mend.OUTBOX | Mend.PERSON | Mend.NONE:
            return Change()


def _fetch(kit: Kit, found: Mismatch) -> Change:
    """Read the record through intake, which must not take it for known."""
    case = kit.site.cases.get(found.case_id)
    forgotten = () if case is None else (replace(case, version="", desk_updated_at=None),)
    desk = found.target.removeprefix("desk:")
    return merged(Change(cases=forgotten), kit.fetch(desk, found.external_id, case))


async def _written(kit: Kit, found: Mismatch) -> list[Delivery]:
    """The writes that the desk has taken for the case, oldest first."""
    where = {
        "case_id": found.case_id,
        "target": found.target,
        "state": DeliveryState.DELIVERED.value,
    }
    rows = await every(kit, Delivery, where)
    return [row for row in rows if row.verb == "write"]


def _write_again(kit: Kit, found: Mismatch, taken: list[Delivery]) -> Change:
    """The last values that we wrote into the fields that differ. What was said isn't repeated."""
    values: dict[str, object] = {}
    for delivery in taken:
        fields = delivery.payload.get("fields")
        values |= fields if isinstance(fields, Mapping) else {}
    differing = {name.removeprefix(WRITTEN) for name in found.fields if name.startswith(WRITTEN)}
    wanted = {name: value for name, value in values.items() if name in differing}
    if not wanted:
        return Change()
    payload: dict[str, object] = {
        "fields": wanted,
        "expect": taken[-1].payload.get("expect", {}),
        "external_id": found.external_id,
        "status": taken[-1].payload.get("status", ""),
    }
    return Change(deliveries=(_delivery(kit, found, found.case_id, "write", payload),))


def _call_off(kit: Kit, found: Mismatch, rules: Rules) -> Change:
    event: Event
    case = kit.site.cases.get(found.case_id)
    if case is not None and case.state in ENDED and rules.left != "ask":
        return _tell_nobody(kit, found)
    match rules.left:
        case "cancel":
            event = CalledOff(reason=found.text, actor="gateway")
        case "hold":
            event = Hold(reason=found.text, actor="gateway")
        case _:
            return Change()
    return kit.move(found.case_id, event)


def _tell_nobody(kit: Kit, found: Mismatch) -> Change:
    """The record is gone: what waits to be told to it is given up, and the case closes."""
    now = kit.clock.now()
    waiting = kit.site.lanes.get((found.target, found.case_id), {})
    ended = tuple(dropped(delivery, found.text, now) for delivery in waiting.values())
    notes = tuple(
        Entry(
            action="delivery.dropped",
            at=now,
            text=f"Given up: {delivery.verb} to {delivery.target}: {found.text}",
            case_id=found.case_id,
            order_id=delivery.order_id,
            trace_id=delivery.trace_id,
            data={"delivery": delivery.id, "reason": found.text},
        )
        for delivery in ended
    )
    closed = kit.move(found.case_id, Confirmed(how=found.text))
    return merged(Change(deliveries=ended, entries=notes), closed)


def _stop(kit: Kit, found: Mismatch) -> Change:
    """Tell the robot to stop an order of ours that it should not have, and give it no other."""
    robot = kit.site.robots.get(found.robot_id)
    attempt = kit.site.assignments.get(found.order_id)
    live = attempt is not None and attempt.state in LIVE and attempt.robot_id == found.robot_id
    if robot is None or live:
        return Change()
    draft = kit.draft()
    draft.robots[robot.id] = replace(robot, quarantined=robot.quarantined or found.text)
    try:
        draft.call_back(robot.id, found.order_id, draft.now + timedelta(seconds=10))
    except Permanent:
        return Change()  # this dialect can't be told; a person has to
    return draft.change()


def _delivery(
    kit: Kit, found: Mismatch, lane: str, verb: str, payload: Mapping[str, object]
) -> Delivery:
    return Delivery(
        id=kit.clock.new_id(),
        target=found.target,
        lane=lane,
        verb=verb,
        payload=payload,
        created_at=kit.clock.now(),
        case_id=found.case_id,
        trace_id=found.trace_id,
    )
