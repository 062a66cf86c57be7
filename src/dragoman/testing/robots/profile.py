"""What a simulated vehicle is: identity, speed, battery and abilities. Plain values.

Given to `Vehicle` (vehicle.py) once; what changes while it runs is in misbehaviour.py.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Version = Literal["2.0.0", "2.1.0"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """x, y in metres, theta in radians, on map `map_id`."""

    x: float = 0.0
    y: float = 0.0
    theta: float = 0.0
    map_id: str = "map"


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleProfile:
    """One vehicle's fixed properties.

    interface: first topic level. pose, node_id: where it stands at the start. speed_mps: metres
    a second; edge_length_m: used when neither the edge nor the positions tell. action_s: how long
    an action takes unless `action_times` names its type; the first tenth is INITIALIZING.
    time_scale: 10 makes driving, acting and draining ten times faster than real. state_interval_s:
    the longest time between states. action_types: those it can do at nodes and edges, None for
    any. node_ids: those it can reach, None for any. stops_between_nodes: a cancelled vehicle
    halts where it is instead of driving to the next node. reach_m: how near it must be to the
    first node of an order when that names no allowed deviation. drain: per cent a metre and a
    minute; charge: per cent a minute on the charger.
    """

    serial: str
    manufacturer: str = "dragoman"
    version: Version = "2.0.0"
    interface: str = "uagv"
    pose: Pose = field(default_factory=Pose)
    node_id: str = ""
    speed_mps: float = 1.5
    edge_length_m: float = 5.0
    action_s: float = 2.0
    action_times: tuple[tuple[str, float], ...] = ()
    time_scale: float = 1.0
    state_interval_s: float = 30.0
    action_types: frozenset[str] | None = None
    node_ids: frozenset[str] | None = None
    stops_between_nodes: bool = False
    reach_m: float = 0.5
    battery: float = 90.0
    drain_per_m: float = 0.01
    drain_per_min: float = 0.02
    charge_per_min: float = 1.0

    @property
    def robot_id(self) -> str:
        """manufacturer/serial, as the gateway names robots."""
        return f"{self.manufacturer}/{self.serial}"

    @property
    def topic(self) -> str:
        """The topic levels before the last one (VDA 5050 6.3)."""
        major = self.version.partition(".")[0]
        return f"{self.interface}/v{major}/{self.manufacturer}/{self.serial}"

    def action_time(self, action_type: str) -> timedelta:
        """How long an action takes, in the vehicle's (scaled) time."""
        seconds = dict(self.action_times).get(action_type, self.action_s)
        return timedelta(seconds=seconds / self.time_scale)

    def travel_time(self, metres: float, max_speed_mps: float | None) -> timedelta:
        """How long a leg takes, in the vehicle's (scaled) time."""
        limit = self.speed_mps if not max_speed_mps else min(self.speed_mps, max_speed_mps)
        return timedelta(seconds=metres / limit / self.time_scale)
