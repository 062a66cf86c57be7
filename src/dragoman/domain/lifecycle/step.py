"""The building blocks of every transition: a job, the step it makes, and the common moves.

Used by the files beside it only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dragoman.domain.case import WORKING, Case, CaseDraft, CaseState
from dragoman.domain.change import Entry
from dragoman.domain.effects import Effect, Free, PublishCancel, Tell, Withdraw
from dragoman.domain.order import LIVE, Assignment, AssignmentState, Then
from dragoman.domain.policy import Policy
from dragoman.domain.status import Status, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A case with its present attempt, if it has one."""

    case: Case
    assignment: Assignment | None = None

    def live(self, order_id: str) -> Assignment | None:
        """The present attempt, if it is this order and may be out at its robot."""
        attempt = self.assignment
        if attempt is None or attempt.order_id != order_id or attempt.state not in LIVE:
            return None
        return attempt if self.case.state in WORKING else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The outcome of a transition. Without entries, nothing happened."""

    job: Job
    entries: tuple[Entry, ...] = ()
    effects: tuple[Effect, ...] = field(default=())

    def __bool__(self) -> bool:
        """Whether anything happened."""
        return bool(self.entries)

    def forgiving(self) -> "Step":
        """The step, with the case's earlier attempts and excluded robots forgotten."""
        case = replace(self.job.case, excluded={}, forgiven=self.job.case.attempts)
        return replace(self, job=replace(self.job, case=case))


def nothing(job: Job) -> Step:
    """The event means nothing in this state."""
    return Step(job=job)


def after(now: datetime, seconds: float) -> datetime:
    """`now` and so many seconds."""
    return now + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a transition says of itself in the journal."""

    action: str
    text: str
    actor: str = "gateway"
    data: Mapping[str, object] = field(default_factory=dict)


def entry(job: Job, note: Note, now: datetime) -> Entry:
    """The journal's line for a note on this job."""
    attempt = job.assignment
    return Entry(
        action=note.action,
        at=now,
        text=note.text,
        case_id=job.case.id,
        order_id=attempt.order_id if attempt else "",
        robot_id=attempt.robot_id if attempt else "",
        desk=job.case.desk,
        trace_id=job.case.trace_id,
        actor=note.actor,
        data=note.data,
    )


def tell(job: Job, told: Told, now: datetime, *, result: str = "") -> Tell:
    """Tell the desk and the feeds where this job stands."""
    attempt = job.assignment
    return Tell(
        status=Status(
            told=told,
            at=now,
            case=job.case,
            robot_id=attempt.robot_id if attempt else "",
            order_id=attempt.order_id if attempt else "",
            reason=job.case.reason,
            result=result,
        )
    )


def enter(case: Case, state: CaseState, now: datetime, due_at: datetime, reason: str = "") -> Case:
    """The case in a new state, with that state's deadline."""
    return replace(case, state=state, since=now, due_at=due_at, reason=reason, reminders=0)


def opened(case_id: str, desk: str, draft: CaseDraft, trace_id: str, now: datetime) -> Case:
    """A case as it is first received, not journalled yet."""
    return Case(
        id=case_id,
        desk=desk,
        external_id=draft.external_id,
        number=draft.number,
        kind=draft.kind,
        title=draft.title,
        priority=draft.priority,
        location=draft.location,
        opened_at=draft.opened_at,
        received_at=now,
        trace_id=trace_id,
        state=CaseState.RECEIVED,
        since=now,
        due_at=now,
        version=draft.version,
        desk_updated_at=draft.updated_at,
        due_by=draft.due_by,
        fields=dict(draft.fields),
    )


def queue(job: Job, now: datetime, policy: Policy, note: Note, told: Told) -> Step:
    """The case waits for a robot; no attempt is live any more."""
    reason = str(note.data.get("reason", ""))
    case = enter(job.case, CaseState.QUEUED, now, after(now, policy.assign_within), reason)
    fresh = Job(case=replace(case, order_id="", perhaps_done=False), assignment=job.assignment)
    return Step(job=fresh, entries=(entry(job, note, now),), effects=(tell(fresh, told, now),))


