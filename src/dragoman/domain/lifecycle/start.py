"""What a start of the gateway means for open cases: time in which nobody listened blames nobody.

While the gateway was away, robots went on and could not be heard, and waiting cases could not be
given to any. So a deadline that passed meanwhile, or is about to, says nothing yet:

- A robot at work gets `policy.start_grace` to speak first. What it got done meanwhile counts as
  progress (domain/evidence.py); if it got nothing done, its time was up all the same.
- The grace ends for an order when its robot is heard and doesn't show it: it has the usual time to
  acknowledge from there.
- An order that may not have arrived goes out once more, but only if it is as young as those that
  are repeated without a start: a robot that did it, and restarted since, would do it again.
- An order that no robot has shown for `policy.boot_least` may have been done and forgotten unheard:
  a restart is seen by a header that starts anew, and by now it may have counted on past the last
  one journalled. It isn't sent again, and unless the robot's first state proves that it did not
  restart, only a cancelOrder that FINISHED, or a person, gives the case to another robot.
- A robot that is being stopped is asked anew, for as long as `policy.stop_within`.
- A case that waits for a robot waits anew, since only the gateway could have given it one.
- A person is reminded after the grace, when what the outage held back has been told.
"""

from dataclasses import replace
from datetime import datetime

from dragoman.domain import events as on
from dragoman.domain.case import CaseState
from dragoman.domain.effects import Effect, PublishCancel, PublishOrder, Withdraw
from dragoman.domain.evidence import forgettable
from dragoman.domain.lifecycle.step import Job, Note, Step, after, entry, nothing
from dragoman.domain.order import Assignment
from dragoman.domain.policy import Policy


def gateway_started(job: Job, event: on.GatewayStarted, now: datetime, policy: Policy) -> Step:
    """Move a deadline that passes before robots could be heard; never to an earlier time."""
    case, attempt = job.case, job.assignment
    heard = after(now, _grace(job, policy))
    if case.due_at is None or case.state is CaseState.RECEIVED:
        return nothing(job)
    old = attempt is not None and forgettable(attempt, event.heard, now, policy)
    if old and attempt is not None and case.state in {CaseState.ASSIGNED, CaseState.ORDERED}:
        return _moved(job, max(heard, case.due_at), now, (_withdrawn(attempt),))
    if case.due_at >= heard:
        return nothing(job)
    if case.state is CaseState.STOPPING and attempt is not None:
        return _stop_anew(job, attempt, now, policy)
    if case.state is CaseState.QUEUED:
        return _moved(job, max(case.due_at, after(now, policy.assign_within)), now)
    until = after(case.since, policy.accept_within)
    if case.state is CaseState.ORDERED and attempt is not None and now < until:
        return _moved(job, heard, now, (PublishOrder(order=attempt.order, not_after=until),))
    return _moved(job, heard, now)


def unheard(job: Job, event: on.Unheard, now: datetime) -> Step:
    """A robot that is heard so late after its order that it may have done and forgotten it."""
    attempt = job.live(event.order_id)
    if attempt is None:
        return nothing(job)
    doubtful = replace(job, assignment=replace(attempt, doubtful=True))
    text = f"Robot {attempt.robot_id} may have done the order unheard, and forgotten it."
    note = Note(action="order.doubtful", text=text)
    effects: tuple[Effect, ...] = ()
    if job.case.state in {CaseState.ASSIGNED, CaseState.ORDERED}:
        effects = (_withdrawn(attempt),)
    return Step(job=doubtful, entries=(entry(doubtful, note, now),), effects=effects)


def _withdrawn(attempt: Assignment) -> Withdraw:
    return Withdraw(
        robot_id=attempt.robot_id, order_id=attempt.order_id, reason="too old to be sent again"
    )


def unshown(job: Job, event: on.Unshown, now: datetime, policy: Policy) -> Step:
    """The grace is over for this robot: it was heard. The order may still be on its way to it."""
    attempt, due_at = job.live(event.order_id), after(now, policy.accept_within)
    ordered = job.case.state is CaseState.ORDERED and job.case.due_at is not None
    if attempt is None or not ordered or (job.case.due_at or due_at) <= due_at:
        return nothing(job)
    moved = replace(job, case=replace(job.case, due_at=due_at))
    text = f"Robot {attempt.robot_id} is heard and doesn't show the order; "
    text += f"it has until {due_at:%H:%M:%S} UTC."
    note = Note(action="case.deadline_moved", text=text, data={"until": due_at.isoformat()})
    return Step(job=moved, entries=(entry(moved, note, now),))


def _moved(job: Job, due_at: datetime, now: datetime, effects: tuple[Effect, ...] = ()) -> Step:
    moved = replace(job, case=replace(job.case, due_at=due_at))
    return Step(job=moved, entries=(entry(moved, _note(due_at), now),), effects=effects)


def _grace(job: Job, policy: Policy) -> float:
    """Seconds to be heard in; so few that progress told within them moves the deadline on."""
    if job.case.state not in {CaseState.ACCEPTED, CaseState.EXECUTING} or job.assignment is None:
        return policy.start_grace
    return min(policy.start_grace, policy.progress_window(job.assignment.expected_s) / 2)


def _stop_anew(job: Job, attempt: Assignment, now: datetime, policy: Policy) -> Step:
    """The time to confirm the stop begins now: nobody asked for it while the gateway was away."""
    again = after(now, policy.cancel_every)
    moved = Job(
        case=replace(job.case, since=now, due_at=again),
        assignment=replace(attempt, cancels=attempt.cancels + 1),
    )
    cancel = PublishCancel(
        robot_id=attempt.robot_id,
        order_id=attempt.order_id,
        action_id=attempt.cancel_id,
        not_after=again,
    )
    note = _note(after(now, policy.stop_within))
    return Step(job=moved, entries=(entry(moved, note, now),), effects=(cancel,))


def _note(until: datetime) -> Note:
    text = f"The gateway was away; this waits until {until:%H:%M:%S} UTC."
    return Note(action="case.deadline_moved", text=text, data={"until": until.isoformat()})
