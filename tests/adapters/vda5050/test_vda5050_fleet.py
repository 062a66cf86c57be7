"""The VDA 5050 fleet against the suite of the port: real broker, simulated vehicles."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.domain.errors import Permanent
from dragoman.domain.robot import BadMessage, FleetReport, Link, LinkReport, RobotReport
from dragoman.fleets.vda5050 import PLUGIN
from dragoman.fleets.vda5050.settings import Vda5050Settings
from dragoman.ports.fleet import AskState, CancelOrder, Fleet, SendOrder
from dragoman.runtime.clock import SystemClock
from dragoman.testing.conformance.feed import eventually
from dragoman.testing.conformance.fleet import FleetConformance
from dragoman.testing.conformance.fleet_master import Master, an_order, arrived, commanding
from dragoman.testing.robots import Garbage, Pose, Robot, VehicleProfile
from dragoman.transport.mqtt import MqttSettings
from tests.adapters.transport.brokers import Broker, MosquittoBroker, Nats


class VehicleWorld:
    """A broker and the vehicles on it."""

    versions = ("2.0.0", "2.1.0")
    garbage: Mapping[str, str] = {
        Garbage.JSON: "not-json",
        Garbage.HUGE: "too-large",
        Garbage.FOREIGN: "identity",
        Garbage.SCHEMA: "schema",
    }

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.options: dict[str, Any] = {}
        self.robots: dict[str, Robot] = {}

    @property
    def mqtt(self) -> MqttSettings:
        return replace(self.broker.settings, reconnect_most_s=0.2)

    async def stop(self) -> None:
        for robot in self.robots.values():
            await robot.stop()
        await self.broker.kill()

    def fleet(self) -> Fleet:
        settings = Vda5050Settings.model_validate(self.options)
        return PLUGIN.connect("agvs", settings, self.mqtt, SystemClock())

    async def add(self, serial: str, version: str, *, slow: bool = False, **profile: Any) -> str:
        whole = VehicleProfile(
            serial=serial,
            version=version,  # type: ignore[arg-type]  # the suite gives those of `versions`
            pose=Pose(map_id="map"),
            node_id="home",
            time_scale=1.0 if slow else 200.0,
            **profile,
        )
        robot = Robot(whole, self.mqtt)
        await robot.start()
        self.robots[whole.robot_id] = robot
        return whole.robot_id

    def outcomes(self, robot_id: str) -> Sequence[tuple[str, str]]:
        executions = self.robots[robot_id].vehicle.ledger.executions
        return [(execution.order_id, execution.outcome.value) for execution in executions]

    async def spoil(self, robot_id: str, kind: str) -> None:
        robot = self.robots[robot_id]
        robot.garbage(Garbage(kind))
        robot.misbehave(robot.vehicle.misbehaviour)  # says how it is

    async def cut(self) -> None:
        await self.broker.kill()

    async def restore(self) -> None:
        await self.broker.start()
        for robot in self.robots.values():
            await eventually(lambda: robot.vehicle._voice.online)  # noqa: B023 - awaited at once


@pytest.fixture(
    params=[
        "nats",
        pytest.param("mosquitto", marks=pytest.mark.live),
        pytest.param("mosquitto, MQTT 5", marks=pytest.mark.live),
    ]
)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VehicleWorld]:
    broker: Broker
    if request.param == "nats":
        broker = Nats(tmp_path / "nats")
    else:
        broker = MosquittoBroker(tmp_path, "5" if "5" in request.param else "3.1.1")
    await broker.start()
    vehicles = VehicleWorld(broker)
    yield vehicles
    await vehicles.stop()


class TestVda5050Fleet(FleetConformance):
    @pytest.fixture
    def world(self, world: VehicleWorld) -> VehicleWorld:
        return world


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.fleets.vda5050.client.ASK_AFTER_S", 0.05)


def requests(world: VehicleWorld, robot_id: str) -> list[str]:
    """The instant actions that a vehicle has had."""
    return [told["actionType"] for told in world.robots[robot_id].vehicle._body.instant]


@pytest.mark.usefixtures("soon")
async def test_robots_of_2_1_are_asked_for_their_factsheet(world: VehicleWorld) -> None:
    able = frozenset({"inspect", "pick"})
    async with commanding(world) as master:
        old = await world.add("old", "2.0.0", action_types=able)
        new = await world.add("new", "2.1.0", action_types=able)
        await arrived(master, old)
        await arrived(master, new)
        await eventually(lambda: master.robots[new].capabilities == able)
        assert (requests(world, old), requests(world, new)) == ([], ["factsheetRequest"])
        assert master.robots[old].capabilities == frozenset()
        order = SendOrder(order=an_order(new, "order-1"))
        assert json.loads((await master.send(order, new)).body)["headerId"] == 1
        await eventually(lambda: world.outcomes(new) == [("order-1", "finished")])


@pytest.mark.usefixtures("soon")
async def test_a_factsheet_that_the_broker_has_is_not_asked_for(world: VehicleWorld) -> None:
    able = frozenset({"inspect"})
    robot_id = await world.add("r1", "2.1.0", action_types=able)
    async with commanding(world) as master:
        await master_knows(master, robot_id, able)
    assert requests(world, robot_id) == ["factsheetRequest"]
    async with commanding(world) as master:
        await master_knows(master, robot_id, able)
        await master.send(AskState(action_id="mark"), robot_id)
        await master.reported(robot_id, "mark")
    assert requests(world, robot_id) == ["factsheetRequest", "stateRequest"]


async def master_knows(master: Master, robot_id: str, able: frozenset[str]) -> None:
    def known() -> bool:
        robot = master.robots.get(robot_id)
        return robot is not None and robot.capabilities == able

    await eventually(known)


@pytest.mark.usefixtures("soon")
async def test_nobody_is_asked_if_the_settings_say_so(world: VehicleWorld) -> None:
    world.options = {"factsheets": False}
    async with commanding(world) as master:
        robot_id = await world.add("r1", "2.1.0", action_types=frozenset({"inspect"}))
        await arrived(master, robot_id)
        await master.send(SendOrder(order=an_order(robot_id, "order-1")), robot_id)
        await eventually(lambda: world.outcomes(robot_id) == [("order-1", "finished")])
    assert requests(world, robot_id) == []


async def test_a_crash_of_a_robot_is_told_by_its_will(world: VehicleWorld) -> None:
    async with commanding(world) as master:
        robot_id = await world.add("r1", "2.0.0")
        await arrived(master, robot_id)
        world.robots[robot_id].drop_connection(away_s=0.2)
        await eventually(lambda: Link.BROKEN in links(master))
        await eventually(lambda: links(master)[-1] is Link.ONLINE)


async def test_a_late_fleet_hears_of_robots_by_what_the_broker_kept(world: VehicleWorld) -> None:
    robot_id = await world.add("r1", "2.0.0")
    async with commanding(world) as master:
        await eventually(lambda: links(master) == [Link.ONLINE])
        assert [r.retained for r in master.heard if isinstance(r, LinkReport)] == [True]
        assert master.states(robot_id) == []  # the next state may take its interval of 30 s
        await master.send(AskState(action_id="now-please"), robot_id)
        await master.more_states(robot_id, 0)


def links(master: Master) -> list[Link]:
    return [report.link for report in master.heard if isinstance(report, LinkReport)]


async def test_a_topic_beyond_the_brokers_limit_is_told(world: VehicleWorld) -> None:
    mqtt = replace(world.mqtt, max_payload_bytes=100_000)
    fleet = PLUGIN.connect("agvs", Vda5050Settings(), mqtt, SystemClock())
    heard: list[FleetReport] = []
    await fleet.start(heard.append)
    try:
        await eventually(lambda: fleet.connected)
        robot_id = await world.add("r1", "2.0.0")
        await eventually(lambda: any(isinstance(report, RobotReport) for report in heard))
        await world.spoil(robot_id, Garbage.HUGE)
        await eventually(lambda: any(isinstance(report, BadMessage) for report in heard))
    finally:
        await fleet.stop()
    bad = next(report for report in heard if isinstance(report, BadMessage))
    assert (bad.kind, bad.robot_id) == ("too-large", robot_id)


@pytest.mark.usefixtures("soon")
async def test_a_robot_that_is_not_listed_is_not_heard_and_gets_nothing(
    world: VehicleWorld,
) -> None:
    world.options = {"robots": ["dragoman/r*"]}
    async with commanding(world) as master:
        stranger = await world.add("x1", "2.1.0")
        robot_id = await world.add("r1", "2.1.0")
        await arrived(master, robot_id)
        await eventually(lambda: requests(world, robot_id) == ["factsheetRequest"])
        await eventually(lambda: master.bad()["unlisted"] > 0)
        assert master.robots.keys() == {robot_id}
        assert requests(world, stranger) == []
        known = replace(master.robots[robot_id], id=stranger, serial="x1")
        order = SendOrder(order=an_order(stranger, "order-1"))
        with pytest.raises(Permanent, match="isn't listed"):
            master.fleet.compose(order, known, SystemClock().now())
        stop = CancelOrder(order_id="order-1", action_id="stop")
        assert "cancelOrder" in master.fleet.compose(stop, known, SystemClock().now()).body
