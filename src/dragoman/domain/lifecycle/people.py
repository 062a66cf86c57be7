"""What people decide about a case, and what only they can mend."""

from datetime import datetime

from dragoman.domain import events as on
from dragoman.domain.case import CaseState
from dragoman.domain.lifecycle.step import Job, Note, Step, hold_case, nothing, queue, stop
from dragoman.domain.order import Then
from dragoman.domain.policy import Policy
from dragoman.domain.status import Told


def unplaceable(job: Job, event: on.Unplaceable, now: datetime, policy: Policy) -> Step:
    """No mission or place fits: a person has to mend the case or the configuration."""
    if job.case.state not in {CaseState.RECEIVED, CaseState.QUEUED}:
        return nothing(job)
    note = Note(action="case.held", text=event.reason, data={"reason": event.reason})
    return hold_case(job, now, policy, note)


def hold(job: Job, event: on.Hold, now: datetime, policy: Policy) -> Step:
    """A person wants the case to wait; a running order is stopped first."""
    reason = f"{event.actor.partition(':')[2] or event.actor} wants it to wait: {event.reason}"
    data = {"reason": reason}
    attempt = job.assignment
    if attempt is not None and job.live(attempt.order_id) is not None:
        note = Note(
            action="case.stopping", text=f"Stopping: {reason}.", actor=event.actor, data=data
        )
        return stop(job, attempt, Then.HOLD, now, policy, note)
    if job.case.state is not CaseState.QUEUED:
        return nothing(job)
    note = Note(action="case.held", text=reason, actor=event.actor, data=data)
    return hold_case(job, now, policy, note)


def release(job: Job, event: on.Release, now: datetime, policy: Policy) -> Step:
    """A held case is sent on its way again, with a clean slate of robots and attempts."""
    if job.case.state is not CaseState.HELD:
        return nothing(job)
    note = Note(
        action="case.released",
        text=f"Released: {event.reason}.",
        actor=event.actor,
        data={"reason": event.reason, "forgiven": dict(job.case.excluded)},
    )
    step = queue(job, now, policy, note, Told.QUEUED)
    return step.forgiving()


def reassign(job: Job, event: on.Reassign, now: datetime, policy: Policy) -> Step:
    """Another robot, please: the present one is stopped first."""
    attempt = job.assignment
    if attempt is None or job.live(attempt.order_id) is None:
        return nothing(job)
    note = Note(
        action="case.stopping",
        text=f"Another robot is wanted: {event.reason}.",
        actor=event.actor,
        data={"reason": event.reason},
    )
    return stop(job, attempt, Then.REQUEUE, now, policy, note)
