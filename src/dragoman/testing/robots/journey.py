"""One order in work: the route that is left, the leg being driven and the actions. Pure.

`Vehicle` (vehicle.py) makes one when it accepts an order and moves it on in time. Nodes and
edges are traversed as VDA 5050 6.10.2 tells: reaching a node removes it and its edge, ends the
edge's actions and triggers the node's.
"""

import math
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dragoman.testing.robots.actions import ActionBoard
from dragoman.testing.robots.profile import Pose, VehicleProfile
from dragoman.testing.robots.wire import Edge, Node, Order, route


@dataclass(slots=True, kw_only=True)
class Whereabouts:
    """Where a vehicle is: its pose, the last node it reached, whether it still stands on that,
    and metres driven in all."""

    pose: Pose
    node_id: str
    sequence_id: int = 0
    on_node: bool = True
    driven_m: float = 0.0


@dataclass(slots=True, kw_only=True)
class _Leg:
    """The edge being driven. left: time still to drive; since: None while standing still."""

    start: Pose
    end: Pose
    metres: float
    whole: timedelta
    left: timedelta
    since: datetime | None

    def share(self, now: datetime) -> float:
        """How much of the leg is behind, 0 to 1."""
        left = self.left if self.since is None else self.left - (now - self.since)
        return 1.0 if not self.whole else min(1.0, max(0.0, 1.0 - left / self.whole))

    def set_held(self, held: bool, now: datetime) -> None:
        """Stand still, or go on."""
        if held and self.since is not None:
            self.left -= now - self.since
        self.since = None if held else now


class Journey:
    """An accepted order on its way. `nodes` and `edges` are those still to be traversed."""

    def __init__(self, order: Order, profile: VehicleProfile, where: Whereabouts) -> None:
        self._profile = profile
        self._where = where
        self._leg: _Leg | None = None
        self._on_edge: Edge | None = None
        self._held = False
        self.order_id = order.order_id
        self.update_id = order.order_update_id
        self.nodes: deque[Node] = deque(order.nodes)
        self.edges: deque[Edge] = deque(order.edges)
        self.board = ActionBoard(profile)
        self.board.add(order.actions)
        self.cancelled = False

    @property
    def driving(self) -> bool:
        """The vehicle moves."""
        return self._leg is not None and self._leg.since is not None

    @property
    def waits_for_base(self) -> bool:
        """It stands at the end of the base with a horizon ahead."""
        return bool(self.nodes) and not self.nodes[0].released

    @property
    def complete(self) -> bool:
        """Nothing is left to drive or to do, no horizon either (6.6.2, question 3)."""
        return not self.nodes and not self.edges and self.board.done

    @property
    def decision_point(self) -> tuple[str, int]:
        """nodeId and sequenceId of the end of the base, to which an update must join."""
        base = [node for node in self.nodes if node.released]
        if base:
            return base[-1].node_id, base[-1].sequence_id
        return self._where.node_id, self._where.sequence_id

    def start(self, now: datetime, *, held: bool) -> None:
        """Begin: the first node is where the vehicle stands, so it is reached at once."""
        self.set_held(held, now)
        self._reach(self.nodes.popleft(), now)
        self._go_on(now)

    def extend(self, order: Order, now: datetime) -> None:
        """Replace the horizon by an update that joins at the decision point (6.6.2)."""
        for step in route(self.nodes, self.edges):
            if not step.released:
                self.board.drop(step.actions)
        self.nodes = deque(node for node in self.nodes if node.released)
        self.edges = deque(edge for edge in self.edges if edge.released)
        self.nodes.extend(order.nodes[1:])
        self.edges.extend(order.edges)
        stitch = {action.action_id for action in order.nodes[0].actions}
        self.board.add(a for a in order.actions if a.action_id not in stitch)
        self.update_id = order.order_update_id
        self._go_on(now)

    def next_due(self) -> datetime | None:
        """When something happens by itself; None while held, waiting or complete."""
        action = self.board.next_due()
        if self._leg is None or self._leg.since is None:
            return action
        arrival = self._leg.since + self._leg.left
        return arrival if action is None or arrival < action else action

    def advance(self, now: datetime) -> None:
        """Do what is due by `now`; the caller goes from due time to due time."""
        self.board.advance(now)
        leg = self._leg
        if leg is not None and leg.since is not None and leg.since + leg.left <= now:
            self._leg = None
            self._where.pose = leg.end
            self._where.driven_m += leg.metres
            edge = self.edges.popleft()
            self._on_edge = None
            self.board.finish(edge.actions)
            self._reach(self.nodes.popleft(), now)
        self._go_on(now)

    def cancel(self, now: datetime, *, at_once: bool = False) -> None:
        """Stop: actions fail, the route ends at the next node, or here and now (6.6.3)."""
        self.cancelled = True
        self.board.cancel()
        at_once = at_once or self._held or self._profile.stops_between_nodes
        if self._leg is not None and not at_once:
            self.nodes, self.edges = deque([self.nodes[0]]), deque([self.edges[0]])
            return
        self._where.pose = self.pose(now)
        if self._leg is not None:
            self._where.driven_m += self._leg.metres * self._leg.share(now)
        self._leg = self._on_edge = None
        self.nodes, self.edges = deque(), deque()

    def set_held(self, held: bool, now: datetime) -> None:
        """Stand still with the order kept (pause, e-stop or a fatal error), or go on."""
        if held is self._held:
            return
        self._held = held
        self.board.set_held(held, now)
        if self._leg is not None:
            self._leg.set_held(held, now)
        if not held:
            self._go_on(now)

    def pose(self, now: datetime) -> Pose:
        """Where the vehicle is at `now`."""
        leg = self._leg
        if leg is None:
            return self._where.pose
        share = leg.share(now)
        return replace(
            leg.end,
            x=leg.start.x + (leg.end.x - leg.start.x) * share,
            y=leg.start.y + (leg.end.y - leg.start.y) * share,
            map_id=leg.start.map_id,
        )

    def _reach(self, node: Node, now: datetime) -> None:
        self._where.node_id, self._where.sequence_id = node.node_id, node.sequence_id
        self._where.on_node = True
        if not self.cancelled:
            self.board.trigger(node.actions, now)

    def _go_on(self, now: datetime) -> None:
        """Enter the next edge and drive it, if nothing is in the way."""
        if self._held or self._leg is not None or self.board.keeps_still or not self.edges:
            return
        edge, node = self.edges[0], self.nodes[0]
        if not (edge.released and node.released):
            return
        if self._on_edge is not edge:
            self._on_edge = edge
            self.board.trigger(edge.actions, now)
            self._go_on(now)  # unless the edge's actions keep it still
            return
        start = self._where.pose
        end = _end_of(edge, node, start, self._profile.edge_length_m)
        metres = edge.length or math.hypot(end.x - start.x, end.y - start.y)
        whole = self._profile.travel_time(metres, edge.max_speed)
        self._where.on_node = False
        self._leg = _Leg(start=start, end=end, metres=metres, whole=whole, left=whole, since=now)


def _end_of(edge: Edge, node: Node, start: Pose, default_m: float) -> Pose:
    """The pose at the end of an edge; straight ahead when the node has no position."""
    position = node.node_position
    if position is not None:
        heading = math.atan2(position.y - start.y, position.x - start.x)
        theta = heading if position.theta is None else position.theta
        return Pose(x=position.x, y=position.y, theta=theta, map_id=position.map_id)
    metres = edge.length or default_m
    x = start.x + metres * math.cos(start.theta)
    y = start.y + metres * math.sin(start.theta)
    return replace(start, x=x, y=y)
