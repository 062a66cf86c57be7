"""Does a vehicle take an order? The rules of VDA 5050 6.6.2 (figure 8) and 6.6.4. Pure.

`Vehicle` (vehicle.py) asks for every order that it can read.
"""

import math
from dataclasses import dataclass
from enum import Enum, auto

from dragoman.testing.robots.journey import Journey, Whereabouts
from dragoman.testing.robots.profile import Pose, VehicleProfile
from dragoman.testing.robots.wire import Node, Order, fault_of


class Verdict(Enum):
    """What becomes of an order that isn't refused."""

    NEW = auto()
    UPDATE = auto()
    KNOWN = auto()
    """The same orderId and orderUpdateId again: ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an order is refused: the errorType and what to tell."""

    error_type: str
    description: str
    action_type: str = ""


def judge(
    order: Order, journey: Journey | None, where: Whereabouts, pose: Pose, profile: VehicleProfile
) -> Verdict | Refusal:
    """Decide on an order. journey: the present or last one; pose: where the vehicle is."""
    fault = fault_of(order)
    if fault:
        return Refusal(error_type="validationError", description=fault)
    if (order.manufacturer, order.serial_number) != (profile.manufacturer, profile.serial):
        return Refusal(error_type="validationError", description="it is for another vehicle")
    if journey is not None and order.order_id == journey.order_id:
        refusal = _judge_update(order, journey)
    else:
        refusal = _judge_new(order, journey, where, pose, profile)
    if isinstance(refusal, Refusal):
        return refusal
    return _unable(order, profile) or refusal


def _judge_update(order: Order, journey: Journey) -> Verdict | Refusal:
    if order.order_update_id < journey.update_id:
        return Refusal(
            error_type="orderUpdateError",
            description=f"orderUpdateId {order.order_update_id} is older than {journey.update_id}",
        )
    if order.order_update_id == journey.update_id:
        return Verdict.KNOWN
    if journey.cancelled:
        return Refusal(error_type="orderUpdateError", description="the order was cancelled")
    first = (order.nodes[0].node_id, order.nodes[0].sequence_id)
    if first != journey.decision_point:
        return Refusal(
            error_type="orderUpdateError",
            description=f"the update begins at {first}, the base ends at {journey.decision_point}",
        )
    return Verdict.UPDATE


def _judge_new(
    order: Order, journey: Journey | None, where: Whereabouts, pose: Pose, profile: VehicleProfile
) -> Verdict | Refusal:
    if journey is not None and not journey.complete:
        return Refusal(
            error_type="orderUpdateError", description=f"busy with order {journey.order_id}"
        )
    first = order.nodes[0]
    if not _stands_on(first, where, pose, profile):
        return Refusal(
            error_type="noRouteError",
            description=f"not at the first node {first.node_id}; last node: {where.node_id!r}",
        )
    return Verdict.NEW


def _stands_on(node: Node, where: Whereabouts, pose: Pose, profile: VehicleProfile) -> bool:
    if where.on_node and node.node_id == where.node_id:
        return True
    position = node.node_position
    if position is None or position.map_id != pose.map_id:
        return False
    allowed = position.deviation_2_1 if position.deviation_2_0 is None else position.deviation_2_0
    return math.hypot(position.x - pose.x, position.y - pose.y) <= (allowed or profile.reach_m)


def _unable(order: Order, profile: VehicleProfile) -> Refusal | None:
    if profile.action_types is not None:
        for action in order.actions:
            if action.action_type not in profile.action_types:
                return Refusal(
                    error_type="orderError",
                    description=f"no action {action.action_type}",
                    action_type=action.action_type,
                )
    if profile.node_ids is not None:
        for node in order.nodes[1:]:
            if node.node_id not in profile.node_ids:
                return Refusal(
                    error_type="noRouteError", description=f"no way to node {node.node_id}"
                )
    return None
