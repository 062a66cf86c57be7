"""What a robot's state says about the order that it is bound to. Pure reading, no decisions.

Called by flow/track for every fresh state of a bound robot. Sources: VDA 5050 2.1, 6.6 (orders),
6.10 (state), 6.8.2 (cancelOrder) and what real vehicles do (docs/reference/vehicles-seen.md).
"""

from datetime import datetime, timedelta

from dragoman.domain import events as on
from dragoman.domain.order import Assignment, AssignmentState
from dragoman.domain.policy import Policy
from dragoman.domain.robot import ActionReport, RobotError, RobotReport

TERMINAL = frozenset({"FINISHED", "FAILED"})
REJECTIONS = frozenset({"ordererror", "orderupdateerror", "norouteerror", "invalidorder"})
"""Error types of 2.x that can only be about an order, in lower case. validationError is none: a
vehicle says it of instant actions, too.
"""
WITHOUT_ORDERS = frozenset({"MANUAL", "SERVICE", "TEACHIN"})
"""Operating modes in which a vehicle drops its order (6.10.5)."""
STATES_PER_S = 50.0
"""More states than this no vehicle sends for long, not even one that floods; they may come 30 s
apart (6.10)."""


def read(
    report: RobotReport,
    before: RobotReport | None,
    attempt: Assignment,
    boots: int,
    kept: RobotReport | None = None,
) -> on.Event | None:
    """The event that this state means for the attempt, or None.

    before: the robot's state before this one, to tell what is new; None for the first one since
    the gateway's start. kept: the last one that was journalled: what differs from it after a start
    was done while nobody listened. boots: the robot's restarts so far; one since the order was sent
    means that it may have done the order and forgotten it.
    """
    if report.order_id == attempt.order_id:
        return _holding(report, before or kept, attempt)
    return _without(report, before, attempt, forgetful=attempt.doubtful or boots != attempt.boots)


def forgettable(
    attempt: Assignment, kept: RobotReport | None, now: datetime, policy: Policy
) -> bool:
    """Whether a robot that nobody heard lately could have done the order and forgotten it.

    kept: its last state in the journal. The time since that state, or since the order, counts and
    not the gateway's outage: the robot may have been unheard before that, too.
    """
    known = attempt.accepted_at is not None or attempt.doubtful
    return not known and now - _unheard_since(attempt, kept) >= timedelta(seconds=policy.boot_least)


def forgetful(
    report: RobotReport, kept: RobotReport | None, attempt: Assignment, policy: Policy
) -> bool:
    """Whether the first state since a start leaves it open that the robot did the order and forgot.

    Not if its header is too high for a counter that started anew since it was heard last.
    """
    if report.order_id == attempt.order_id:
        return False
    unheard_s = (report.received_at - _unheard_since(attempt, kept)).total_seconds()
    counted_on = report.header_id > STATES_PER_S * unheard_s
    return not counted_on and forgettable(attempt, kept, report.received_at, policy)


def _unheard_since(attempt: Assignment, kept: RobotReport | None) -> datetime:
    """Since when nothing is known of the robot: a state after the order would have told of it."""
    return attempt.assigned_at if kept is None else max(attempt.assigned_at, kept.received_at)


def _holding(
    report: RobotReport, before: RobotReport | None, attempt: Assignment
) -> on.Event | None:
    """The robot echoes our order."""
    ours = [action for action in report.actions if action.id in attempt.order.action_ids]
    failed = [action for action in ours if action.status == "FAILED"]
    if _over(report, ours):
        return _outcome(report, attempt, ours, failed)
    fatal = [error for error in report.errors if error.level == "FATAL"]
    if fatal and attempt.state is not AssignmentState.STOPPING:
        return on.WorkFailed(order_id=attempt.order_id, reason=_told(fatal), over=False)
    if report.mode in WITHOUT_ORDERS and attempt.state is not AssignmentState.STOPPING:
        reason = f"it was switched to {report.mode}"
        return on.WorkFailed(order_id=attempt.order_id, reason=reason, over=False)
    # lastNodeSequenceId is no sign: until the first edge is behind it, it is of an earlier order.
    underway = report.edges_left < len(attempt.order.stops) - 1
    if report.driving or underway or any(action.status != "WAITING" for action in ours):
        if attempt.state is not AssignmentState.EXECUTING:
            return on.Started(order_id=attempt.order_id)
        if before is not None and _marks(before) != _marks(report):
            return on.Progressed(order_id=attempt.order_id, where=_where(report))
        return None
    if attempt.state not in {AssignmentState.ACCEPTED, AssignmentState.EXECUTING}:
        return on.Accepted(order_id=attempt.order_id)
    return None


def _over(report: RobotReport, ours: list[ActionReport]) -> bool:
    """Nothing of our order is left to do, instant actions aside."""
    return (
        not report.nodes_left
        and not report.edges_left
        and not report.driving
        and all(action.status in TERMINAL for action in ours)
    )