def hold_case(
    job: Job, now: datetime, policy: Policy, note: Note, *, perhaps_done: bool = False
) -> Step:
    """The case waits for a person, with the reason; it asks again at growing intervals.

    perhaps_done: the work was done, or may have been, so that it is no edit that sends it on.
    """
    case = enter(job.case, CaseState.HELD, now, after(now, policy.remind_in(0)), note.text)
    held = replace(job, case=replace(case, order_id="", perhaps_done=perhaps_done))
    return Step(job=held, entries=(entry(job, note, now),), effects=(tell(held, Told.HELD, now),))


def end(job: Job, state: CaseState, told: Told, now: datetime, policy: Policy, note: Note) -> Step:
    """The work is over one way or the other; the desk has to confirm."""
    case = enter(job.case, state, now, after(now, policy.remind_in(0)), str(note.data["reason"]))
    over = replace(job, case=replace(case, outcome=state))
    result = str(note.data.get("result", ""))
    return Step(
        job=over,
        entries=(entry(job, note, now),),
        effects=(tell(over, told, now, result=result),),
    )


def reject(job: Job, now: datetime, policy: Policy, reason: str) -> Step:
    """The case can't be taken at all (no such mission): the desk is told why."""
    note = Note(action="case.rejected", text=f"Rejected: {reason}.", data={"reason": reason})
    return end(job, CaseState.REJECTED, Told.REJECTED, now, policy, note)


def stop(
    job: Job, attempt: Assignment, then: Then, now: datetime, policy: Policy, note: Note
) -> Step:
    """Take the order back: withdraw what still waits, send cancelOrder, wait for the robot's word.

    Already stopping: only the intention changes, and only towards the more final one.
    """
    reason = str(note.data["reason"])
    asked_by = attempt.asked_by if note.actor == "gateway" else note.actor
    if job.case.state in {CaseState.STOPPING, CaseState.UNCERTAIN}:
        kept = Then.CANCEL if Then.CANCEL in {then, attempt.then} else then
        if kept is attempt.then and asked_by == attempt.asked_by:
            return nothing(job)
        intended = replace(attempt, then=kept, reason=reason, asked_by=asked_by)
        changed = Job(case=job.case, assignment=intended)
        return Step(job=changed, entries=(entry(changed, note, now),))
    cancel_id = f"{attempt.order_id}-cancel"
    again = after(now, policy.cancel_every)
    case = enter(job.case, CaseState.STOPPING, now, again, reason)
    stopping = replace(
        attempt,
        state=AssignmentState.STOPPING,
        then=then,
        reason=reason,
        asked_by=asked_by,
        cancel_id=cancel_id,
        cancels=1,
    )
    moved = Job(case=case, assignment=stopping)
    return Step(
        job=moved,
        entries=(entry(moved, note, now),),
        effects=(
            Withdraw(robot_id=attempt.robot_id, order_id=attempt.order_id, reason=reason),
            PublishCancel(
                robot_id=attempt.robot_id,
                order_id=attempt.order_id,
                action_id=cancel_id,
                not_after=again,
            ),
            tell(moved, Told.STOPPING, now),
        ),
    )


def release_robot(
    step: Step, attempt: Assignment, state: AssignmentState, now: datetime, *, rest: bool = False
) -> Step:
    """The step, with its attempt ended in `state` and its robot free."""
    ended = replace(attempt, state=state, ended_at=now)
    free = Free(
        robot_id=attempt.robot_id,
        order_id=attempt.order_id,
        done=state is AssignmentState.FINISHED,
        rest=rest,
    )
    gone = Withdraw(
        robot_id=attempt.robot_id, order_id=attempt.order_id, reason=f"attempt {state.value}"
    )
    return replace(
        step,
        job=replace(step.job, assignment=ended),
        effects=(gone, free, *step.effects),
    )
