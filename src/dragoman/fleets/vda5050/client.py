"""The Fleet port for VDA 5050 2.0 and 2.1 over MQTT: topics, identities, versions.

Made by bootstrap.py. Topics are `{interface}/v2/{manufacturer}/{serial}/{topic}` (VDA 5050 6.5);
all go at QoS 0 but connection. Inbound is lenient, outbound strict.
"""

from collections.abc import Callable
from datetime import datetime

from dragoman.domain.errors import BadInput
from dragoman.domain.robot import BadMessage, FleetReport, Introduction, Robot
from dragoman.fleets.vda5050.compose import instant_message, order_message
from dragoman.fleets.vda5050.inbound import (
    Undecodable,
    decode_connection,
    decode_factsheet,
    decode_state,
)
from dragoman.fleets.vda5050.outbound import ORDERS
from dragoman.fleets.vda5050.reports import link_report, state_report
from dragoman.fleets.vda5050.settings import Vda5050Settings
from dragoman.ports.clock import Clock
from dragoman.ports.fleet import CancelOrder, Command, Parcel, SendOrder
from dragoman.transport.mqtt import Message, MqttClient, MqttSettings

MAX_STATE = 1024 * 1024
"""Bytes of a state above which it is not even read; real ones have some kilobytes."""


class Vda5050Fleet:
    """One interface of a broker, with all robots that speak on it."""

    def __init__(
        self, name: str, settings: Vda5050Settings, mqtt: MqttSettings, clock: Clock
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._client = MqttClient(mqtt, client_id=f"dragoman-{name}-{clock.new_id()[-8:]}")
        self._known: dict[str, tuple[str, frozenset[str] | None]] = {}
        self._sink: Callable[[FleetReport], None] = _nowhere

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

    def compose(self, command: Command, robot: Robot, now: datetime) -> Parcel:
        """The message for a command, by the robot's version and dialect."""
        if isinstance(command, SendOrder):
            body = order_message(command.order, robot, now, self._settings.allowed_deviation_m)
            return self._parcel("order", body, robot)
        kind = "cancelOrder" if isinstance(command, CancelOrder) else "stateRequest"
        key = self._settings.dialect_of(robot.id).instant_actions
        body = instant_message(kind, command.action_id, {}, robot, now, key)
        return self._parcel("instantActions", body, robot)

    def _parcel(self, topic: str, body: str, robot: Robot) -> Parcel:
        root = f"{self._settings.interface}/v2/{robot.manufacturer}/{robot.serial}"
        return Parcel(topic=f"{root}/{topic}", body=body, header=topic)

    async def send(self, parcel: Parcel) -> None:
        """Publish at QoS 0, as the specification wants it."""
        await self._client.publish(parcel.topic, parcel.body.encode())

    async def stop(self) -> None:
        """Disconnect."""
        await self._client.stop()

    def _on_state(self, message: Message) -> None:
        if message.retain:
            return  # a state that the broker kept says nothing of the present
        robot_id = _robot_id(message.topic)
        if len(message.payload) > MAX_STATE:
            self._bad(message, robot_id, "too-large", f"{len(message.payload)} bytes")
            return
        try:
            state = decode_state(message.payload)
        except Undecodable as error:
            self._bad(message, robot_id, error.kind, str(error))
            return
        if self._foreign(message, robot_id, state.manufacturer, state.serial_number):
            return
        if robot_id not in self._known:
            self._introduce(robot_id, state.version, None)
        self._sink(state_report(robot_id, state, self._clock.now()))

    def _on_connection(self, message: Message) -> None:
        robot_id = _robot_id(message.topic)
        try:
            connection = decode_connection(message.payload)
        except Undecodable as error:
            self._bad(message, robot_id, error.kind, str(error))
            return
        if self._foreign(message, robot_id, connection.manufacturer, connection.serial_number):
            return
        if robot_id not in self._known:
            self._introduce(robot_id, connection.version, None)
        report = link_report(robot_id, connection, self._clock.now(), retained=message.retain)
        self._sink(report)

    def _on_factsheet(self, message: Message) -> None:
        robot_id = _robot_id(message.topic)
        try:
            sheet = decode_factsheet(message.payload)
        except BadInput as error:
            self._bad(message, robot_id, "schema", str(error))
            return
        if self._foreign(message, robot_id, sheet.manufacturer, sheet.serial_number):
            return
        features = sheet.protocol_features
        actions = features.agv_actions if features is not None else ()
        able = frozenset(action.action_type for action in actions)
        self._introduce(robot_id, sheet.version, able or None)

    def _introduce(self, robot_id: str, version: str, capabilities: frozenset[str] | None) -> None:
        """Tell who the robot is, once, and again when it says something new of itself."""
        dialect = self._settings.dialect_of(robot_id)
        spoken = dialect.version or (version if version in ORDERS else self._settings.version)
        able = capabilities if dialect.capabilities is None else dialect.capabilities
        if self._known.get(robot_id) == (spoken, able):
            return
        self._known[robot_id] = (spoken, able)
        manufacturer, serial = robot_id.split("/")
        self._sink(
            Introduction(
                robot_id=robot_id,
                fleet=self.name,
                manufacturer=manufacturer,
                serial=serial,
                dialect=spoken,
                received_at=self._clock.now(),
                capabilities=able,
            )
        )

    def _foreign(self, message: Message, robot_id: str, manufacturer: str, serial: str) -> bool:
        """Whether the payload names another robot than its topic. Absent names are let pass."""
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


def _robot_id(topic: str) -> str:
    """`manufacturer/serial` of a topic that the subscriptions let through."""
    _, _, manufacturer, serial, _ = topic.split("/")
    return f"{manufacturer}/{serial}"


def _nowhere(_: FleetReport) -> None:
    """Before `start` nothing comes."""