def _outcome(
    report: RobotReport,
    attempt: Assignment,
    ours: list[ActionReport],
    failed: list[ActionReport],
) -> on.Event | None:
    """How an order that is over went: done, stopped by us, or failed.

    None when the robot doesn't tell how all actions ended: it may have done them or not.
    """
    done = {action.id for action in ours if action.status == "FINISHED"}
    if done == attempt.order.action_ids and _arrived(report, attempt):
        result = "; ".join(a.result for a in ours if a.result)
        return on.Finished(order_id=attempt.order_id, result=result)
    untold = len(ours) < len(attempt.order.action_ids) and not failed
    if attempt.cancel_id:  # whatever the state: an order that turned up again may still be stopped
        cancel = _cancelled(report, attempt)
        proof = cancel or f"Robot {report.robot_id} shows the order as ended"
        undone = cancel.endswith("FINISHED") or not untold
        return on.Stopped(order_id=attempt.order_id, proof=proof, undone=undone)
    if untold:
        known = attempt.accepted_at is not None
        return None if known else on.Accepted(order_id=attempt.order_id)
    told = _told([e for e in report.errors if _about(e, attempt)] or list(report.errors))
    failures = "; ".join(f"action {a.type or a.id} failed {a.result}".strip() for a in failed)
    reason = ", ".join(part for part in (failures, told) if part) or "ended before its last node"
    return on.WorkFailed(order_id=attempt.order_id, reason=reason)


def _arrived(report: RobotReport, attempt: Assignment) -> bool:
    """The robot has reached the last stop; actions done there say so as well."""
    goal = attempt.order.stops[-1]
    last = 2 * (len(attempt.order.stops) - 1)
    at_goal = report.last_sequence_id >= last or report.last_node_id == goal.place.node_id
    return bool(goal.actions) or at_goal


def _without(
    report: RobotReport, before: RobotReport | None, attempt: Assignment, *, forgetful: bool
) -> on.Event | None:
    """The robot shows another order, or none."""
    had = attempt.accepted_at is not None
    cancel = _cancelled(report, attempt)
    if cancel:
        undone = cancel.endswith("FINISHED") or not (had or forgetful)
        return on.Stopped(order_id=attempt.order_id, proof=cancel, undone=undone)
    if not (had or forgetful):  # else it may have had the order, and refuses the repeated one
        rejection = [e for e in report.errors if _rejects(e, attempt, before)]
        if rejection:
            return on.Refused(order_id=attempt.order_id, reason=_told(rejection))
    if attempt.state is AssignmentState.UNCERTAIN:
        return on.Returned(order_id=attempt.order_id)
    if had and attempt.state is not AssignmentState.STOPPING:
        shown = f"shows order {report.order_id!r}" if report.order_id else "shows no order"
        return on.Lost(order_id=attempt.order_id, reason=f"it {shown}, mode {report.mode}")
    if before is None and attempt.state is AssignmentState.SENT:
        return on.Unshown(order_id=attempt.order_id)
    return None


def _cancelled(report: RobotReport, attempt: Assignment) -> str:
    """The robot's word on our cancelOrder, or "" if it has not given any.

    FAILED means that it had no order to cancel (2.1, 6.8.2), which proves as much.
    """
    if not attempt.cancel_id:
        return ""
    for action in report.actions:
        if action.id == attempt.cancel_id and action.status in TERMINAL:
            return f"Robot {report.robot_id} reports cancelOrder {action.status}"
    for error in report.errors:
        values = {value for _, value in error.references}
        if error.type.lower() == "noordertocancel" and attempt.cancel_id in values:
            return f"Robot {report.robot_id} reports noOrderToCancel"
    return ""


def _rejects(error: RobotError, attempt: Assignment, before: RobotReport | None) -> bool:
    """The error says that the robot doesn't take the order.

    One that names no order counts only if it is certainly new: after a restart of the gateway
    it may be about an order of long ago.
    """
    if _about(error, attempt):
        return not any(key.lower() == "actionid" for key, _ in error.references)
    new = before is not None and error not in before.errors
    return new and error.type.lower() in REJECTIONS and not error.references


def _about(error: RobotError, attempt: Assignment) -> bool:
    return any(
        key.lower() == "orderid" and value == attempt.order_id for key, value in error.references
    )


def _told(errors: list[RobotError]) -> str:
    return "; ".join(
        f"{error.type}: {error.description}" if error.description else error.type
        for error in errors
    )


def _marks(report: RobotReport) -> tuple[object, ...]:
    return (
        report.last_sequence_id,
        report.nodes_left,
        tuple((action.id, action.status) for action in report.actions),
    )


def _where(report: RobotReport) -> str:
    actions = ", ".join(f"{action.type or action.id} {action.status}" for action in report.actions)
    node = report.last_node_id or "on its way"
    return f"{node}, {actions}" if actions else node
