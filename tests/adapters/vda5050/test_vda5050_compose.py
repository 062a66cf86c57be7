"""What the fleet composes is valid by the official (mended) schema of the robot's version."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.domain.errors import Permanent
from dragoman.domain.order import Action, Order, Place, Stop
from dragoman.domain.robot import Robot
from dragoman.fleets.vda5050 import PLUGIN
from dragoman.fleets.vda5050.mends import VERSIONS, load_schema
from dragoman.fleets.vda5050.settings import Vda5050Settings
from dragoman.ports.fleet import AskState, CancelOrder, Command, Parcel, SendOrder
from dragoman.runtime.clock import SystemClock
from dragoman.testing.robots.wire import Order as HeardOrder
from dragoman.testing.robots.wire import fault_of, read
from dragoman.transport.mqtt import MqttSettings

NOW = datetime(2026, 5, 4, 10, 0, 0, 123456, tzinfo=UTC)
CHECKERS = {
    (version, name): jsonschema.Draft202012Validator(
        load_schema(version, name), format_checker=jsonschema.FormatChecker()
    )
    for version in VERSIONS
    for name in ("order", "instantActions")
}
NOWHERE = MqttSettings(host="127.0.0.1", port=1)

names = st.text(min_size=1, max_size=12)
coordinates = st.floats(-1e6, 1e6)
values = st.text(max_size=8) | st.floats(-1e6, 1e6) | st.booleans() | st.lists(st.text(max_size=4))
places = st.builds(
    Place,
    node_id=names,
    x=coordinates,
    y=coordinates,
    map_id=names,
    theta=st.none() | st.floats(-3.14159, 3.14159),
)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    stops = []
    count = 0
    for place in draw(st.lists(places, min_size=1, max_size=4)):
        actions = []
        for _ in range(draw(st.integers(0, 3))):
            count += 1
            actions.append(
                Action(
                    id=f"order-1-a{count}",
                    type=draw(names),
                    blocking=draw(st.sampled_from(["NONE", "SOFT", "HARD"])),
                    description=draw(st.text(max_size=8)),
                    parameters=draw(st.dictionaries(names, values, max_size=3)),
                )
            )
        stops.append(Stop(place=place, actions=tuple(actions)))
    return Order(id="order-1", case_id="case-1", robot_id="acme/r1", stops=tuple(stops))


def robot(version: str, **headers: int) -> Robot:
    return Robot(
        id="acme/r1",
        fleet="agvs",
        manufacturer="acme",
        serial="r1",
        dialect=version,
        headers=headers,
    )


def compose(command: Command, to: Robot, **options: Any) -> Parcel:
    settings = Vda5050Settings.model_validate(options)
    return PLUGIN.connect("agvs", settings, NOWHERE, SystemClock()).compose(command, to, NOW)


@pytest.mark.parametrize("version", VERSIONS)
@given(order=orders(), sent=st.integers(0, 2**31))
def test_orders_fit_the_schema_and_the_text(version: str, order: Order, sent: int) -> None:
    parcel = compose(SendOrder(order=order), robot(version, order=sent))
    said = json.loads(parcel.body)
    CHECKERS[version, "order"].validate(said)
    assert (parcel.topic, parcel.header) == ("uagv/v2/acme/r1/order", "order")
    assert (said["headerId"], said["version"]) == (sent + 1, version)
    assert said["timestamp"] == "2026-05-04T10:00:00.123Z"
    # Beyond the schema: what the text says of the graph, as a vehicle reads it.
    heard = read("order", parcel.body.encode())
    assert isinstance(heard, HeardOrder)
    assert fault_of(heard) == ""
    assert all(node.released for node in heard.nodes)
    assert {action.action_id for action in heard.actions} == order.action_ids
    position = heard.nodes[0].node_position
    assert position is not None
    deviations = (position.deviation_2_0, position.deviation_2_1)
    assert deviations == ((2.0, None) if version == "2.0.0" else (None, 2.0))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (CancelOrder(order_id="order-1", action_id="c1"), "cancelOrder"),
        (AskState(action_id="c1"), "stateRequest"),
    ],
)
def test_instant_actions_fit_the_schema(version: str, command: Command, kind: str) -> None:
    parcel = compose(command, robot(version, instantActions=6, order=99))
    said = json.loads(parcel.body)
    CHECKERS[version, "instantActions"].validate(said)
    assert parcel.topic == "uagv/v2/acme/r1/instantActions"
    assert (parcel.header, said["headerId"]) == ("instantActions", 7)
    assert [(one["actionType"], one["actionId"]) for one in said["actions"]] == [(kind, "c1")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("key", "there"),
    [
        ("actions", {"actions"}),
        ("instantActions", {"instantActions"}),
        ("both", {"actions", "instantActions"}),
    ],
)
def test_a_dialect_names_the_array_of_instant_actions(
    version: str, key: str, there: set[str]
) -> None:
    dialects = {"acme/other*": {"instant_actions": "actions"}, "acme/*": {"instant_actions": key}}
    said = json.loads(compose(AskState(action_id="a"), robot(version), dialects=dialects).body)
    assert said.keys() & {"actions", "instantActions"} == there
    assert all(said[name][0]["actionId"] == "a" for name in there)
    if "actions" in there:
        CHECKERS[version, "instantActions"].validate({**said, "actions": said["actions"]})


def test_the_interface_and_the_deviation_are_settings() -> None:
    place = Place(node_id="n", x=0.0, y=0.0, map_id="m")
    order = Order(id="o", case_id="c", robot_id="acme/r1", stops=(Stop(place=place),))
    options = {"interface": "plant", "allowed_deviation_m": 0.25}
    parcel = compose(SendOrder(order=order), robot("2.1.0"), **options)
    assert parcel.topic == "plant/v2/acme/r1/order"
    position = json.loads(parcel.body)["nodes"][0]["nodePosition"]
    assert position["allowedDeviationXY"] == 0.25


@pytest.mark.parametrize("value", [{"a": 1.0}, None, object()])
def test_a_value_that_the_version_has_no_type_for_is_refused(value: object) -> None:
    place = Place(node_id="n", x=0.0, y=0.0, map_id="m")
    action = Action(id="a", type="t", parameters={"k": value})
    stop = Stop(place=place, actions=(action,))
    order = Order(id="o", case_id="c", robot_id="acme/r1", stops=(stop,))
    with pytest.raises(Permanent):
        compose(SendOrder(order=order), robot("2.0.0"))
