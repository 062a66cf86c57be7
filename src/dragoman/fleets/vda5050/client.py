"""The Fleet port for VDA 5050 2.0 and 2.1 over MQTT: topics, identities, versions.

Made by bootstrap.py. Topics are `{interface}/v2/{manufacturer}/{serial}/{topic}` (VDA 5050 6.5);
all go at QoS 0 but connection. Inbound is lenient, outbound strict.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from structlog.typing import FilteringBoundLogger

from dragoman.domain.errors import DragomanError, Permanent
from dragoman.domain.robot import UNLISTED, BadMessage, FleetReport, Link, Robot
from dragoman.fleets.vda5050.compose import instant_message, order_message
from dragoman.fleets.vda5050.inbound import (
    Undecodable,
    decode_connection,
    decode_factsheet,
    decode_state,
)
from dragoman.fleets.vda5050.reports import capabilities_of, link_report, state_report
from dragoman.fleets.vda5050.roster import Roster
from dragoman.fleets.vda5050.settings import Vda5050Settings
from dragoman.ports.clock import Clock
from dragoman.ports.fleet import CancelOrder, Command, Parcel, SendOrder
from dragoman.transport.mqtt import Message, MqttClient, MqttSettings, PayloadTooLong

MAX_BYTES = 1024 * 1024
"""Bytes of a message above which it is not even read; real ones have some kilobytes."""
USUAL_BYTES = 16 * 1024
"""Of a longer state nothing is remembered for the next one, so that memory stays bounded."""
ASK_AFTER_S = 2.0
"""The broker may hold a factsheet; it is asked for only if none came within this time."""
ASK_EVERY_S = 0.02
"""Between two requests, so that the answers of a large fleet don't come all at once."""


