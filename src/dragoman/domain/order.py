"""An order to a robot, in the gateway's own terms, and one attempt to have it done.

The shape follows VDA 5050 (order section: nodes with even, edges with odd sequence ids, actions
at nodes), since other dialects ask for less. Fleet adapters translate it to the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A spot that a robot can go to. x, y in metres, theta in radians, on map `map_id`."""

    node_id: str
    x: float
    y: float
    map_id: str
    theta: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do at a node. blocking: NONE, SOFT or HARD (VDA 5050 6.8)."""

    id: str
    type: str
    blocking: str = "HARD"
    description: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A place on the way with what to do there."""

    place: Place
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A full-base order: the stops in driving order, the first being where the robot stands.

    id: the VDA orderId, `{case id}-{attempt}`. update_id stays 0: a changed case gets a new order.
    """

    id: str
    case_id: str
    robot_id: str
    stops: tuple[Stop, ...]
    update_id: int = 0

    @property
    def action_ids(self) -> frozenset[str]:
        """The ids of all actions of the order."""
        return frozenset(action.id for stop in self.stops for action in stop.actions)


class Then(StrEnum):
    """What becomes of the case once its robot is known to have stopped."""

    REQUEUE = "requeue"
    CANCEL = "cancel"
    HOLD = "hold"


class AssignmentState(StrEnum):
    """Where one attempt stands, seen from the robot's side."""

    PLANNED = "planned"
    SENT = "sent"
    ACCEPTED = "accepted"
    EXECUTING = "executing"
    STOPPING = "stopping"
    UNCERTAIN = "uncertain"
    FINISHED = "finished"
    FAILED = "failed"
    REFUSED = "refused"
    STOPPED = "stopped"


LIVE = frozenset(
    {
        AssignmentState.PLANNED,
        AssignmentState.SENT,
        AssignmentState.ACCEPTED,
        AssignmentState.EXECUTING,
        AssignmentState.STOPPING,
        AssignmentState.UNCERTAIN,
    }
)
"""The order may be out at the robot: no other robot may get this case (G2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One attempt: this case, by this robot, under this order id.

    The row that answers which ticket was which robot order, forwards and backwards. sends, cancels:
    how often the order and its cancelOrder went out. expected_s: how long the mission should take.
    parcel: the message as first composed, so that a repeat has identical bytes. cancel_id: the id
    of our cancelOrder action, once one was made. then: what becomes of the case after STOPPING.
    asked_by: the person or desk that wants the stop, "" if it is the gateway's own. kind, location:
    the case's when the robot was chosen. repeatable: doing it twice does no harm. boots: the
    robot's restarts before this order. doubtful: it was uncertain once, or its robot unheard for
    long, so the robot may have done it and forgotten it. repeated: more than one copy may be out,
    so that the refusal of one says nothing of the others.
    All times by the gateway's clock.
    """

    order_id: str
    case_id: str
    attempt: int
    robot_id: str
    state: AssignmentState
    order: Order
    assigned_at: datetime
    expected_s: float = 120.0
    repeatable: bool = False
    boots: int = 0
    doubtful: bool = False
    repeated: bool = False
    parcel: Mapping[str, object] = field(default_factory=dict)
    sends: int = 0
    cancels: int = 0
    sent_at: datetime | None = None
    accepted_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_id: str = ""
    then: Then = Then.REQUEUE
    asked_by: str = ""
    kind: str = ""
    location: str = ""
    reason: str = ""
