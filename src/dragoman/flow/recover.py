"""Step 8: deadlines that have passed, and what to do after a start.

Called by the runtime's timer and once at start. Recovery is only this: the journal gives the
state, open deliveries leave again, passed deadlines fire, and robots are asked how they are.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from dragoman.domain.case import WORKING, Case, CaseState
from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.errors import Permanent
from dragoman.domain.events import Due, GatewayStarted
from dragoman.domain.robot import Presence
from dragoman.flow.kit import Kit


def overdue(kit: Kit, why_waiting: Callable[[Case], str], limit: int = 200) -> Change:
    """Fire the deadlines that have passed, at most `limit` in one change, oldest first."""
    now = kit.clock.now()
    late = [c for c in kit.site.cases.values() if c.due_at is not None and c.due_at <= now]
    late.sort(key=lambda case: case.due_at or now)
    changes = []
    for case in late[:limit]:
        detail = why_waiting(case) if case.state is CaseState.QUEUED else ""
        changes.append(kit.move(case.id, Due(detail=detail, unsent=_unsent(kit, case))))
    return merged(*changes)


def _unsent(kit: Kit, case: Case) -> bool:
    """Whether the case's order waits in the outbox and has certainly never left it."""
    if case.state is not CaseState.ASSIGNED:
        return False
    waiting = [d for d in kit.site.pending(case.order_id) if d.verb == "order"]
    return bool(waiting) and not any(d.id in kit.site.out for d in waiting)


def started(kit: Kit, version: str) -> Change:
    """Note the start, let no deadline pass before robots could be heard, and ask all of them.

    Those bound to an order tell what became of it; of the others, none can be given work before
    it has spoken, and a robot that has nothing to say is silent for as long as 30 s (VDA 5050).
    """
    draft = kit.draft()
    site = kit.site
    out = [case for case in site.cases.values() if case.state in WORKING]
    draft.entries.append(
        Entry(
            action="gateway.started",
            at=draft.now,
            text=f"Dragoman {version} started with {len(site.cases)} open cases, "
            f"{len(out)} of them at robots.",
            data={"version": version, "open": len(site.cases), "working": len(out)},
        )
    )
    for case in site.cases.values():
        attempt = site.assignments.get(case.order_id)
        heard = None if attempt is None else site.reports.get(attempt.robot_id)
        kit.add(draft, case.id, GatewayStarted(heard=heard))
    for robot in site.robots.values():
        if robot.presence is not Presence.SILENT:
            silent = replace(draft.robot(robot.id), presence=Presence.SILENT)
            draft.robots[robot.id] = silent  # until it is heard
        try:
            draft.ask(robot.id, draft.now + timedelta(minutes=1))
        except Permanent:
            continue  # this dialect can't be asked; its next state will tell
    return draft.change()
