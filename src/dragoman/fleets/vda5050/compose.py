"""Orders and instant actions as VDA 5050 messages, strict by the schema of the robot's version.

Called by client.py when a command is journalled, so that the journal holds the very bytes.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from dragoman.domain.errors import Permanent
from dragoman.domain.order import Action, Order, Stop
from dragoman.domain.robot import Robot
from dragoman.fleets.vda5050.outbound import INSTANT_ACTIONS, ORDERS, build, to_bytes
from dragoman.fleets.vda5050.settings import InstantKey

_DEVIATION = {"2.0.0": "allowedDeviationXy", "2.1.0": "allowedDeviationXY"}


def order_message(order: Order, robot: Robot, now: datetime, deviation_m: float) -> str:
    """The order topic's payload: a full base, all nodes and edges released (VDA 5050 6.6)."""
    key = _DEVIATION[_known(robot.dialect)]
    nodes = [
        _node(stop, 2 * number, None if number else (key, deviation_m))
        for number, stop in enumerate(order.stops)
    ]
    edges = [
        {
            "edgeId": f"{a.place.node_id}-{b.place.node_id}",
            "sequenceId": 2 * number + 1,
            "released": True,
            "startNodeId": a.place.node_id,
            "endNodeId": b.place.node_id,
            "actions": [],
        }
        for number, (a, b) in enumerate(zip(order.stops, order.stops[1:], strict=False))
    ]
    fields = {
        **_header(robot, "order", now),
        "orderId": order.id,
        "orderUpdateId": order.update_id,
        "nodes": nodes,
        "edges": edges,
    }
    return to_bytes(build(ORDERS[robot.dialect], fields)).decode()


def instant_message(
    action_type: str,
    action_id: str,
    parameters: Mapping[str, object],
    robot: Robot,
    now: datetime,
    key: InstantKey,
) -> str:
    """The instantActions topic's payload with one action (VDA 5050 6.8.2)."""
    action = Action(id=action_id, type=action_type, blocking="HARD", parameters=parameters)
    fields = {**_header(robot, "instantActions", now), "actions": [_action(action)]}
    payload = to_bytes(build(INSTANT_ACTIONS[_known(robot.dialect)], fields))
    if key == "actions":
        return payload.decode()
    message: dict[str, object] = msgspec.json.decode(payload)
    message["instantActions"] = message["actions"]
    if key == "instantActions":
        del message["actions"]
    return msgspec.json.encode(message).decode()


def _known(version: str) -> str:
    if version not in ORDERS:
        raise Permanent(
            "this version of VDA 5050 can't be spoken",
            field="dialect",
            value=version,
            mend=f"set a dialect with one of {', '.join(ORDERS)} for this robot",
        )
    return version


def _header(robot: Robot, topic: str, now: datetime) -> dict[str, object]:
    return {
        "headerId": robot.headers.get(topic, 0) + 1,
        "timestamp": now.replace(microsecond=now.microsecond // 1000 * 1000),
        "version": robot.dialect,
        "manufacturer": robot.manufacturer,
        "serialNumber": robot.serial,
    }


def _node(stop: Stop, sequence: int, deviation: tuple[str, float] | None) -> dict[str, object]:
    place = stop.place
    position: dict[str, object] = {"x": place.x, "y": place.y, "mapId": place.map_id}
    if place.theta is not None:
        position["theta"] = place.theta
    if deviation is not None:
        position[deviation[0]] = deviation[1]
    return {
        "nodeId": place.node_id,
        "sequenceId": sequence,
        "released": True,
        "nodePosition": position,
        "actions": [_action(action) for action in stop.actions],
    }


def _action(action: Action) -> dict[str, object]:
    fields: dict[str, object] = {
        "actionType": action.type,
        "actionId": action.id,
        "blockingType": action.blocking,
        "actionParameters": [
            {"key": name, "value": value} for name, value in action.parameters.items()
        ],
    }
    if action.description:
        fields["actionDescription"] = action.description
    return fields
