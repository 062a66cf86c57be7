"""A fleet in memory, for tests of what stands above the port: robots that obey at once.

For robots that drive, misbehave and speak over a real broker see dragoman.testing.robots.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from dragoman.domain.errors import DragomanError, Permanent, RetryLater
from dragoman.domain.robot import (
    ActionReport,
    FleetReport,
    Introduction,
    Link,
    LinkReport,
    Position,
    Robot,
    RobotReport,
)
from dragoman.ports.fleet import CancelOrder, Command, Parcel, SendOrder


def standing(robot_id: str, at: datetime) -> RobotReport:
    """The state of a robot that stands at `home`, in automatic mode, and has never had an order."""
    return RobotReport(
        robot_id=robot_id,
        received_at=at,
        reported_at=at,
        header_id=0,
        order_id="",
        order_update_id=0,
        last_node_id="home",
        last_sequence_id=0,
        nodes_left=0,
        edges_left=0,
        driving=False,
        paused=False,
        mode="AUTOMATIC",
        e_stop=False,
        battery=80.0,
        charging=False,
        position=Position(x=0.0, y=0.0, map_id="map"),
    )


class MemoryRobot:
    """One robot. busy: it keeps the next orders until `finish`. outcomes: (order id, how it
    ended) of all that it began, "running" while it is at it."""

    def __init__(self, introduction: Introduction, tell: Callable[[FleetReport], None]) -> None:
        self.busy = False
        self.outcomes: list[tuple[str, str]] = []
        self._tell = tell
        self._introduction = introduction
        self.report = standing(introduction.robot_id, introduction.received_at)

    def appear(self, now: datetime) -> None:
        """Say who it is, that it is online, and how it is."""
        report = self.report
        self._tell(replace(self._introduction, received_at=now))
        self._tell(
            LinkReport(
                robot_id=report.robot_id,
                received_at=now,
                reported_at=now,
                header_id=0,
                link=Link.ONLINE,
            )
        )
        self.say(now)

    def say(self, now: datetime) -> None:
        """Report the state."""
        header_id = self.report.header_id + 1
        self.report = replace(self.report, header_id=header_id, received_at=now, reported_at=now)
        self._tell(self.report)

    def obey(self, told: dict[str, object], now: datetime) -> None:
        """Do what a parcel says."""
        if "order" in told:
            self._begin(told, now)
        elif "cancel" in told:
            self._cancel(str(told["cancel"]))
        else:
            self._done(str(told["ask"]), "stateRequest", "FINISHED")
        self.say(now)

    def finish(self, now: datetime, status: str = "FINISHED") -> None:
        """End the order; status: of its actions, FINISHED or FAILED."""
        last = 2 * self.report.nodes_left
        actions = tuple(replace(one, status=status) for one in self.report.actions)
        self.report = replace(
            self.report, actions=actions, nodes_left=0, edges_left=0, last_sequence_id=last
        )
        self._end("finished" if status == "FINISHED" else "failed")
        self.say(now)

    def _begin(self, told: dict[str, object], now: datetime) -> None:
        order_id, actions, stops = str(told["order"]), told["actions"], told["stops"]
        if any(order_id == known for known, _ in self.outcomes) or self._running:
            return
        assert isinstance(actions, dict)
        assert isinstance(stops, int)
        self.outcomes.append((order_id, "running"))
        self.report = replace(
            self.report,
            order_id=order_id,
            nodes_left=stops - 1,
            edges_left=stops - 1,
            last_sequence_id=0,
            actions=tuple(
                ActionReport(id=name, type=kind, status="WAITING") for name, kind in actions.items()
            ),
        )
        if not self.busy:
            self.say(now)
            self.finish(now)

    def _cancel(self, action_id: str) -> None:
        if not self._running:
            self._done(action_id, "cancelOrder", "FAILED")
            return
        failed = tuple(replace(one, status="FAILED") for one in self.report.actions)
        self.report = replace(self.report, actions=failed, nodes_left=0, edges_left=0)
        self._end("cancelled")
        self._done(action_id, "cancelOrder", "FINISHED")

    @property
    def _running(self) -> bool:
        return bool(self.outcomes) and self.outcomes[-1][1] == "running"

    def _end(self, outcome: str) -> None:
        if self._running:
            self.outcomes[-1] = (self.outcomes[-1][0], outcome)

    def _done(self, action_id: str, kind: str, status: str) -> None:
        done = ActionReport(id=action_id, type=kind, status=status)
        self.report = replace(self.report, actions=(*self.report.actions, done))


class MemoryFleet:
    """sent: the parcels in the order in which they were taken. failure: while it is set, `send`
    raises it instead of taking anything. Reports are told at once, in the call that causes them.
    """

    def __init__(self, name: str, now: Callable[[], datetime]) -> None:
        self.name = name
        self.sent: list[Parcel] = []
        self.failure: DragomanError | None = None
        self.robots: dict[str, MemoryRobot] = {}
        self._now = now
        self._sink: Callable[[FleetReport], None] | None = None

    @property
    def connected(self) -> bool:
        """Whether it takes parcels."""
        return self._sink is not None and self.failure is None

    def add(self, robot_id: str, version: str = "2.0.0") -> MemoryRobot:
        """Put a robot into the fleet; it stands on node `home` and says so."""
        manufacturer, serial = robot_id.split("/")
        introduction = Introduction(
            robot_id=robot_id,
            fleet=self.name,
            manufacturer=manufacturer,
            serial=serial,
            dialect=version,
            received_at=self._now(),
        )
        robot = self.robots[robot_id] = MemoryRobot(introduction, self.tell)
        if self._sink is not None:
            robot.appear(self._now())
        return robot

    def tell(self, report: FleetReport) -> None:
        """Let the fleet say this; nobody hears it unless the fleet runs."""
        if self._sink is not None:
            self._sink(report)

    async def start(self, sink: Callable[[FleetReport], None]) -> None:
        """Be there; every robot says how it is."""
        self._sink = sink
        for robot in self.robots.values():
            robot.appear(self._now())

    def compose(self, command: Command, robot: Robot, now: datetime) -> Parcel:
        """The message for a command, as JSON that `MemoryRobot.obey` takes."""
        if robot.dialect not in ("2.0.0", "2.1.0"):
            raise Permanent("no such dialect", field="dialect", value=robot.dialect)
        if isinstance(command, SendOrder):
            order = command.order
            actions = {one.id: one.type for stop in order.stops for one in stop.actions}
            told: dict[str, object] = {
                "order": order.id,
                "stops": len(order.stops),
                "actions": actions,
            }
        elif isinstance(command, CancelOrder):
            told = {"cancel": command.action_id}
        else:
            told = {"ask": command.action_id}
        header = "order" if isinstance(command, SendOrder) else "instantActions"
        body = {"headerId": robot.headers.get(header, 0) + 1, "at": now.isoformat(), **told}
        return Parcel(topic=robot.id, body=json.dumps(body), header=header)

    async def send(self, parcel: Parcel) -> None:
        """Give the parcel to its robot. Raises `failure`, and RetryLater unless it runs."""
        if self._sink is None:
            raise RetryLater("this fleet isn't running")
        if self.failure is not None:
            raise self.failure
        self.sent.append(parcel)
        robot = self.robots.get(parcel.topic)
        if robot is not None:
            robot.obey(json.loads(parcel.body), self._now())

    async def stop(self) -> None:
        """Be gone."""
        self._sink = None
