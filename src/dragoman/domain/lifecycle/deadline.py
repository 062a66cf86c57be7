"""What happens when the deadline of a state passes. No wait is without one (G3)."""

from dataclasses import replace
from datetime import datetime

from dragoman.domain import events as on
from dragoman.domain.case import ENDED, CaseState
from dragoman.domain.effects import PublishCancel, PublishOrder
from dragoman.domain.lifecycle.step import (
    Job,
    Note,
    Step,
    after,
    enter,
    entry,
    hold_case,
    nothing,
    queue,
    release_robot,
    stop,
    tell,
)
from dragoman.domain.order import Assignment, AssignmentState, Then
from dragoman.domain.policy import Policy
from dragoman.domain.status import Told


def due(job: Job, event: on.Due, now: datetime, policy: Policy) -> Step:
    """The deadline has passed; what that means depends on the state alone."""
    case = job.case
    if case.due_at is None or now < case.due_at:
        return nothing(job)
    if case.state is CaseState.QUEUED:
        text = f"No robot within {policy.assign_within:.0f} s. {event.detail}".strip()
        return hold_case(job, now, policy, Note(action="case.held", text=text))
    if case.state is CaseState.HELD or case.state in ENDED:
        return _remind(job, now, policy)
    attempt = job.assignment
    if attempt is None:
        return hold_case(
            job, now, policy, Note(action="case.held", text="Its order is missing in the journal")
        )
    if case.state is CaseState.UNCERTAIN:
        return _remind(job, now, policy)
    if case.state is CaseState.STOPPING:
        return _still_stopping(job, attempt, now, policy)
    if case.state is CaseState.ORDERED:
        return _unacknowledged(job, attempt, now, policy)
    if case.state is CaseState.ASSIGNED:
        reason = f"the broker did not take the order within {policy.publish_within:.0f} s"
        if event.unsent and not attempt.doubtful and not attempt.sends:
            return _unsent(job, attempt, reason, now, policy)
        return _take_back(job, attempt, reason, Then.REQUEUE, now, policy)
    reason = f"no progress within {(now - case.since).total_seconds():.0f} s"
    return _take_back(job, attempt, reason, Then.HOLD, now, policy)


def _take_back(
    job: Job, attempt: Assignment, reason: str, then: Then, now: datetime, policy: Policy
) -> Step:
    note = Note(action="case.stopping", text=f"Stopping: {reason}.", data={"reason": reason})
    return stop(job, attempt, then, now, policy, note)


def _unsent(job: Job, attempt: Assignment, reason: str, now: datetime, policy: Policy) -> Step:
    """The robot never had the order, so nobody is to blame and nothing has to be stopped."""
    note = Note(
        action="case.requeued",
        text=f"The order never left ({reason}); looking for a robot.",
        data={"reason": reason},
    )
    case = replace(job.case, forgiven=job.case.forgiven + 1)
    step = queue(replace(job, case=case), now, policy, note, Told.REQUEUED)
    return release_robot(step, attempt, AssignmentState.STOPPED, now)


def _unacknowledged(job: Job, attempt: Assignment, now: datetime, policy: Policy) -> Step:
    """Identical bytes again at each step of the ladder, then the order is taken back.

    Never again what the robot may have done and forgotten: it would do it once more.
    """
    waited = (now - job.case.since).total_seconds()
    ladder = (*policy.repeat_after, policy.accept_within)
    left = [] if attempt.doubtful else [rung for rung in ladder if rung > waited]
    if not left:
        reason = f"robot {attempt.robot_id} did not acknowledge within {policy.accept_within:g} s"
        reason += f" and refused a copy: {attempt.reason}" if attempt.reason else ""
        return _take_back(job, attempt, reason, Then.REQUEUE, now, policy)
    due_at = after(job.case.since, left[0])
    moved = Job(case=replace(job.case, due_at=due_at), assignment=replace(attempt, repeated=True))
    note = Note(
        action="order.unacknowledged",
        text=f"No acknowledgement by robot {attempt.robot_id} for {waited:.1f} s; sending again.",
    )
    return Step(
        job=moved,
        entries=(entry(moved, note, now),),
        effects=(PublishOrder(order=attempt.order, not_after=due_at),),
    )


def _still_stopping(job: Job, attempt: Assignment, now: datetime, policy: Policy) -> Step:
    """cancelOrder again, until the robot's silence makes the case uncertain."""
    waited = (now - job.case.since).total_seconds()
    if waited < policy.stop_within:
        again = after(now, min(policy.cancel_every, policy.stop_within - waited))
        counted = replace(attempt, cancels=attempt.cancels + 1)
        moved = Job(case=replace(job.case, due_at=again), assignment=counted)
        note = Note(
            action="order.cancel_repeated",
            text=f"Robot {attempt.robot_id} has not confirmed the stop; asking again.",
        )
        cancel = PublishCancel(
            robot_id=attempt.robot_id,
            order_id=attempt.order_id,
            action_id=attempt.cancel_id,
            not_after=again,
        )
        return Step(job=moved, entries=(entry(moved, note, now),), effects=(cancel,))
    reason = f"{attempt.reason}; robot {attempt.robot_id} does not confirm that it stopped"
    case = enter(job.case, CaseState.UNCERTAIN, now, after(now, policy.remind_in(0)), reason)
    lost = replace(attempt, state=AssignmentState.UNCERTAIN, doubtful=True)
    unsure = Job(case=case, assignment=lost)
    note = Note(
        action="case.uncertain",
        text=f"Uncertain: {reason}. A person has to confirm that it stands still.",
        data={"reason": reason},
    )
    return Step(
        job=unsure,
        entries=(entry(unsure, note, now),),
        effects=(tell(unsure, Told.UNCERTAIN, now),),
    )


def _remind(job: Job, now: datetime, policy: Policy) -> Step:
    """A person has still to act, or the desk to confirm: say so again, ever more seldom."""
    count = job.case.reminders + 1
    case = replace(job.case, reminders=count, due_at=after(now, policy.remind_in(count)))
    moved = replace(job, case=case)
    minutes = (now - case.since).total_seconds() / 60
    note = Note(
        action="case.reminder",
        text=f"{case.number} is {case.state.value} since {minutes:.0f} min: {case.reason}",
        data={"reminders": count},
    )
    if case.state in ENDED:
        return Step(job=moved, entries=(entry(moved, note, now),))
    return Step(
        job=moved, entries=(entry(moved, note, now),), effects=(tell(moved, Told.REMINDER, now),)
    )
