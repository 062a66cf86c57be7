"""The fleet and the desk of a simulated site, with their messages on wires that may fail.

Orders and states are real VDA 5050 bytes, read and written by the real adapter's own functions.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from dragoman.domain.errors import Permanent, RetryLater
from dragoman.domain.robot import FleetReport, Introduction, Robot
from dragoman.fleets.vda5050.compose import instant_message, order_message
from dragoman.fleets.vda5050.inbound import decode_connection, decode_state
from dragoman.fleets.vda5050.reports import link_report, state_report
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from dragoman.ports.fleet import CancelOrder, Command, Parcel, SendOrder
from dragoman.testing.robots.messages import Outgoing
from dragoman.testing.robots.vehicle import Vehicle

Wire = deque[tuple[str, bytes]]


class SimFleet:
    """Implements ports/fleet.py over one pair of wires per robot."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.down: dict[str, Wire] = {}
        self.up: dict[str, deque[Outgoing]] = {}
        self.broker_up = True
        self._now = now

    @property
    def connected(self) -> bool:
        """Whether the broker is up."""
        return self.broker_up

    def add(self, vehicle: Vehicle) -> None:
        """Lay the wires of a vehicle."""
        self.down[vehicle.profile.robot_id] = deque()
        self.up[vehicle.profile.robot_id] = deque()

    async def start(self, sink: Callable[[FleetReport], None]) -> None:
        """Nothing to connect: the world moves the messages."""

    async def stop(self) -> None:
        """Nothing to disconnect."""

    def compose(self, command: Command, robot: Robot, now: datetime) -> Parcel:
        """The real adapter's bytes; the topic is the robot's id and the kind."""
        if isinstance(command, SendOrder):
            body, kind = order_message(command.order, robot, now, 2.0), "order"
        else:
            verb = "cancelOrder" if isinstance(command, CancelOrder) else "stateRequest"
            body = instant_message(verb, command.action_id, {}, robot, now, "actions")
            kind = "instantActions"
        return Parcel(topic=f"{robot.id}#{kind}", body=body, header=kind)

    async def send(self, parcel: Parcel) -> None:
        """Put it on the robot's wire."""
        if not self.broker_up:
            raise RetryLater("the broker is away")
        robot_id, _, kind = parcel.topic.partition("#")
        self.down[robot_id].append((kind, parcel.body.encode()))

    def hear(self, robot_id: str, known: bool) -> list[FleetReport]:
        """Take one message off a robot's wire and read it as the adapter does."""
        message = self.up[robot_id].popleft()
        manufacturer, serial = robot_id.split("/")
        reports: list[FleetReport] = []
        if message.kind == "state":
            state = decode_state(message.payload)
            reports.append(state_report(robot_id, state, self._now()))
            version = state.version
        elif message.kind == "connection":
            connection = decode_connection(message.payload)
            reports.append(link_report(robot_id, connection, self._now(), retained=False))
            version = connection.version
        else:
            return []
        if not known:
            introduction = Introduction(
                robot_id=robot_id,
                fleet="sim",
                manufacturer=manufacturer,
                serial=serial,
                dialect=version,
                received_at=self._now(),
            )
            reports.insert(0, introduction)
        return reports


@dataclass(slots=True, kw_only=True)
class Ticket:
    """A record at the simulated desk. phase: open, cancelled or closed. told: statuses taken."""

    id: str
    title: str
    location: str
    opened_at: datetime
    updated_at: datetime
    version: int = 1
    phase: str = "open"
    priority: str = "3"
    told: list[tuple[str, str]] = field(default_factory=list)

    def record(self) -> DeskRecord:
        """The record as its API gives it."""
        raw = {
            "number": f"SIM{self.id}",
            "title": self.title,
            "location": self.location,
            "phase": self.phase,
            "priority": self.priority,
            "opened": self.opened_at.isoformat(),
        }
        return DeskRecord(
            external_id=self.id,
            version=str(self.version),
            updated_at=self.updated_at,
            updated_by="",
            raw=raw,
        )


class SimDesk:
    """Implements ports/desk.py. refuse: how the next writes fail (`retry`, `reset`, `refuse`).

    keeps_open: tickets that stay open when they are told that their case was cancelled. reset: the
    write is committed and then the answer is lost.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.refuse: deque[str] = deque()
        self.keeps_open: set[str] = set()
        self._now = now

    def open(self, location: str) -> str:
        """Somebody opens a ticket."""
        ticket_id = str(len(self.tickets) + 1)
        now = self._now().replace(microsecond=0)
        self.tickets[ticket_id] = Ticket(
            id=ticket_id, title="look", location=location, opened_at=now, updated_at=now
        )
        return ticket_id

    def change(self, ticket_id: str, **fields: str) -> None:
        """Somebody edits a ticket."""
        ticket = self.tickets[ticket_id]
        for name, value in fields.items():
            setattr(ticket, name, value)
        ticket.version += 1
        ticket.updated_at = self._now().replace(microsecond=0)

    async def changes(self, _cursor: str, _limit: int) -> DeskPage:
        """All tickets, in the order of their last change: the largest overlap there is."""
        records = [ticket.record() for ticket in self.tickets.values()]
        records.sort(key=lambda record: record.updated_at)
        return DeskPage(records=records, cursor=str(self._now()), more=False)

    async def read(self, external_id: str) -> DeskRecord:
        """One ticket."""
        return self.tickets[external_id].record()

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """Take a status, once per key."""
        fault = self.refuse.popleft() if self.refuse else ""
        if fault == "retry":
            raise RetryLater("the desk is busy")
        if fault == "refuse":
            raise Permanent("the desk says no")
        ticket = self.tickets[external_id]
        status = write.fields["status"]
        if all(key != write.key for key, _ in ticket.told):
            ticket.told.append((write.key, status))
            phase = {"done": "closed", "cancelled": "cancelled"}.get(status, ticket.phase)
            if status == "cancelled" and external_id in self.keeps_open:
                phase = ticket.phase
            self.change(external_id, phase=phase)
        if fault == "reset":
            raise RetryLater("the connection was reset")
        return ticket.record()

    async def create(self, _write: DeskWrite) -> DeskRecord:
        """Faults of robots have no desk here."""
        raise Permanent("this desk takes no faults")

    async def close(self) -> None:
        """Nothing to let go of."""
