"""What the choice of a robot, the broker and the robot itself do to a case."""

from dataclasses import replace
from datetime import datetime

from dragoman.domain import events as on
from dragoman.domain.case import CaseState
from dragoman.domain.effects import Bind, PublishOrder
from dragoman.domain.lifecycle.step import (
    Job,
    Note,
    Step,
    after,
    end,
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

RUNNING = frozenset(
    {CaseState.ASSIGNED, CaseState.ORDERED, CaseState.ACCEPTED, CaseState.EXECUTING}
)


DECIDED_WITHIN_S = 5.0
"""An order waits this much longer in the outbox than its case does for it to leave: so the case's
deadline still finds it there, and knows that it never left.
"""


def chosen(job: Job, event: on.Chosen, now: datetime, policy: Policy) -> Step:
    """A queued case gets a robot: attempt, binding and order are journalled together."""
    if job.case.state is not CaseState.QUEUED:
        return nothing(job)
    order = event.order
    attempt = Assignment(
        order_id=order.id,
        case_id=job.case.id,
        attempt=job.case.attempts + 1,
        robot_id=order.robot_id,
        state=AssignmentState.PLANNED,
        order=order,
        assigned_at=now,
        expected_s=event.expected_s,
        repeatable=event.repeatable,
        boots=event.boots,
        kind=job.case.kind,
        location=job.case.location,
    )
    due_at = after(now, policy.publish_within)
    case = enter(job.case, CaseState.ASSIGNED, now, due_at)
    case = replace(case, order_id=order.id, attempts=attempt.attempt)
    moved = Job(case=case, assignment=attempt)
    note = Note(
        action="case.assigned",
        text=f"{case.number} goes to robot {order.robot_id} as order {order.id}.",
        data=event.decision,
    )
    return Step(
        job=moved,
        entries=(entry(moved, note, now),),
        effects=(
            Bind(robot_id=order.robot_id, order_id=order.id),
            PublishOrder(order=order, not_after=after(due_at, DECIDED_WITHIN_S)),
            tell(moved, Told.ASSIGNED, now),
        ),
    )


def order_out(job: Job, event: on.OrderOut, now: datetime, policy: Policy) -> Step:
    """The broker has the order; the clock for the robot's acknowledgement runs."""
    attempt = job.live(event.order_id)
    if attempt is None:
        return nothing(job)
    sent = replace(
        attempt,
        sends=attempt.sends + 1,
        sent_at=attempt.sent_at or now,
        repeated=attempt.repeated or event.again,
    )
    if job.case.state is not CaseState.ASSIGNED:
        note = Note(action="order.repeated", text=f"Order {event.order_id} was sent again.")
        counted = Job(case=job.case, assignment=sent)
        return Step(job=counted, entries=(entry(counted, note, now),))
    wait = (*policy.repeat_after, policy.accept_within)[0]
    case = enter(job.case, CaseState.ORDERED, now, after(now, wait))
    moved = Job(case=case, assignment=replace(sent, state=AssignmentState.SENT))
    note = Note(action="case.ordered", text=f"Order {event.order_id} was sent.")
    return Step(job=moved, entries=(entry(moved, note, now),))


def _attempt_accepted(attempt: Assignment, state: AssignmentState, now: datetime) -> Assignment:
    return replace(
        attempt,
        state=state,
        sent_at=attempt.sent_at or now,
        accepted_at=attempt.accepted_at or now,
        started_at=attempt.started_at or (now if state is AssignmentState.EXECUTING else None),
    )


def accepted(job: Job, event: on.Accepted, now: datetime, policy: Policy) -> Step:
    """The robot echoes the order: it is the robot's now."""
    attempt = job.live(event.order_id)
    if attempt is None:
        return nothing(job)
    if job.case.state is CaseState.UNCERTAIN:
        return _resumed(job, attempt, now, policy)
    if job.case.state not in {CaseState.ASSIGNED, CaseState.ORDERED}:
        return nothing(job)
    case = enter(
        job.case, CaseState.ACCEPTED, now, after(now, policy.progress_window(attempt.expected_s))
    )
    moved = Job(case=case, assignment=_attempt_accepted(attempt, AssignmentState.ACCEPTED, now))
    note = Note(action="case.accepted", text=f"Robot {attempt.robot_id} has accepted the order.")
    return Step(
        job=moved, entries=(entry(moved, note, now),), effects=(tell(moved, Told.ACCEPTED, now),)
    )


def _resumed(job: Job, attempt: Assignment, now: datetime, policy: Policy) -> Step:
    """An uncertain order turns up at its robot: it goes on there.

    Unless the desk or a person wanted the stop: then they still do.
    """
    running = replace(
        job,
        case=enter(
            job.case,
            CaseState.EXECUTING,
            now,
            after(now, policy.progress_window(attempt.expected_s)),
        ),
        assignment=_attempt_accepted(attempt, AssignmentState.EXECUTING, now),
    )
    text = f"Robot {attempt.robot_id} is back and has the order."
    if attempt.then is Then.CANCEL or attempt.asked_by:
        text = f"{text} Stopping it: {attempt.reason}."
        note = Note(action="case.stopping", text=text, data={"reason": attempt.reason})
        return stop(running, attempt, attempt.then, now, policy, note)
    note = Note(action="case.resumed", text=text)
    return Step(
        job=running,
        entries=(entry(running, note, now),),
        effects=(tell(running, Told.EXECUTING, now),),
    )


def started(job: Job, event: on.Started, now: datetime, policy: Policy) -> Step:
    """The robot works on the order."""
    attempt = job.live(event.order_id)
    if attempt is None:
        return nothing(job)
    if job.case.state is CaseState.UNCERTAIN:
        return _resumed(job, attempt, now, policy)
    if job.case.state not in {CaseState.ASSIGNED, CaseState.ORDERED, CaseState.ACCEPTED}:
        return nothing(job)
    window = after(now, policy.progress_window(attempt.expected_s))
    case = enter(job.case, CaseState.EXECUTING, now, window)
    moved = Job(case=case, assignment=_attempt_accepted(attempt, AssignmentState.EXECUTING, now))
    notes = [Note(action="case.executing", text=f"Robot {attempt.robot_id} is at work.")]
    if job.case.state is not CaseState.ACCEPTED:
        took = f"Robot {attempt.robot_id} has accepted the order."
        notes.insert(0, Note(action="case.accepted", text=took))
    return Step(
        job=moved,
        entries=tuple(entry(moved, note, now) for note in notes),
        effects=(tell(moved, Told.EXECUTING, now),),
    )


def progressed(job: Job, event: on.Progressed, now: datetime, policy: Policy) -> Step:
    """The robot got further: its deadline moves, once half of it is used up."""
    attempt = job.live(event.order_id)
    if attempt is None or job.case.state is not CaseState.EXECUTING or job.case.due_at is None:
        return nothing(job)
    window = policy.progress_window(attempt.expected_s)
    if (job.case.due_at - now).total_seconds() > window / 2:
        return nothing(job)
    moved = replace(job, case=replace(job.case, due_at=after(now, window)))
    note = Note(action="case.progress", text=f"Robot {attempt.robot_id}: {event.where}.")
    return Step(job=moved, entries=(entry(moved, note, now),))


def finished(job: Job, event: on.Finished, now: datetime, policy: Policy) -> Step:
    """The order is done. If it was called off meanwhile, the case stays cancelled.

    If the case is another one by now, at another place, a person decides what is left to do.
    """
    attempt = job.live(event.order_id)
    if attempt is None:
        return nothing(job)
    if job.case.state in {CaseState.STOPPING, CaseState.UNCERTAIN} and attempt.then is Then.CANCEL:
        reason = f"{attempt.reason}; robot {attempt.robot_id} had finished already"
        note = Note(action="case.cancelled", text=f"Cancelled: {reason}.", data={"reason": reason})
        step = end(job, CaseState.CANCELLED, Told.CANCELLED, now, policy, note)
        return release_robot(step, attempt, AssignmentState.FINISHED, now)
    asked = (attempt.kind, attempt.location)
    if any(asked) and asked != (job.case.kind, job.case.location):
        return _done_elsewhere(job, attempt, now, policy)
    note = Note(
        action="case.done",
        text=f"Robot {attempt.robot_id} has finished {job.case.number}.",
        data={"reason": "", "result": event.result},
    )
    known = replace(job, assignment=_attempt_accepted(attempt, attempt.state, now))
    step = end(known, CaseState.DONE, Told.DONE, now, policy, note)
    return release_robot(step, known.assignment or attempt, AssignmentState.FINISHED, now)


def _done_elsewhere(job: Job, attempt: Assignment, now: datetime, policy: Policy) -> Step:
    """The robot was not stopped in time: it has done what the case asked for before its edit."""
    case = job.case
    text = (
        f"Robot {attempt.robot_id} has done it as it was asked before the edit: "
        f"{attempt.kind} at {attempt.location!r}, not {case.kind} at {case.location!r}"
    )
    step = hold_case(job, now, policy, Note(action="case.held", text=text), perhaps_done=True)
    return release_robot(step, attempt, AssignmentState.FINISHED, now)


def work_failed(job: Job, event: on.WorkFailed, now: datetime, policy: Policy) -> Step:
    """The robot could not do it. Standing still: the case failed; else it is stopped first."""
    attempt = job.live(event.order_id)
    if attempt is None:
        return nothing(job)
    if job.case.state in {CaseState.STOPPING, CaseState.UNCERTAIN}:
        if not event.over:
            return nothing(job)
        proof = on.Stopped(order_id=event.order_id, proof=event.reason)
        return stopped(job, proof, now, policy)
    data = {"reason": event.reason}
    if not event.over:
        note = Note(action="case.stopping", text=f"Stopping the robot: {event.reason}.", data=data)
        return stop(job, attempt, Then.HOLD, now, policy, note)
    note = Note(
        action="case.failed", text=f"Robot {attempt.robot_id} failed: {event.reason}.", data=data
    )
    step = end(job, CaseState.FAILED, Told.FAILED, now, policy, note)
    return release_robot(step, attempt, AssignmentState.FAILED, now)


def requeue(job: Job, attempt: Assignment, reason: str, now: datetime, policy: Policy) -> Step:
    """Another robot, unless enough were tried: then a person, with all reasons."""
    excluded = {**job.case.excluded, attempt.robot_id: reason}
    tried = replace(job, case=replace(job.case, excluded=excluded))
    if job.case.attempts - job.case.forgiven >= policy.max_attempts:
        reasons = "; ".join(f"{robot}: {why}" for robot, why in excluded.items())
        note = Note(
            action="case.held",
            text=f"{job.case.attempts} robots were tried: {reasons}",
            data={"excluded": excluded},
        )
        return hold_case(tried, now, policy, note)
    note = Note(
        action="case.requeued",
        text=f"Not done by robot {attempt.robot_id} ({reason}); looking for another.",
        data={"reason": reason},
    )
    return queue(tried, now, policy, note, Told.REQUEUED)


def unsendable(job: Job, event: on.Unsendable, now: datetime, policy: Policy) -> Step:
    """The order can't be sent to this robot: another, unless a copy of it may be out already."""
    attempt = job.live(event.order_id)
    out = event.maybe_out or attempt is None or attempt.sends or attempt.doubtful
    if attempt is None or out or job.case.state is not CaseState.ASSIGNED:
        return nothing(job)  # its deadline takes it back
    step = requeue(job, attempt, f"its order can't be sent: {event.reason}", now, policy)
    return release_robot(step, attempt, AssignmentState.STOPPED, now)


def refused(job: Job, event: on.Refused, now: datetime, policy: Policy) -> Step:
    """The robot rejected the order: it never had it, so another may get the case at once.

    Unless it got several copies: it may still take one and reject the next. Then its refusal is
    noted, and the wait for its acknowledgement goes on.
    """
    attempt = job.live(event.order_id)
    if attempt is None or attempt.state in {AssignmentState.ACCEPTED, AssignmentState.EXECUTING}:
        return nothing(job)
    stopping = job.case.state in {CaseState.STOPPING, CaseState.UNCERTAIN}
    if attempt.repeated:
        return _refused_a_copy(job, attempt, event.reason, now, policy)
    if stopping and attempt.then is not Then.REQUEUE:
        proof = on.Stopped(order_id=event.order_id, proof=event.reason)
        return stopped(job, proof, now, policy)
    step = requeue(job, attempt, event.reason, now, policy)
    return release_robot(step, attempt, AssignmentState.REFUSED, now)


def _refused_a_copy(
    job: Job, attempt: Assignment, reason: str, now: datetime, policy: Policy
) -> Step:
    if job.case.state is CaseState.UNCERTAIN:
        return returned(job, on.Returned(order_id=attempt.order_id), now, policy)
    if job.case.state is CaseState.STOPPING or attempt.reason == reason:
        return nothing(job)
    noted = replace(job, assignment=replace(attempt, reason=reason))
    text = f"Robot {attempt.robot_id} refuses a copy of the order; it may have another: {reason}"
    note = Note(action="order.copy_refused", text=text, data={"reason": reason})
    return Step(job=noted, entries=(entry(noted, note, now),))


def lost(job: Job, event: on.Lost, now: datetime, policy: Policy) -> Step:
    """The robot had the order and has it no longer: make sure that it stopped, then go on."""
    attempt = job.live(event.order_id)
    if attempt is None or job.case.state not in RUNNING:
        return nothing(job)
    note = Note(
        action="case.stopping",
        text=f"Robot {attempt.robot_id} has lost the order: {event.reason}.",
        data={"reason": event.reason},
    )
    return stop(job, attempt, Then.REQUEUE, now, policy, note)


def returned(job: Job, event: on.Returned, now: datetime, policy: Policy) -> Step:
    """A robot speaks again without our uncertain order: ask it to stop that order, for its word."""
    attempt = job.live(event.order_id)
    if attempt is None or job.case.state is not CaseState.UNCERTAIN:
        return nothing(job)
    again = replace(job, case=replace(job.case, state=CaseState.ORDERED))
    note = Note(
        action="case.stopping",
        text=f"Robot {attempt.robot_id} is back without the order; making sure that it has none.",
        data={"reason": attempt.reason},
    )
    return stop(again, attempt, attempt.then, now, policy, note)


def stopped(job: Job, event: on.Stopped, now: datetime, policy: Policy) -> Step:
    """The robot is known not to run the order: the case goes where `then` says.

    Also when the order turned up again after its cancelOrder, which the robot may read only then;
    a person's word counts while the gateway asks for it.
    """
    attempt = job.live(event.order_id)
    asked = job.case.state in {CaseState.STOPPING, CaseState.UNCERTAIN}
    late = attempt is not None and attempt.cancel_id and event.actor == "gateway"
    if attempt is None or not (asked or late):
        return nothing(job)
    data = {"reason": attempt.reason, "proof": event.proof}
    certain = event.undone or attempt.repeatable
    doubt = f"; robot {attempt.robot_id} may have done it before. {event.proof}"
    match attempt.then:
        case Then.CANCEL:
            note = Note(
                action="case.cancelled",
                text=f"Cancelled: {attempt.reason}. {event.proof}.",
                actor=event.actor,
                data=data,
            )
            step = end(job, CaseState.CANCELLED, Told.CANCELLED, now, policy, note)
        case Then.REQUEUE if certain:
            step = requeue(job, attempt, attempt.reason, now, policy)
        case _:  # who releases it has to know whether it may be done a second time
            text = attempt.reason if certain else attempt.reason + doubt
            note = Note(action="case.held", text=text, actor=event.actor, data=data)
            step = hold_case(job, now, policy, note, perhaps_done=not certain)
    return release_robot(
        step, attempt, AssignmentState.STOPPED, now, rest=attempt.accepted_at is None
    )
