"""What the fleet makes of single messages: retained ones, versions, factsheets, bad ones."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dragoman.domain.robot import (
    BadMessage,
    FleetReport,
    Introduction,
    Link,
    LinkReport,
    RobotReport,
)
from dragoman.fleets.vda5050.client import Vda5050Fleet
from dragoman.fleets.vda5050.roster import AGAIN, version_of
from dragoman.fleets.vda5050.settings import Vda5050Settings
from dragoman.runtime.clock import SystemClock
from dragoman.testing.robots import VehicleProfile
from dragoman.testing.robots.messages import factsheet_body
from dragoman.transport.mqtt import Message, MqttSettings

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


class Clock(SystemClock):
    def __init__(self) -> None:
        super().__init__()
        self.time = NOW

    def now(self) -> datetime:
        return self.time


class Desk:
    """A fleet that is given messages as the MQTT client would, without a broker."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        settings = Vda5050Settings.model_validate(options)
        mqtt = MqttSettings(host="127.0.0.1", port=1)
        self.fleet = Vda5050Fleet("agvs", settings, mqtt, self.clock)
        self.heard: list[FleetReport] = []
        self.fleet._sink = self.heard.append

    def say(
        self, kind: str, body: dict[str, Any] | bytes, *, retain: bool = False, who: str = "acme/r1"
    ) -> list[FleetReport]:
        """Deliver a message; what came of it."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        handle = getattr(self.fleet, f"_on_{kind}")
        before = len(self.heard)
        handle(Message(f"uagv/v2/{who}/{kind}", payload, 0, retain))
        return self.heard[before:]


def header(version: str = "2.0.0", **more: Any) -> dict[str, Any]:
    return {
        "headerId": 1,
        "timestamp": "2026-05-04T10:00:00Z",
        "version": version,
        "manufacturer": "acme",
        "serialNumber": "r1",
        **more,
    }


def state(version: str = "2.0.0", **more: Any) -> dict[str, Any]:
    none: dict[str, Any] = {"nodeStates": [], "edgeStates": [], "actionStates": []}
    return {**header(version), "orderId": "", **none, **more}


def factsheet(*types: str, version: str = "2.1.0") -> dict[str, Any]:
    body = factsheet_body(VehicleProfile(serial="r1", action_types=frozenset(types)))
    return {**header(version), **body}


def introductions(reports: list[FleetReport]) -> list[Introduction]:
    return [report for report in reports if isinstance(report, Introduction)]


def test_a_retained_state_is_ignored() -> None:
    desk = Desk()
    assert desk.say("state", state(), retain=True) == []
    assert [type(r) for r in desk.say("state", state())] == [Introduction, RobotReport]


def test_a_retained_connection_is_marked() -> None:
    said = Desk().say("connection", header(connectionState="ONLINE"), retain=True)
    assert [type(r) for r in said] == [Introduction, LinkReport]
    assert isinstance(said[1], LinkReport)
    assert (said[1].retained, said[1].link) == (True, Link.ONLINE)


@pytest.mark.parametrize(
    ("said", "link"),
    [
        ("ONLINE", Link.ONLINE),
        ("OFFLINE", Link.OFFLINE),
        ("CONNECTIONBROKEN", Link.BROKEN),
        ("HIBERNATING", Link.UNKNOWN),
    ],
)
def test_every_connection_state_is_understood(said: str, link: Link) -> None:
    report = Desk().say("connection", header(connectionState=said))[-1]
    assert isinstance(report, LinkReport)
    assert report.link is link


@pytest.mark.parametrize(
    ("said", "spoken"),
    [
        ("2.0", "2.0.0"),
        ("2.0.0", "2.0.0"),
        ("v2.1.0", "2.1.0"),
        ("2.1.3", "2.1.0"),
        ("2.1", "2.1.0"),
        ("1.1.0", None),
        ("3.0.0", None),
        ("2.2.0", None),
        ("", None),
        ("2.\u0661", None),
    ],
)
def test_versions_are_read(said: str, spoken: str | None) -> None:
    assert version_of(said) == spoken
    assert introductions(Desk(version="2.1.0").say("state", state(said)))[0].dialect == (
        spoken or "2.1.0"
    )


def test_a_robot_that_changes_its_version_is_introduced_again() -> None:
    desk = Desk()
    assert introductions(desk.say("state", state("2.0.0")))[0].dialect == "2.0.0"
    assert introductions(desk.say("state", state("2.0.0"))) == []
    assert introductions(desk.say("state", state("2.1.0")))[0].dialect == "2.1.0"


def test_a_dialect_overrides_what_robots_say() -> None:
    dialects = {"acme/*": {"version": "2.0.0", "capabilities": ["pick"]}}
    desk = Desk(dialects=dialects)
    said = introductions(desk.say("state", state("2.1.0")))
    assert [(one.dialect, one.capabilities) for one in said] == [("2.0.0", frozenset({"pick"}))]
    assert desk.say("factsheet", factsheet("drop")) == []


def test_an_introduction_is_repeated_after_a_while() -> None:
    desk = Desk()
    desk.say("state", state())
    desk.clock.time += AGAIN / 2
    assert introductions(desk.say("state", state())) == []
    desk.clock.time += AGAIN / 2
    assert len(introductions(desk.say("state", state()))) == 1
    assert introductions(desk.say("state", state())) == []


def test_an_introduction_that_its_sink_did_not_take_is_repeated() -> None:
    desk = Desk()

    def broken(_: FleetReport) -> None:
        raise ValueError("a defect of the sink")

    desk.fleet._sink = broken
    with pytest.raises(ValueError, match="defect"):
        desk.say("state", state())
    desk.fleet._sink = desk.heard.append
    assert [type(r) for r in desk.say("state", state())] == [Introduction, RobotReport]


def test_a_factsheet_tells_what_orders_may_hold() -> None:
    desk = Desk()
    desk.say("state", state("2.1.0"))
    said = introductions(desk.say("factsheet", factsheet("pick", "drop")))
    assert said[0].capabilities == frozenset({"pick", "drop"})  # and none of the instant actions
    assert introductions(desk.say("factsheet", factsheet("pick", "drop"))) == []
    desk.clock.time += AGAIN
    assert introductions(desk.say("state", state("2.1.0")))[0].capabilities == frozenset(
        {"pick", "drop"}
    )


def test_a_factsheet_without_actions_for_orders_says_nothing_of_them() -> None:
    assert introductions(Desk().say("factsheet", factsheet()))[0].capabilities is None


@pytest.mark.parametrize("kind", ["state", "connection", "factsheet"])
@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "not-json"),
        (b"\xff\xfe\x00", "not-json"),
        (b"{", "not-json"),
        (b"[" * 200_000, "not-json"),
        (b"null", "schema"),
        (b"[]", "schema"),
        (b'{"headerId": {}, "protocolFeatures": 7}', "schema"),
        (b'{"headerId": 1, "timestamp": "yesterday", "protocolLimits": []}', "schema"),
        (b" " * 2_000_000, "too-large"),
    ],
)
def test_bad_messages_are_told_by_kind(kind: str, payload: bytes, expected: str) -> None:
    said = Desk().say(kind, payload)
    assert [type(r) for r in said] == [BadMessage]
    assert isinstance(said[0], BadMessage)
    assert (said[0].kind, said[0].robot_id, said[0].size) == (expected, "acme/r1", len(payload))
    assert said[0].detail


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("state", state(serialNumber="r2")),
        ("connection", header(connectionState="ONLINE", manufacturer="other")),
        ("factsheet", {**factsheet("pick"), "serialNumber": "r2"}),
    ],
)
def test_a_foreign_identity_is_told(kind: str, body: dict[str, Any]) -> None:
    said = Desk().say(kind, body)
    assert [r.kind for r in said if isinstance(r, BadMessage)] == ["identity"]
    assert len(said) == 1


@pytest.mark.parametrize("who", ["/r1", "acme/", "/"])
def test_a_topic_without_a_name_is_told(who: str) -> None:
    said = Desk().say("state", state(manufacturer="", serialNumber=""), who=who)
    assert [r.kind for r in said if isinstance(r, BadMessage)] == ["identity"]


def test_a_time_from_the_future_is_kept_beside_ours() -> None:
    """flow/track counts and notes it: a robot with a wrong clock is no reason to lose sight."""
    report = Desk().say("state", state(timestamp="2036-05-04T10:00:00Z"))[-1]
    assert isinstance(report, RobotReport)
    assert report.received_at == NOW
    assert report.reported_at - NOW > timedelta(days=3650)


@pytest.mark.parametrize("padding", ["", "x" * 20_000])
def test_actions_and_errors_are_those_of_this_state(padding: str) -> None:
    desk = Desk()
    for status in ("WAITING", "RUNNING", "RUNNING", "FINISHED"):
        error = {"errorType": status, "errorLevel": "WARNING"}
        told = {"actionId": "a", "actionStatus": status, "actionType": "pick"}
        body = state(actionStates=[told], errors=[error], information=[{"infoType": padding}])
        report = desk.say("state", body)[-1]
        assert isinstance(report, RobotReport)
        assert [(a.id, a.type, a.status) for a in report.actions] == [("a", "pick", status)]
        assert [one.type for one in report.errors] == [status]


def test_long_descriptions_are_cut() -> None:
    error = {"errorType": "e", "errorLevel": "WARNING", "errorDescription": "x" * 100_000}
    action = {"actionId": "a", "actionStatus": "FINISHED", "resultDescription": "y" * 100_000}
    report = Desk().say("state", state(errors=[error], actionStates=[action]))[-1]
    assert isinstance(report, RobotReport)
    assert len(report.errors[0].description) == len(report.actions[0].result) == 500