class Vda5050Fleet:
    """One interface of a broker, with all robots that speak on it."""

    def __init__(
        self, name: str, settings: Vda5050Settings, mqtt: MqttSettings, clock: Clock
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        client_id = f"dragoman-{name}-{clock.new_id()[-8:]}"
        self._client = MqttClient(mqtt, client_id=client_id, on_error=self._trouble)
        self._roster = Roster(name, settings)
        self._sink: Callable[[FleetReport], None] = _nowhere
        self._to_ask: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
        self._asker: asyncio.Task[None] | None = None
        self._log: FilteringBoundLogger = structlog.get_logger(__name__, fleet=name)

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._client.connected

    async def start(self, sink: Callable[[FleetReport], None]) -> None:
        """Subscribe and connect; goes on trying in the background if the broker is away."""
        self._sink = sink
        root = f"{self._settings.interface}/v2/+/+"
        self._client.subscribe(f"{root}/state", self._on_state)
        self._client.subscribe(f"{root}/connection", self._on_connection, qos=1)
        self._client.subscribe(f"{root}/factsheet", self._on_factsheet)
        await self._client.start(wait=False)
        self._asker = asyncio.create_task(self._ask(), name=f"fleet {self.name} factsheets")

    def compose(self, command: Command, robot: Robot, now: datetime) -> Parcel:
        """The message for a command, by the robot's version and dialect.

        A robot that the fleet doesn't list may still be told to stop, and nothing else.
        """
        if not isinstance(command, CancelOrder) and not self._settings.lists(robot.id):
            raise Permanent(
                "this robot isn't listed",
                field=f"fleets.{self.name}.robots",
                value=robot.id,
                mend="list it there, by a pattern like maker/*",
            )
        if isinstance(command, SendOrder):
            body = order_message(command.order, robot, now, self._settings.allowed_deviation_m)
            return _parcel(self._settings.interface, "order", body, robot)
        kind = "cancelOrder" if isinstance(command, CancelOrder) else "stateRequest"
        return _instant(self._settings, kind, command.action_id, robot, now)

    async def send(self, parcel: Parcel) -> None:
        """Publish at QoS 0, as the specification wants it."""
        await self._client.publish(parcel.topic, parcel.body.encode())

    async def stop(self) -> None:
        """Disconnect."""
        if self._asker is not None:
            self._asker.cancel()
            await asyncio.gather(self._asker, return_exceptions=True)
        await self._client.stop()

    def _on_state(self, message: Message) -> None:
        if message.retain:
            return  # a state that the broker kept says nothing of the present
        robot_id = _robot_id(message.topic)
        try:
            state = decode_state(_sized(message.payload))
        except Undecodable as error:
            self._bad(message, robot_id, error.kind, str(error))
            return
        if self._foreign(message, robot_id, state.manufacturer, state.serial_number):
            return
        now = self._clock.now()
        if not self._roster.knows(robot_id, state.version, now):
            self._meet(robot_id, state.version)
        usual = len(message.payload) <= USUAL_BYTES
        self._sink(state_report(robot_id, state, now, remember=usual))

    def _on_connection(self, message: Message) -> None:
        robot_id = _robot_id(message.topic)
        try:
            connection = decode_connection(_sized(message.payload))
        except Undecodable as error:
            self._bad(message, robot_id, error.kind, str(error))
            return
        if self._foreign(message, robot_id, connection.manufacturer, connection.serial_number):
            return
        self._meet(robot_id, connection.version)
        now = self._clock.now()
        report = link_report(robot_id, connection, now, retained=message.retain)
        if report.link is Link.ONLINE and not message.retain:
            self._want_factsheet(robot_id)  # it may have a new one, or not have heard us before
        self._sink(report)

    def _on_factsheet(self, message: Message) -> None:
        robot_id = _robot_id(message.topic)
        try:
            sheet = decode_factsheet(_sized(message.payload))
        except Undecodable as error:
            self._bad(message, robot_id, error.kind, str(error))
            return
        if self._foreign(message, robot_id, sheet.manufacturer, sheet.serial_number):
            return
        self._meet(robot_id, sheet.version, capabilities_of(sheet))

    def _meet(self, robot_id: str, said: str, able: frozenset[str] | None = None) -> None:
        """Tell who the robot is, unless that is known."""
        now = self._clock.now()
        introduction = self._roster.meet(robot_id, said, now, able)
        if introduction is not None:
            self._sink(introduction)
            self._roster.told(robot_id, now)
            self._want_factsheet(robot_id)

    def _want_factsheet(self, robot_id: str) -> None:
        if self._roster.lacks_factsheet(robot_id):
            self._to_ask.put_nowait((self._clock.monotonic() + ASK_AFTER_S, robot_id))

    async def _ask(self) -> None:
        """Ask robots for the factsheets that didn't come by themselves.

        That is no order, so it needs no row in the journal: one that gets lost is asked for
        again when the robot is next online.
        """
        while True:
            due, robot_id = await self._to_ask.get()
            await asyncio.sleep(max(ASK_EVERY_S, due - self._clock.monotonic()))
            if not (self._roster.lacks_factsheet(robot_id) and self.connected):
                continue
            robot = self._roster.asked(robot_id)
            action_id = f"factsheet-{self._clock.new_id()}"
            try:
                await self.send(
                    _instant(
                        self._settings, "factsheetRequest", action_id, robot, self._clock.now()
                    )
                )
            except DragomanError as error:
                text = f"Robot {robot_id} can't be asked for its factsheet: {error}"
                self._log.warning(text, action="fleet.factsheet_not_asked")

    def _foreign(self, message: Message, robot_id: str, manufacturer: str, serial: str) -> bool:
        """Whether the robot isn't of this fleet, or the payload names another than its topic.

        Absent names are let pass.
        """
        if not self._settings.lists(robot_id):
            self._bad(message, robot_id, UNLISTED, f"fleets.{self.name}.robots doesn't list it")
            return True
        if robot_id.startswith("/") or robot_id.endswith("/"):
            self._bad(message, robot_id, "identity", "its topic names no robot")
            return True
        named = f"{manufacturer}/{serial}"
        if named == robot_id or not (manufacturer and serial):
            return False
        self._bad(message, robot_id, "identity", f"the payload says that it is {named!r}")
        return True

    def _bad(self, message: Message, robot_id: str, kind: str, detail: str) -> None:
        self._sink(
            BadMessage(
                robot_id=robot_id,
                topic=message.topic,
                kind=kind,
                detail=detail,
                received_at=self._clock.now(),
                size=len(message.payload),
            )
        )

    def _trouble(self, subject: str, error: Exception) -> None:
        """A message beyond the broker's limit, a refused subscription, a sink that failed."""
        if isinstance(error, PayloadTooLong):
            message = Message(subject, b"", 0, False)
            self._bad(message, _robot_id(subject), "too-large", str(error))
            return
        self._log.error(
            f"Fleet {self.name}: {error}", action="fleet.trouble", topic=subject, exc_info=error
        )


def _instant(
    settings: Vda5050Settings, kind: str, action_id: str, robot: Robot, now: datetime
) -> Parcel:
    key = settings.dialect_of(robot.id).instant_actions
    body = instant_message(kind, action_id, {}, robot, now, key)
    return _parcel(settings.interface, "instantActions", body, robot)


def _parcel(interface: str, topic: str, body: str, robot: Robot) -> Parcel:
    root = f"{interface}/v2/{robot.manufacturer}/{robot.serial}"
    return Parcel(topic=f"{root}/{topic}", body=body, header=topic)


def _sized(payload: bytes) -> bytes:
    """The payload, if it isn't too large to be read. Raises Undecodable."""
    if len(payload) > MAX_BYTES:
        text = f"{len(payload)} bytes are too many, at most {MAX_BYTES} are read"
        raise Undecodable(text, kind="too-large")
    return payload


def _robot_id(topic: str) -> str:
    """`manufacturer/serial` of a topic that the subscriptions let through."""
    _, _, manufacturer, serial, _ = topic.split("/")
    return f"{manufacturer}/{serial}"


def _nowhere(_: FleetReport) -> None:
    """Before `start` nothing comes."""
