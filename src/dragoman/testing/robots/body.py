"""What a simulated vehicle does: its order, its battery, its errors, its holds. Pure.

`Vehicle` (vehicle.py) hears and speaks for it; instant.py carries out instant actions on it.
"""

from datetime import datetime
from typing import Any

from dragoman.testing.robots.acceptance import Refusal, Verdict, judge
from dragoman.testing.robots.actions import ActionRun
from dragoman.testing.robots.battery import Battery
from dragoman.testing.robots.journey import Journey, Whereabouts
from dragoman.testing.robots.ledger import Ledger, Outcome
from dragoman.testing.robots.messages import Vitals, error, state_body
from dragoman.testing.robots.misbehaviour import Misbehaviour
from dragoman.testing.robots.profile import Pose, VehicleProfile
from dragoman.testing.robots.wire import Order


class Body:
    """The vehicle itself. journey: the present or last order; instant: actionStates of instant
    actions since the last order; cancelling: the cancelOrder that isn't through yet; order_end:
    nodeId and sequenceId of the last node of the order."""

    def __init__(
        self, profile: VehicleProfile, misbehaviour: Misbehaviour, ledger: Ledger, now: datetime
    ) -> None:
        self.profile = profile
        self.misbehaviour = misbehaviour
        self.ledger = ledger
        self.where = Whereabouts(pose=profile.pose, node_id=profile.node_id)
        self.battery = Battery(profile, now)
        self.journey: Journey | None = None
        self.paused = False
        self.errors: list[dict[str, Any]] = []
        self.instant: list[dict[str, Any]] = []
        self.cancelling: dict[str, Any] | None = None
        self.order_end = ("", 0)
        self.rejects_left = misbehaviour.rejects
        self._noticed: set[str] = set()

    @property
    def busy(self) -> bool:
        """An order is in work or waits for its horizon."""
        return self.journey is not None and not self.journey.complete

    def take(self, order: Order, now: datetime) -> bool:
        """Accept, refuse or ignore an order; tells whether that changed the state."""
        pose = self.where.pose if self.journey is None else self.journey.pose(now)
        verdict = _unwilling(self) or judge(order, self.journey, self.where, pose, self.profile)
        if verdict is Verdict.KNOWN:
            return False
        if isinstance(verdict, Refusal):
            self.report_error(_refusal_entry(verdict, order))
            return True
        self.errors.clear()
        if verdict is Verdict.UPDATE and self.journey is not None:
            if not self.busy:
                self.ledger.reopen()
            self.journey.extend(order, now)
        else:
            self._begin(order, pose, now)
        self.order_end = (order.nodes[-1].node_id, order.nodes[-1].sequence_id)
        self._settle(now)
        return True

    def report_error(self, entry: dict[str, Any]) -> None:
        """Keep an error until the next order is accepted; the same one isn't told twice."""
        if entry not in self.errors:
            self.errors.append(entry)

    def cancel(self, report: dict[str, Any], now: datetime) -> None:
        """Begin to cancel the order; `report` becomes FINISHED when the vehicle has stopped."""
        if self.journey is not None:
            self.cancelling = report
            self.journey.cancel(now)
            self._settle(now)

    def drop_order(self, now: datetime) -> None:
        """Lose the order on its own account: restart, or a mode without master control."""
        if self.journey is not None and self.busy:
            self.journey.cancel(now, at_once=True)
            self.ledger.end(Outcome.LOST, now)
            self._settle(now)

    def forget(self, now: datetime) -> None:
        """Restart: the order, the errors and the reports are gone, the place is known."""
        self.drop_order(now)
        self.journey = None
        self.where.sequence_id = 0
        self.paused = False
        self.cancelling = None
        self.errors.clear()
        self.instant.clear()

    def obey(self, misbehaviour: Misbehaviour, now: datetime) -> None:
        """Take over new switches."""
        self.misbehaviour = misbehaviour
        self.rejects_left = misbehaviour.rejects
        if not misbehaviour.controllable:
            self.drop_order(now)
        self.update_holds(now)

    def update_holds(self, now: datetime) -> None:
        """Stand still or go on, as pause, e-stop and fatal errors ask."""
        if self.journey is None:
            return
        self.journey.board.fail = self.misbehaviour.fail_actions
        self.journey.set_held(self.paused or self.misbehaviour.holds_still, now)

    def next_due(self) -> datetime | None:
        """When something happens by itself."""
        return None if self.journey is None else self.journey.next_due()

    def advance(self, now: datetime) -> None:
        """Do what is due by `now`."""
        if self.journey is not None:
            self.journey.advance(now)
            self._settle(now)

    def state(self, now: datetime) -> dict[str, Any]:
        """The members of a true state after the header."""
        self.battery.update(now, self.where.driven_m)
        errors = list(self.errors)
        if self.misbehaviour.fatal:
            errors.append(error(self.misbehaviour.fatal, "a person must come", {}, "FATAL"))
        vitals = Vitals(
            where=self.where,
            battery=self.battery,
            paused=self.paused,
            errors=errors,
            instant=self.instant,
        )
        return state_body(self.journey, vitals, self.misbehaviour, now)

    def _begin(self, order: Order, pose: Pose, now: datetime) -> None:
        self.where.pose = pose
        self.instant = [told for told in self.instant if told["actionStatus"] == "RUNNING"]
        self._noticed.clear()
        self.battery.update(now, self.where.driven_m)
        self.battery.charging = False
        cases = (action.parameter("case") for action in order.actions)
        case_ref = next((str(case) for case in cases if case is not None), order.order_id)
        self.ledger.start(order.order_id, case_ref, now)
        self.journey = Journey(order, self.profile, self.where)
        self.journey.board.fail = self.misbehaviour.fail_actions
        self.journey.start(now, held=self.paused or self.misbehaviour.holds_still)

    def _settle(self, now: datetime) -> None:
        """Draw the consequences of what has ended."""
        journey = self.journey
        if journey is None:
            return
        failed = False
        for run in journey.board.runs.values():
            failed = failed or run.status == "FAILED"
            if run.terminal and run.action.action_id not in self._noticed:
                self._noticed.add(run.action.action_id)
                _notice(self, run, now)
        if not journey.complete:
            return
        if self.cancelling is not None:
            self.cancelling["actionStatus"] = "FINISHED"
            self.cancelling = None
        ended = Outcome.FAILED if failed else Outcome.FINISHED
        self.ledger.end(Outcome.CANCELLED if journey.cancelled else ended, now)


