"""Instant actions of a simulated vehicle: one function each (VDA 5050 6.8.1, 6.8.2). Pure.

`Vehicle` (vehicle.py) calls `perform` for every action of an instantActions message.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dragoman.testing.robots.body import Body
from dragoman.testing.robots.messages import error
from dragoman.testing.robots.wire import Action

_MOST_REPORTS = 64  # a vehicle that gets no orders must not grow for ever

Report = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One instant action on one body; `report` is its actionState."""

    action: Action
    body: Body
    report: Report
    now: datetime

    def finish(self) -> None:
        self.report["actionStatus"] = "FINISHED"

    def fail(self, error_type: str, description: str) -> None:
        self.report["actionStatus"] = "FAILED"
        references = {
            "topic": "instantActions",
            "actionId": self.action.action_id,
            "actionType": self.action.action_type,
        }
        self.body.report_error(error(error_type, description, references))


def perform(action: Action, body: Body, now: datetime) -> None:
    """Carry out one instant action and put its actionState into `body.instant`.

    One with a known id came twice and is ignored. `factsheetRequest` only reports here; the
    caller publishes.
    """
    if any(told["actionId"] == action.action_id for told in body.instant):
        return
    report: Report = {
        "actionId": action.action_id,
        "actionType": action.action_type,
        "actionStatus": "RUNNING",
    }
    body.instant.append(report)
    del body.instant[:-_MOST_REPORTS]
    task = _Task(action=action, body=body, report=report, now=now)
    known = _ACTIONS.get(action.action_type)
    too_old = action.action_type == "factsheetRequest" and body.profile.version == "2.0.0"
    if known is None or too_old:
        task.fail("instantActionError", f"no instant action {action.action_type}")
    else:
        known(task)


def _cancel_order(task: _Task) -> None:
    if not task.body.busy or task.body.cancelling is not None:
        task.fail("noOrderToCancel", "there is no order to cancel")
    else:
        task.body.cancel(task.report, task.now)


def _pause(task: _Task) -> None:
    task.body.paused = task.action.action_type == "startPause"
    task.body.update_holds(task.now)
    task.finish()


def _charge(task: _Task) -> None:
    task.body.battery.update(task.now, task.body.where.driven_m)
    task.body.battery.charging = task.action.action_type == "startCharging"
    task.finish()


def _init_position(task: _Task) -> None:
    where, parameter = task.body.where, task.action.parameter
    x, y, theta = (parameter(name) for name in ("x", "y", "theta"))
    map_id, node_id = parameter("mapId"), parameter("lastNodeId")
    numbers = all(isinstance(value, int | float) for value in (x, y, theta))
    if task.body.busy:
        task.fail("instantActionError", "an order is in work")
    elif not numbers or not isinstance(map_id, str):
        task.fail("instantActionError", "it needs the numbers x, y, theta and the text mapId")
    else:
        where.pose = replace(where.pose, x=x, y=y, theta=theta, map_id=map_id)
        where.node_id, where.on_node = str(node_id or ""), bool(node_id)
        task.finish()


_ACTIONS: dict[str, Callable[[_Task], None]] = {
    "cancelOrder": _cancel_order,
    "factsheetRequest": _Task.finish,
    "initPosition": _init_position,
    "startCharging": _charge,
    "startPause": _pause,
    "stateRequest": _Task.finish,
    "stopCharging": _charge,
    "stopPause": _pause,
}
