"""VDA 5050 messages in the gateway's terms. Called by client.py for every message; hot."""

from datetime import datetime
from functools import lru_cache

from dragoman.domain.robot import (
    ActionReport,
    Link,
    LinkReport,
    Position,
    RobotError,
    RobotReport,
)
from dragoman.fleets.vda5050.inbound import ActionState, Connection, Error, Factsheet, State

LINKS = {
    "ONLINE": Link.ONLINE,
    "OFFLINE": Link.OFFLINE,
    "CONNECTIONBROKEN": Link.BROKEN,
    "CONNECTION_BROKEN": Link.BROKEN,
}

LONGEST_TEXT = 500
"""Characters that are kept of a robot's own descriptions."""
CACHED = 8192
"""Lists of actions and of errors that are remembered as read, about one a robot."""


def state_report(
    robot_id: str, state: State, received_at: datetime, *, remember: bool = True
) -> RobotReport:
    """One state. A robot that doesn't tell its mode is taken to be automatic.

    remember: keep its actions and errors for the next state; not for very long ones.
    """
    read_actions = _actions if remember else _actions.__wrapped__
    read_errors = _errors if remember else _errors.__wrapped__
    battery, position, safety = state.battery_state, state.agv_position, state.safety_state
    return RobotReport(
        robot_id=robot_id,
        received_at=received_at,
        reported_at=state.timestamp,
        header_id=state.header_id,
        order_id=state.order_id,
        order_update_id=state.order_update_id,
        last_node_id=state.last_node_id,
        last_sequence_id=state.last_node_sequence_id,
        nodes_left=len(state.node_states),
        edges_left=len(state.edge_states),
        driving=state.driving,
        paused=bool(state.paused),
        mode=state.operating_mode or "AUTOMATIC",
        e_stop=safety is not None and safety.e_stop not in {"NONE", ""},
        battery=battery.battery_charge if battery is not None else None,
        charging=battery is not None and bool(battery.charging),
        position=None
        if position is None
        else Position(x=position.x, y=position.y, map_id=position.map_id, theta=position.theta),
        actions=read_actions(state.action_states),
        errors=read_errors(state.errors),
    )


# From one state to the next these seldom change, so most come from the cache.


@lru_cache(maxsize=CACHED)
def _actions(states: tuple[ActionState, ...]) -> tuple[ActionReport, ...]:
    return tuple(
        ActionReport(
            id=action.action_id,
            type=action.action_type or "",
            status=action.action_status,
            result=(action.result_description or "")[:LONGEST_TEXT],
        )
        for action in states
    )


@lru_cache(maxsize=CACHED)
def _errors(errors: tuple[Error, ...]) -> tuple[RobotError, ...]:
    return tuple(_error(error) for error in errors)


def _error(error: Error) -> RobotError:
    return RobotError(
        type=error.error_type or "unnamed",
        level=error.error_level or "WARNING",
        description=(error.error_description or "")[:LONGEST_TEXT],
        references=tuple((r.reference_key, r.reference_value) for r in error.error_references),
    )


def link_report(
    robot_id: str, message: Connection, received_at: datetime, *, retained: bool
) -> LinkReport:
    """One connection message."""
    return LinkReport(
        robot_id=robot_id,
        received_at=received_at,
        reported_at=message.timestamp,
        header_id=message.header_id,
        link=LINKS.get(message.connection_state, Link.UNKNOWN),
        retained=retained,
    )


def capabilities_of(sheet: Factsheet) -> frozenset[str] | None:
    """The action types that an order may hold at a node or an edge; None if it names none."""
    features = sheet.protocol_features
    actions = features.agv_actions if features is not None else ()
    able = frozenset(a.action_type for a in actions if set(a.action_scopes) != {"INSTANT"})
    return able or None
