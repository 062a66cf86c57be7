"""A robot of a fleet: what is durable about it, and what it last said.

A `Robot` is journalled and changes seldom; a `RobotReport` is one state message, replaced many
times a second and journalled only when something that matters changed (flow/track.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Link(StrEnum):
    """The robot's connection as it, or its last will, says (VDA 5050 6.14 connection topic)."""

    ONLINE = "online"
    OFFLINE = "offline"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class Presence(StrEnum):
    """What the gateway concludes from the newest of state and connection."""

    FRESH = "fresh"
    SUSPECT = "suspect"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """x, y in metres and theta in radians on map `map_id`."""

    x: float
    y: float
    map_id: str
    theta: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotError:
    """One error the robot reports. level: WARNING or FATAL (2.x). references: key → value."""

    type: str
    level: str
    description: str = ""
    references: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionReport:
    """One entry of actionStates. status: WAITING … FINISHED or FAILED, kept as text."""

    id: str
    type: str
    status: str
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotReport:
    """One state message in the gateway's terms.

    received_at: by the gateway's clock; reported_at: by the robot's. header_id counts per topic
    and session. nodes_left, edges_left: how many nodeStates and edgeStates remain. battery: per
    cent of charge, or None if the robot doesn't tell.
    """

    robot_id: str
    received_at: datetime
    reported_at: datetime
    header_id: int
    order_id: str
    order_update_id: int
    last_node_id: str
    last_sequence_id: int
    nodes_left: int
    edges_left: int
    driving: bool
    paused: bool
    mode: str
    e_stop: bool
    battery: float | None
    charging: bool
    position: Position | None
    actions: tuple[ActionReport, ...] = ()
    errors: tuple[RobotError, ...] = ()

    @property
    def idle(self) -> bool:
        """No order in work (VDA 5050: no node or edge states, all actions terminal)."""
        return (
            not self.nodes_left
            and not self.edges_left
            and all(action.status in {"FINISHED", "FAILED"} for action in self.actions)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """One message of the connection topic. retained: the broker's copy, of unknown age."""

    robot_id: str
    received_at: datetime
    reported_at: datetime
    header_id: int
    link: Link
    retained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """A robot seen for the first time, or its factsheet: who it is and what it can do."""

    robot_id: str
    fleet: str
    manufacturer: str
    serial: str
    dialect: str
    received_at: datetime
    capabilities: frozenset[str] | None = None


UNLISTED = "unlisted"
"""The kind of a message by a robot that the configuration doesn't let into the fleet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadMessage:
    """A message of the fleet that isn't taken: it could not be understood (kind: not-json, schema,
    identity, …), or its robot is no robot of the fleet (UNLISTED)."""

    robot_id: str
    topic: str
    kind: str
    detail: str
    received_at: datetime
    size: int


FleetReport = RobotReport | LinkReport | Introduction | BadMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Robot:
    """The durable part of a robot. id: `manufacturer/serial`.

    bound: the order id that this robot is bound to, "" when it is free for work. last: the order
    before that, which must not show up again. dialect: the protocol version spoken ("2.0.0").
    capabilities: action types it can do; empty means unknown, and is taken as everything. headers:
    topic kind → last headerId that we sent on it. quarantined, banned: the reason while no work
    may be given to it. rests_until: it did not answer an order, so it gets none before that.
    interval_s: the longest time between its states (VDA 5050: 30). jobs: how many orders it has
    finished, for fairness. boots: how often it was seen to have restarted, its memory of orders
    perhaps lost. faults: fault key → id of the open fault.
    """

    id: str
    fleet: str
    manufacturer: str
    serial: str
    dialect: str = "2.0.0"
    capabilities: frozenset[str] = frozenset()
    link: Link = Link.UNKNOWN
    presence: Presence = Presence.SILENT
    bound: str = ""
    bound_since: datetime | None = None
    last: str = ""
    headers: Mapping[str, int] = field(default_factory=dict)
    quarantined: str = ""
    banned: str = ""
    rests_until: datetime | None = None
    interval_s: float = 30.0
    jobs: int = 0
    boots: int = 0
    faults: Mapping[str, str] = field(default_factory=dict)