def _notice(body: Body, run: ActionRun, now: datetime) -> None:
    """An action of the order has ended by itself."""
    action = run.action
    if body.journey is None or body.journey.cancelled:
        return
    if run.status == "FAILED":
        references = {"actionId": action.action_id, "orderId": body.journey.order_id}
        body.report_error(error("actionError", f"{action.action_type} failed", references))
    elif action.action_type in ("startCharging", "stopCharging"):
        body.battery.update(now, body.where.driven_m)
        body.battery.charging = action.action_type == "startCharging"


def _refusal_entry(refusal: Refusal, order: Order) -> dict[str, Any]:
    references: dict[str, object] = {
        "topic": "order",
        "headerId": order.header_id,
        "orderId": order.order_id,
        "orderUpdateId": order.order_update_id,
    }
    if refusal.action_type:
        references["actionType"] = refusal.action_type
    return error(refusal.error_type, refusal.description, references)


def _unwilling(body: Body) -> Refusal | None:
    """Refuse by switch, or because the vehicle isn't in a state to take orders."""
    switches = body.misbehaviour
    if switches.reject and body.rejects_left != 0:
        if body.rejects_left is not None:
            body.rejects_left -= 1
        return Refusal(error_type=switches.reject, description="refused by a switch")
    if not switches.controllable:
        return Refusal(error_type="orderError", description=f"in mode {switches.mode}")
    if switches.fatal:
        return Refusal(error_type="orderError", description=f"out of order: {switches.fatal}")
    return None
