"""Robots over a real broker: what a gateway sees of them, and of their faults."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dragoman.testing.robots import (
    Garbage,
    Misbehaviour,
    Outcome,
    Robot,
    RobotFleet,
    VehicleProfile,
    load_report,
    make_profiles,
)
from dragoman.transport.broker import EmbeddedBroker
from dragoman.transport.mqtt import Message, MqttClient, MqttSettings
from tests.testing.robots.lab import PROFILE, action, order, validator

QUICK = replace(PROFILE, time_scale=200.0)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[MqttSettings]:
    embedded = EmbeddedBroker(tmp_path / "broker")
    yield await embedded.start()
    await embedded.stop()


class Gateway:
    """A plain master control: everything that robots publish, in order, and a way to send."""

    def __init__(self, settings: MqttSettings) -> None:
        self.client = MqttClient(settings, client_id="gateway")
        self.heard: list[tuple[str, str, bytes]] = []
        self.client.subscribe("uagv/v2/#", self._note, qos=1)

    def _note(self, message: Message) -> None:
        serial, kind = message.topic.split("/")[-2:]
        if kind not in ("order", "instantActions"):
            self.heard.append((serial, kind, message.payload))

    def said(self, serial: str, kind: str) -> list[dict[str, Any]]:
        return [json.loads(p) for s, k, p in self.heard if (s, k) == (serial, kind)]

    async def send(self, serial: str, kind: str, message: dict[str, Any]) -> None:
        addressed = {**message, "serialNumber": serial}
        topic = f"uagv/v2/acme/{serial}/{kind}"
        await self.client.publish(topic, json.dumps(addressed).encode())

    def links(self, serial: str) -> list[str]:
        return [str(said["connectionState"]) for said in self.said(serial, "connection")]


@pytest.fixture
async def gateway(broker: MqttSettings) -> AsyncIterator[Gateway]:
    made = Gateway(broker)
    await made.client.start()
    yield made
    await made.client.stop()


@pytest.fixture
async def robot(broker: MqttSettings, gateway: Gateway) -> AsyncIterator[Robot]:
    made = Robot(QUICK, broker)
    await made.start()
    await eventually(lambda: gateway.said("r1", "state"))
    yield made
    await made.stop()


async def eventually(condition: Callable[[], object], *, within_s: float = 15.0) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while not condition():
        assert loop.time() < until, "it didn't happen within the deadline"
        await asyncio.sleep(0.005)


def idle(gateway: Gateway, serial: str, order_id: str) -> bool:
    state = gateway.said(serial, "state")[-1]
    ended = {told["actionStatus"] for told in state["actionStates"]} <= {"FINISHED", "FAILED"}
    return state["orderId"] == order_id and not state["nodeStates"] and ended


async def test_an_order_over_the_wire(gateway: Gateway, robot: Robot) -> None:
    await gateway.send("r1", "order", order(actions={"C": [action("c", case="INC1")]}))
    await eventually(lambda: idle(gateway, "r1", "o1"))
    [execution] = robot.vehicle.ledger.executions
    assert (execution.case_ref, execution.outcome) == ("INC1", Outcome.FINISHED)
    await robot.stop()
    await eventually(lambda: gateway.links("r1") == ["ONLINE", "OFFLINE"])
    for _, kind, payload in gateway.heard:
        validator("2.0.0", kind).validate(json.loads(payload))
    numbers = [state["headerId"] for state in gateway.said("r1", "state")]
    assert numbers == list(range(len(numbers)))


async def test_connection_is_retained_and_state_is_not(
    broker: MqttSettings, gateway: Gateway, robot: Robot
) -> None:
    late = MqttClient(broker, client_id="late")
    heard: list[Message] = []
    late.subscribe("uagv/#", heard.append, qos=1)
    await late.start()
    await eventually(lambda: heard)
    await late.stop()
    assert [(m.topic.rpartition("/")[2], m.retain) for m in heard] == [("connection", True)]


async def test_a_dropped_connection_shows_the_will_and_the_order_goes_on(
    gateway: Gateway, robot: Robot
) -> None:
    robot.drop_connection(away_s=0.2)
    await eventually(lambda: gateway.links("r1") == ["ONLINE", "CONNECTIONBROKEN", "ONLINE"])
    await gateway.send("r1", "order", order())
    await eventually(lambda: idle(gateway, "r1", "o1"))


async def test_a_reboot_loses_the_order_and_counts_anew(gateway: Gateway, robot: Robot) -> None:
    robot.misbehave(Misbehaviour(e_stop="MANUAL"))
    await gateway.send("r1", "order", order())
    await eventually(lambda: gateway.said("r1", "state")[-1]["orderId"] == "o1")
    robot.reboot(away_s=0.1)
    await eventually(lambda: gateway.links("r1")[-2:] == ["CONNECTIONBROKEN", "ONLINE"])
    await eventually(lambda: gateway.said("r1", "state")[-1]["orderId"] == "")
    assert gateway.said("r1", "state")[-1]["headerId"] == 0
    assert robot.vehicle.ledger.executions[0].outcome is Outcome.LOST


async def test_a_frozen_robot_is_given_up_by_its_broker_and_comes_back(
    broker: MqttSettings, gateway: Gateway
) -> None:
    robot = Robot(QUICK, replace(broker, keepalive_s=1))
    await robot.start()
    await eventually(lambda: gateway.links("r1") == ["ONLINE"])
    robot.misbehave(Misbehaviour(frozen=True))
    await gateway.send("r1", "order", order())
    await eventually(lambda: gateway.links("r1") == ["ONLINE", "CONNECTIONBROKEN"])
    assert robot.vehicle.ledger.executions == []
    robot.misbehave(Misbehaviour())
    await eventually(lambda: gateway.links("r1")[2:] == ["ONLINE"])
    await eventually(lambda: idle(gateway, "r1", "o1"))  # it had the order in its socket
    await robot.stop()


async def test_garbage_arrives_as_garbage(gateway: Gateway, robot: Robot) -> None:
    for kind in Garbage:
        robot.garbage(kind)
    await eventually(
        lambda: sum(1 for _, kind, _ in gateway.heard if kind == "state") == 1 + len(Garbage)
    )
    assert max(len(payload) for _, _, payload in gateway.heard) > 5_000_000


async def test_a_fleet_does_its_orders_each_on_its_own_connection(
    broker: MqttSettings, gateway: Gateway
) -> None:
    base = replace(QUICK, serial="f-")
    profiles = make_profiles(10, seed=3, base=base)
    assert profiles == make_profiles(10, seed=3, base=base)
    assert {profile.version for profile in profiles} == {"2.0.0", "2.1.0"}
    fleet = RobotFleet(broker, profiles)
    await fleet.start()
    await eventually(lambda: all(gateway.said(serial, "state") for serial in fleet.robots))
    for serial in fleet.robots:
        state = gateway.said(serial, "state")[-1]
        sent = order(route="AB", order_id=f"for-{serial}")
        sent["nodes"][0]["nodeId"] = sent["edges"][0]["startNodeId"] = state["lastNodeId"]
        await gateway.send(serial, "order", sent)
    await eventually(lambda: all(idle(gateway, s, f"for-{s}") for s in fleet.robots))
    assert {e.order_id for e in fleet.executions()} == {f"for-{s}" for s in fleet.robots}
    assert {a.order_id for a in fleet.acknowledgements()} == {f"for-{s}" for s in fleet.robots}
    await fleet.stop()
    await eventually(lambda: all(gateway.links(s)[-1] == "OFFLINE" for s in fleet.robots))


class Program:
    """`python -m dragoman.testing.robots`, driven by its standard input."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 20)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        return await self.answer()


