"""What VDA 5050 robots send: state, connection and factsheet, read leniently and fast.

The fleet adapter (client.py) decodes every message with these and keeps the raw bytes itself.
Only the fields that Dragoman uses are read. Members it doesn't know are ignored, enumerators it
doesn't know stay text, times without a zone are UTC. A message that doesn't fit as it is gets a
second, slower reading: there null means absent (or empty, for a required list or text), numbers
may be text, and a half-filled position counts as none. Field names follow the state, connection
and factsheet sections of VDA 5050 2.1 (6.10, 6.14, 6.15).
"""

import contextlib
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from dragoman.domain.errors import BadInput
from dragoman.fleets.vda5050.paths import split_error, value_at

Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What the journal can hold; a robot that counts further is broken."""


class Undecodable(BadInput):
    """A robot's message that can't be read. kind: "not-json" or "schema"."""

    def __init__(self, text: str, *, kind: str, field: str = "", value: str = "") -> None:
        super().__init__(text, field=field, value=value)
        self.kind = kind


class _Wire(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    pass


class _Message(_Wire, frozen=True, kw_only=True):
    header_id: Int64
    timestamp: datetime
    version: str = ""
    manufacturer: str = ""
    serial_number: str = ""


class NodeState(_Wire, frozen=True, kw_only=True):
    """A node still to be traversed."""

    node_id: str
    sequence_id: Int64 = 0
    released: bool = True


class EdgeState(_Wire, frozen=True, kw_only=True):
    """An edge still to be traversed."""

    edge_id: str
    sequence_id: Int64 = 0
    released: bool = True


class AgvPosition(_Wire, frozen=True, kw_only=True):
    """Where the robot says it is: metres and radians on a map."""

    x: float
    y: float
    map_id: str
    theta: float = 0.0
    position_initialized: bool = True
    localization_score: float | None = None


class ActionState(_Wire, frozen=True, kw_only=True):
    """How far an action is: WAITING, INITIALIZING, RUNNING, PAUSED, FINISHED, FAILED or other."""

    action_id: str
    action_status: str
    action_type: str | None = None
    result_description: str | None = None


class BatteryState(_Wire, frozen=True, kw_only=True):
    """battery_charge in per cent, reach in metres; None where the robot doesn't tell."""

    battery_charge: float | None = None
    charging: bool | None = None
    reach: float | None = None


class ErrorReference(_Wire, frozen=True, kw_only=True):
    """What an error is about, such as orderId → the id."""

    reference_key: str
    reference_value: str


class Error(_Wire, frozen=True, kw_only=True):
    """One active error. error_level: WARNING or FATAL; "" if absent."""

    error_type: str = ""
    error_level: str = ""
    error_description: str | None = None
    error_references: tuple[ErrorReference, ...] = ()


class SafetyState(_Wire, frozen=True, kw_only=True):
    """e_stop: NONE, AUTOACK, MANUAL, REMOTE or other."""

    e_stop: str = "NONE"
    field_violation: bool = False


class State(_Message, frozen=True, kw_only=True):
    """One state message (6.10.6). Required are only the members that tell idle from busy."""

    order_id: str
    node_states: tuple[NodeState, ...]
    edge_states: tuple[EdgeState, ...]
    action_states: tuple[ActionState, ...]
    order_update_id: Int64 = 0
    last_node_id: str = ""
    last_node_sequence_id: Int64 = 0
    driving: bool = False
    paused: bool | None = None
    new_base_request: bool | None = None
    operating_mode: str = ""
    agv_position: AgvPosition | None = None
    battery_state: BatteryState | None = None
    errors: tuple[Error, ...] = ()
    safety_state: SafetyState | None = None


class Connection(_Message, frozen=True, kw_only=True):
    """One connection message (6.14): ONLINE, OFFLINE, CONNECTIONBROKEN or other."""

    connection_state: str


class TypeSpecification(_Wire, frozen=True, kw_only=True):
    """What kind of robot it is. max_load_mass in kg."""

    series_name: str = ""
    agv_kinematic: str = ""
    agv_class: str = ""
    max_load_mass: float | None = None


class AgvAction(_Wire, frozen=True, kw_only=True):
    """One action type that the robot can do. action_scopes: INSTANT, NODE, EDGE."""

    action_type: str
    action_scopes: tuple[str, ...] = ()


