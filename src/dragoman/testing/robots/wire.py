"""How a simulated vehicle reads orders and instant actions, by the text of VDA 5050 2.0 and 2.1.

Written apart from the gateway's own models on purpose: a vehicle is a witness, so it must not
share the gateway's reading of the specification. Required members must be there (6.6.6, 6.8,
6.9); what a vehicle has no use for is ignored.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Struct, field

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Time = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")]


class Parameter(Struct, frozen=True, rename="camel"):
    """One parameter of an action."""

    key: str
    value: list[Any] | bool | float | str | dict[str, Any]


class Action(Struct, frozen=True, rename="camel"):
    """One action of a node, an edge or an instantActions message."""

    action_id: str
    action_type: str
    blocking_type: Literal["NONE", "SOFT", "HARD"]
    action_parameters: tuple[Parameter, ...] = ()

    def parameter(self, key: str) -> Any:
        """The value of a parameter, None without it."""
        return next((p.value for p in self.action_parameters if p.key == key), None)


class Position(Struct, frozen=True, rename="camel"):
    """Where a node is. The name of the deviation differs between 2.0 and 2.1."""

    x: float
    y: float
    map_id: str
    theta: float | None = None
    deviation_2_0: float | None = field(name="allowedDeviationXy", default=None)
    deviation_2_1: float | None = field(name="allowedDeviationXY", default=None)


class Node(Struct, frozen=True, rename="camel"):
    """A node of an order."""

    node_id: str
    sequence_id: _Count
    released: bool
    actions: tuple[Action, ...]
    node_position: Position | None = None


class Edge(Struct, frozen=True, rename="camel"):
    """An edge of an order. max_speed in m/s, length in metres."""

    edge_id: str
    sequence_id: _Count
    released: bool
    start_node_id: str
    end_node_id: str
    actions: tuple[Action, ...]
    max_speed: float | None = None
    length: float | None = None


class Message(Struct, frozen=True, rename="camel"):
    """The header (6.4)."""

    header_id: _Count
    timestamp: _Time
    version: str
    manufacturer: str
    serial_number: str


class Order(Message, frozen=True, rename="camel"):
    """An order or order update (6.6)."""

    order_id: str
    order_update_id: _Count
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @property
    def actions(self) -> list[Action]:
        """The actions in the order of the route."""
        return [action for step in route(self.nodes, self.edges) for action in step.actions]


def route(nodes: Iterable[Node], edges: Iterable[Edge]) -> list[Node | Edge]:
    """Nodes and edges as one list in driving order."""
    steps: list[Node | Edge] = [*nodes, *edges]
    return sorted(steps, key=lambda step: step.sequence_id)


class InstantActions(Message, frozen=True, rename="camel"):
    """Actions to do at once (6.9)."""

    actions: tuple[Action, ...]


_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "order": msgspec.json.Decoder(Order),
    "instantActions": msgspec.json.Decoder(InstantActions),
}


def read(kind: str, payload: bytes) -> Order | InstantActions:
    """Read a payload of the topic `order` or `instantActions`.

    Raises Unreadable.
    """
    message: Order | InstantActions
    try:
        message = _DECODERS[kind].decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error), {"topic": kind, **_identity(payload)}) from error
    return message


class Unreadable(Exception):
    """A payload that isn't JSON or lacks what the text demands. references: what it still tells."""

    def __init__(self, reason: str, references: dict[str, object]) -> None:
        super().__init__(reason)
        self.references = references


def _identity(payload: bytes) -> dict[str, object]:
    try:
        fields = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    names = ("headerId", "orderId", "orderUpdateId")
    return {name: fields[name] for name in names if name in fields}


def fault_of(order: Order) -> str:
    """What is wrong with the shape of an order, "" if nothing (6.6.1, 6.6.2)."""
    nodes, edges = order.nodes, order.edges
    if not nodes:
        return "an order needs a node"
    if len(edges) != len(nodes) - 1:
        return f"{len(nodes)} nodes need {len(nodes) - 1} edges, there are {len(edges)}"
    first = nodes[0].sequence_id
    steps: list[Node | Edge] = [nodes[0]]
    for edge, node in zip(edges, nodes[1:], strict=True):
        steps += [edge, node]
    if first % 2 or [s.sequence_id for s in steps] != list(range(first, first + len(steps))):
        return "sequenceIds don't count up along the route, nodes even and edges odd"
    for before, edge, after in zip(nodes, edges, nodes[1:], strict=False):
        if (edge.start_node_id, edge.end_node_id) != (before.node_id, after.node_id):
            return f"edge {edge.edge_id} doesn't join {before.node_id} and {after.node_id}"
    released = [step.released for step in steps]
    if not released[0] or released != sorted(released, reverse=True):
        return "released steps must come first, the first node among them"
    ids = [action.action_id for action in order.actions]
    if len(ids) != len(set(ids)):
        return "an actionId occurs twice"
    return ""