@pytest.fixture
async def program(broker: MqttSettings, tmp_path: Path) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragoman.testing.robots", "--broker", f"mqtt://{broker.address}"),
        *("--count", "2", "--manufacturer", "acme", "--prefix", "p", "--time-scale", "500"),
        *("--report", str(tmp_path / "report.jsonl")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    yield Program(process)
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_the_program_obeys_lines_and_writes_its_report(
    program: Program, gateway: Gateway, tmp_path: Path
) -> None:
    assert (await program.answer())["robots"] == ["acme/p1", "acme/p2"]
    assert await program.ask("misbehave p1 silent") == {"ok": "misbehave", "robots": 1}
    assert "error" in await program.ask("misbehave p9 silent")
    assert "no switch" in (await program.ask("misbehave p1 sulk"))["error"]
    assert "no command" in (await program.ask("sing *"))["error"]
    assert "error" in await program.ask("garbage p2 gold")
    for serial, home in (("p1", "home-1"), ("p2", "home-2")):
        sent = order(route="A", order_id=f"o-{serial}")
        sent["nodes"][0]["nodeId"] = home
        await gateway.send(serial, "order", sent)
    await eventually(lambda: "o-p2" in {s["orderId"] for s in gateway.said("p2", "state")})
    report = tmp_path / "report.jsonl"
    await eventually(lambda: len(load_report(report)[0]) == 2)
    assert (await program.ask("status"))["executions"] == {"finished": 2}
    program.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(program.process.wait(), 20) == 0
    executions, acknowledgements = load_report(report)
    assert {execution.order_id for execution in executions} == {"o-p1", "o-p2"}
    assert [said.order_id for said in acknowledgements] == ["o-p2"]


async def test_the_program_says_so_when_there_is_no_broker(
    broker: MqttSettings, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragoman.testing.robots", "--broker", "mqtt://127.0.0.1:1"),
        *("--count", "1", "--deadline-s", "0.5"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=dict(os.environ),
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert "127.0.0.1:1" in json.loads(out)["error"]


def test_a_profile_says_where_it_speaks() -> None:
    assert VehicleProfile(serial="s", manufacturer="m").robot_id == "m/s"