class OptionalParameter(_Wire, frozen=True, kw_only=True):
    """How the robot treats an optional field. support: SUPPORTED or REQUIRED."""

    parameter: str
    support: str = ""


class ProtocolFeatures(_Wire, frozen=True, kw_only=True):
    """Actions and optional fields that the robot supports."""

    agv_actions: tuple[AgvAction, ...] = ()
    optional_parameters: tuple[OptionalParameter, ...] = ()


class Timing(_Wire, frozen=True, kw_only=True):
    """Intervals in seconds."""

    min_order_interval: float | None = None
    min_state_interval: float | None = None
    default_state_interval: float | None = None


class ProtocolLimits(_Wire, frozen=True, kw_only=True):
    """Limits of messages. max_array_lens: "order.nodes" → count; 0 or absent means unlimited."""

    max_array_lens: dict[str, int] = msgspec.field(default_factory=dict)
    timing: Timing | None = None


class Factsheet(_Wire, frozen=True, kw_only=True):
    """One factsheet (6.15). It has no use for a time; robots often send it from a file."""

    version: str = ""
    manufacturer: str = ""
    serial_number: str = ""
    type_specification: TypeSpecification | None = None
    protocol_features: ProtocolFeatures | None = None
    protocol_limits: ProtocolLimits | None = None


_T = TypeVar("_T")
_M = TypeVar("_M", bound=_Message)
_EMPTY_FOR_NULL: dict[str, Any] = {
    "orderId": "",
    "nodeStates": [],
    "edgeStates": [],
    "actionStates": [],
}

_states = msgspec.json.Decoder(State)
_connections = msgspec.json.Decoder(Connection)
_factsheets = msgspec.json.Decoder(Factsheet)


def decode_state(payload: bytes) -> State:
    """Read a state message. Raises Undecodable, which names the JSON path and the value."""
    return _in_utc(_read(_states, payload, "state"), "state")


def decode_connection(payload: bytes) -> Connection:
    """Read a connection message. Raises Undecodable, which names the JSON path and the value."""
    return _in_utc(_read(_connections, payload, "connection"), "connection")


def decode_factsheet(payload: bytes) -> Factsheet:
    """Read a factsheet. Raises Undecodable, which names the JSON path and the value."""
    return _read(_factsheets, payload, "factsheet")


def _read(decoder: msgspec.json.Decoder[_T], payload: bytes, kind: str) -> _T:
    """Strictly typed first, since most messages fit; leniently if this one doesn't."""
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_leniently(decoder.type, payload, kind)


def _read_leniently(model: type[_T], payload: bytes, kind: str) -> _T:
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(f"the {kind} isn't JSON: {error}", kind="not-json") from error
    try:
        return msgspec.convert(_tolerant(document), model, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        reason, path = split_error(error)
        found = value_at(document, path) if path != "$" else None
        raise Undecodable(
            f"the {kind} doesn't fit VDA 5050: {reason}",
            kind="schema",
            field=path,
            value="" if found is None else str(found)[:200],
        ) from error


def _in_utc(message: _M, kind: str) -> _M:
    time = message.timestamp
    if time.tzinfo is UTC:
        return message
    try:
        aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise Undecodable(
            f"the {kind} has a time that no calendar holds",
            kind="schema",
            field="$.timestamp",
            value=time.isoformat(),
        ) from error
    return msgspec.structs.replace(message, timestamp=aware)


def _tolerant(document: Any) -> Any:
    """Return a decoded message with nulls gone and a time in the one form msgspec reads."""
    if not isinstance(document, dict):
        return document
    kept = {
        key: _EMPTY_FOR_NULL[key] if value is None else _without_nulls(value)
        for key, value in document.items()
        if value is not None or key in _EMPTY_FOR_NULL
    }
    position = kept.get("agvPosition")
    if isinstance(position, dict) and not {"x", "y", "mapId"} <= position.keys():
        del kept["agvPosition"]
    if isinstance(kept.get("timestamp"), str):
        with contextlib.suppress(ValueError):  # msgspec refuses it in turn and names the path
            kept["timestamp"] = datetime.fromisoformat(kept["timestamp"])
    return kept


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value
