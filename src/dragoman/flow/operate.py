"""Step 7: what people decide about cases and deliveries, with their name and their reason.

Called by the web API (and through it the CLI) and by the runtime for commands of feeds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.delivery import Delivery, DeliveryState, replayed
from dragoman.domain.errors import Permanent
from dragoman.domain.events import CalledOff, Event, Hold, Reassign, Release, Stopped
from dragoman.flow.kit import Kit
from dragoman.ports.feed import FeedCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who decides, and why. Both end up in the journal and at the desk."""

    actor: str
    reason: str

    def __post_init__(self) -> None:
        """Raise Permanent without a reason."""
        if not self.reason.strip():
            raise Permanent("a reason is needed", field="reason", mend="say why, in a few words")


def _hold(decision: Decision, _: str) -> Event:
    return Hold(reason=decision.reason, actor=decision.actor)


def _release(decision: Decision, _: str) -> Event:
    return Release(reason=decision.reason, actor=decision.actor)


def _cancel(decision: Decision, _: str) -> Event:
    return CalledOff(reason=decision.reason, actor=decision.actor)


def _reassign(decision: Decision, _: str) -> Event:
    return Reassign(reason=decision.reason, actor=decision.actor)


def _confirm_stopped(decision: Decision, order_id: str) -> Event:
    proof = f"{decision.actor} confirms that the robot stands still: {decision.reason}"
    return Stopped(order_id=order_id, proof=proof, actor=decision.actor)


ACTIONS: Mapping[str, Callable[[Decision, str], Event]] = {
    "hold": _hold,
    "release": _release,
    "cancel": _cancel,
    "reassign": _reassign,
    "confirm-stopped": _confirm_stopped,
}
"""What can be done with a case, by the name that the API and the CLI use."""

PARTICIPLES: Mapping[str, str] = {
    "hold": "held",
    "release": "released",
    "cancel": "cancelled",
    "reassign": "reassigned",
    "confirm-stopped": "confirmed as stopped",
}


def act(kit: Kit, case_id: str, action: str, decision: Decision) -> Change:
    """The change that an action on an open case makes. Raises Permanent if it means nothing now."""
    job = kit.job(case_id)
    if job is None:
        raise Permanent("no open case has this id", field="case", value=case_id)
    make = ACTIONS.get(action)
    if make is None:
        known = ", ".join(ACTIONS)
        raise Permanent("no such action", field="action", value=action, mend=f"use {known}")
    change = kit.move(case_id, make(decision, job.case.order_id))
    if not change:
        raise Permanent(
            f"{action} means nothing for a case that is {job.case.state.value}",
            field="action",
            value=action,
        )
    return change


def ask(kit: Kit, case_id: str, action: str, decision: Decision) -> Change:
    """As `act`; but a held case is released only once its record has been read and mapped anew.

    So a mapping, or a record, that was mended meanwhile takes effect before a robot is sent.
    """
    job = kit.job(case_id)
    if job is None or action != "release" or job.case.state is not CaseState.HELD:
        return act(kit, case_id, action, decision)
    case = job.case
    if any(d.state is DeliveryState.QUEUED for d in releasing(kit, case)):
        raise Permanent(
            f"{case.number} is being released already: its record has still to be read",
            field="action",
            value=action,
            mend="see `dragoman deliveries list`",
        )
    who = {"actor": decision.actor, "reason": decision.reason}
    note = Entry(
        action="case.release_asked",
        at=kit.clock.now(),
        text=f"To be released once its record is read again: {decision.reason}.",
        case_id=case_id,
        desk=case.desk,
        trace_id=case.trace_id,
        actor=decision.actor,
        data={"reason": decision.reason},
    )
    return merged(kit.fetch(case.desk, case.external_id, case, who), Change(entries=(note,)))


def releasing(kit: Kit, case: Case) -> list[Delivery]:
    """The reads of a case's record that are to release it, on their way or dead."""
    lane = kit.site.lanes.get((f"desk:{case.desk}", f"fetch:{case.external_id}"), {})
    return [d for d in lane.values() if d.case_id == case.id and d.payload.get("release")]


def over(case: Case, action: str) -> Permanent:
    """Why an action on a case that is over is refused."""
    how = case.state.value if case.outcome is None else case.outcome.value
    since = case.since.isoformat(timespec="seconds")
    return Permanent(
        f"{case.number} is closed ({how}) since {since}; it can't be {PARTICIPLES[action]}",
        field="case",
        value=case.number,
    )


def from_feed(kit: Kit, command: FeedCommand) -> Change:
    """What a feed's other end asks for. A misunderstanding is noted, never dropped.

    Raises Permanent if the command means nothing for the case now.
    """
    named = _named(kit, command.case)
    if command.error or command.verb == "acknowledge":
        known = named[0] if len(named) == 1 else ""
        text = command.error or f"{command.actor} acknowledges: {command.reason}"
        note = Entry(
            action="feed.unreadable" if command.error else "feed.acknowledged",
            at=kit.clock.now(),
            text=text[:2000],
            case_id=known,
            actor=command.actor or "feed",
            data={"raw": command.raw[:10_000]},
        )
        return Change(entries=(note,))
    if not named:
        raise Permanent("no open case has this id or number", field="case", value=command.case)
    if len(named) > 1:
        mend = f"use one of the ids {', '.join(named)}"
        raise Permanent(
            "several cases have this number", field="case", value=command.case, mend=mend
        )
    decision = Decision(actor=command.actor, reason=command.reason or f"{command.verb} by feed")
    return ask(kit, named[0], command.verb, decision)


def _named(kit: Kit, name: str) -> list[str]:
    """Ids of the open cases with this id or number."""
    if name in kit.site.cases:
        return [name]
    return [case.id for case in kit.site.cases.values() if case.number == name]


def replay(
    kit: Kit, delivery: Delivery, decision: Decision, payload: Mapping[str, object] | None = None
) -> Change:
    """A dead letter goes out again, edited or as it is. Raises Permanent if it isn't dead."""
    again = replace(replayed(delivery, payload), reason="")
    note = Entry(
        action="delivery.replayed",
        at=kit.clock.now(),
        text=f"Replayed: {delivery.verb} to {delivery.target}: {decision.reason}",
        case_id=delivery.case_id,
        order_id=delivery.order_id,
        trace_id=delivery.trace_id,
        actor=decision.actor,
        data={"delivery": delivery.id, "edited": payload is not None, "was": delivery.reason},
    )
    return Change(deliveries=(again,), entries=(note,))


def ban(kit: Kit, robot_id: str, decision: Decision, *, lift: bool = False) -> Change:
    """Take a robot out of service or back in. What it has at hand goes on."""
    robot = kit.site.robots.get(robot_id)
    if robot is None:
        raise Permanent("no robot has this id", field="robot", value=robot_id)
    changed = replace(
        robot,
        banned="" if lift else decision.reason,
        quarantined="" if lift else robot.quarantined,
    )
    verb = "back in service" if lift else "out of service"
    note = Entry(
        action="robot.unbanned" if lift else "robot.banned",
        at=kit.clock.now(),
        text=f"Robot {robot_id} is {verb}: {decision.reason}",
        robot_id=robot_id,
        actor=decision.actor,
        data={"reason": decision.reason},
    )
    return merged(Change(robots=(changed,), entries=(note,)))
