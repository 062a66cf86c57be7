"""What the desk does to a case: edits, calling off, and taking the final status."""

from dataclasses import replace
from datetime import datetime

from dragoman.domain import events as on
from dragoman.domain.case import ENDED, CaseState
from dragoman.domain.lifecycle.step import (
    Job,
    Note,
    Step,
    end,
    entry,
    nothing,
    queue,
    stop,
)
from dragoman.domain.order import Then
from dragoman.domain.policy import Policy
from dragoman.domain.status import Told

ELSEWHERE = frozenset({"location", "kind"})
"""Edits of these make the present order wrong, so it is taken back."""


def edited(job: Job, event: on.Edited, now: datetime, policy: Policy) -> Step:
    """Take over the edit; where it makes the order wrong, stop and look again for a robot."""
    if job.case.state in ENDED or job.case.state is CaseState.CLOSED:
        return nothing(job)
    draft = event.draft
    case = replace(
        job.case,
        number=draft.number,
        kind=draft.kind,
        title=draft.title,
        priority=draft.priority,
        location=draft.location,
        due_by=draft.due_by,
        fields=dict(draft.fields),
        version=draft.version,
        desk_updated_at=draft.updated_at,
    )
    what = ", ".join(event.fields)
    note = Note(
        action="case.edited",
        text=f"Edited at the desk: {what}.",
        actor=f"desk:{case.desk}",
        data={"fields": list(event.fields)},
    )
    changed = replace(job, case=case)
    line = entry(changed, note, now)
    step = Step(job=changed, entries=(line,))
    if not ELSEWHERE & set(event.fields):
        return step
    attempt = job.assignment
    if attempt is not None and job.live(attempt.order_id) is not None:
        reason = f"edited at the desk: {what}"
        why = Note(
            action="case.stopping",
            text=f"Stopping: {reason}.",
            actor=note.actor,
            data={"reason": reason},
        )
        step = stop(changed, attempt, Then.REQUEUE, now, policy, why)
    elif case.state is CaseState.HELD and not case.perhaps_done:
        why = Note(action="case.released", text="Released by an edit at the desk.")
        step = queue(changed, now, policy, why, Told.QUEUED)
    return replace(step, entries=(line, *(e for e in step.entries if e is not line)))


def called_off(job: Job, event: on.CalledOff, now: datetime, policy: Policy) -> Step:
    """Cancel; an order that may be out is stopped first."""
    if job.case.state in ENDED or job.case.state is CaseState.CLOSED:
        return nothing(job)
    data = {"reason": event.reason}
    attempt = job.assignment
    if attempt is not None and job.live(attempt.order_id) is not None:
        note = Note(
            action="case.stopping",
            text=f"Stopping: {event.reason}.",
            actor=event.actor,
            data=data,
        )
        return stop(job, attempt, Then.CANCEL, now, policy, note)
    note = Note(
        action="case.cancelled", text=f"Cancelled: {event.reason}.", actor=event.actor, data=data
    )
    return end(job, CaseState.CANCELLED, Told.CANCELLED, now, policy, note)


def confirmed(job: Job, event: on.Confirmed, now: datetime) -> Step:
    """The desk knows the outcome: the case is closed, and out of the working set."""
    if job.case.state not in ENDED:
        return nothing(job)
    case = replace(job.case, state=CaseState.CLOSED, since=now, due_at=None)
    closed = replace(job, case=case)
    note = Note(
        action="case.closed",
        text=f"{case.number} is closed ({job.case.state.value}): {event.how}.",
        data={"outcome": job.case.state.value, "how": event.how},
    )
    return Step(job=closed, entries=(entry(closed, note, now),))
