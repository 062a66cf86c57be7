"""A behaving vehicle: it takes, does, refuses and cancels orders as VDA 5050 2.0 and 2.1 tell."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dragoman.testing.robots import Outcome, Pose, Vehicle, VehicleProfile
from tests.testing.robots.lab import PROFILE, START, Lab, action, check, order, references


@pytest.fixture(params=["2.0.0", "2.1.0"])
def lab(request: pytest.FixtureRequest) -> Lab:
    return Lab(replace(PROFILE, version=request.param))


def test_it_comes_online_with_a_connection_and_a_state(lab: Lab) -> None:
    assert [said["connectionState"] for said in lab.other] == ["ONLINE"]
    assert lab.state["orderId"] == ""
    assert lab.state["lastNodeId"] == "A"
    assert lab.state["nodeStates"] == []


def test_will_and_goodbye(lab: Lab) -> None:
    will = check(lab.vehicle.will(START), lab.vehicle.profile.version)
    assert will["connectionState"] == "CONNECTIONBROKEN"
    lab.hear(lab.vehicle.stopping(START))
    assert lab.other[-1]["connectionState"] == "OFFLINE"
    assert lab.run(100) == []


def test_it_reports_at_least_every_state_interval(lab: Lab) -> None:
    states = lab.run(95)
    assert len(states) == 3
    assert [state["headerId"] for state in states] == [1, 2, 3]


def test_an_order_is_acknowledged_done_and_reported_as_done(lab: Lab) -> None:
    does = {"B": [action("b")], "C": [action("c")]}
    [accepted] = lab.order(actions=does)
    assert (accepted["orderId"], accepted["orderUpdateId"]) == ("o1", 0)
    assert [node["nodeId"] for node in accepted["nodeStates"]] == ["B", "C"]
    assert [edge["edgeId"] for edge in accepted["edgeStates"]] == ["AB", "BC"]
    assert accepted["driving"] is True
    assert {a["actionStatus"] for a in accepted["actionStates"]} == {"WAITING"}
    lab.run(60)
    assert lab.state["orderId"] == "o1"
    assert (lab.state["lastNodeId"], lab.state["lastNodeSequenceId"]) == ("C", 4)
    assert lab.state["nodeStates"] == lab.state["edgeStates"] == []
    assert {a["actionStatus"] for a in lab.state["actionStates"]} == {"FINISHED"}
    assert lab.state["errors"] == []
    [done] = lab.vehicle.ledger.executions
    assert done.outcome is Outcome.FINISHED
    assert done.finished_at == START + timedelta(seconds=40)  # two legs, two actions, 10 s each


def test_an_action_goes_through_its_statuses(lab: Lab) -> None:
    lab.order(route="A", actions={"A": [action("a")]})
    seen = [lab.status("a")]
    seen += [state["actionStates"][0]["actionStatus"] for state in lab.run(20)]
    assert seen == ["INITIALIZING", "RUNNING", "FINISHED"]


def test_positions_move_along_the_edge_and_the_battery_drains(lab: Lab) -> None:
    before = lab.state["batteryState"]["batteryCharge"]
    lab.order()
    lab.run(5)
    lab.instant("stateRequest")
    assert lab.state["agvPosition"]["x"] == pytest.approx(5.0)
    lab.run(60)
    assert lab.state["agvPosition"]["x"] == pytest.approx(20.0)
    assert lab.state["batteryState"]["batteryCharge"] < before


def test_time_scale_makes_it_faster() -> None:
    lab = Lab(replace(PROFILE, time_scale=10.0))
    lab.order(actions={"C": [action("c")]})
    lab.run(10)
    [done] = lab.vehicle.ledger.executions
    assert done.finished_at == START + timedelta(seconds=3)


@pytest.mark.parametrize(
    ("blockings", "together", "drives"),
    [
        (("NONE", "NONE"), True, True),
        (("SOFT", "NONE"), True, False),
        (("SOFT", "SOFT"), True, False),
        (("HARD", "NONE"), False, False),
        (("NONE", "HARD"), False, False),
        (("HARD", "HARD"), False, False),
    ],
)
def test_blocking_types(lab: Lab, blockings: tuple[str, str], together: bool, drives: bool) -> None:
    first, second = blockings
    lab.order(actions={"A": [action("a1", first), action("a2", second)]})
    assert lab.state["driving"] is drives
    begun = "INITIALIZING" if together else "WAITING"
    assert (lab.status("a1"), lab.status("a2")) == ("INITIALIZING", begun)
    lab.run(80)
    assert lab.outcomes() == [("o1", "finished")]


def test_what_happens_at_one_time_is_told_in_one_state() -> None:
    lab = Lab(replace(PROFILE, action_s=0.0))
    lab.order(actions={"B": [action("b1"), action("b2")]})
    [at_b, at_c] = lab.run(25)
    assert (at_b["lastNodeId"], at_b["driving"]) == ("B", True)
    assert {a["actionStatus"] for a in at_b["actionStates"]} == {"FINISHED"}
    assert at_c["lastNodeId"] == "C"


def test_an_edge_action_ends_with_its_edge() -> None:
    lab = Lab(replace(PROFILE, action_times=(("blink", 1000.0),)))
    lab.order(
        actions={"AB": [action("light", "NONE", type="blink")], "BC": [action("stop", "HARD")]}
    )
    assert lab.status("light") == "INITIALIZING"
    assert lab.state["driving"] is True
    arrived = lab.run(10)[-1]
    assert lab.status("light") == "FINISHED"
    assert lab.status("stop") == "INITIALIZING"
    assert arrived["driving"] is False
    lab.run(30)
    assert lab.outcomes() == [("o1", "finished")]


def test_the_same_order_again_is_ignored(lab: Lab) -> None:
    lab.order()
    assert lab.order() == []
    lab.run(60)
    assert lab.order() == []  # even when it is done
    assert lab.outcomes() == [("o1", "finished")]


def test_another_order_while_busy_is_refused(lab: Lab) -> None:
    lab.order()
    [state] = lab.order(order_id="o2")
    assert state["orderId"] == "o1"
    [error] = state["errors"]
    assert (error["errorType"], error["errorLevel"]) == ("orderUpdateError", "WARNING")
    assert references(error)["orderId"] == "o2"
    assert references(error)["orderUpdateId"] == "0"
    lab.run(60)
    assert lab.errors() == ["orderUpdateError"]  # until an order is accepted
    lab.order(route="CB", order_id="o3")
    assert lab.errors() == []
    lab.run(60)
    assert lab.outcomes() == [("o1", "finished"), ("o3", "finished")]


def test_an_order_that_begins_elsewhere_is_refused(lab: Lab) -> None:
    [state] = lab.order(route="BC")
    assert state["errors"][0]["errorType"] == "noRouteError"
    assert references(state["errors"][0])["orderId"] == "o1"
    assert lab.outcomes() == []


@pytest.mark.parametrize("name", ["allowedDeviationXy", "allowedDeviationXY"])
def test_an_order_within_the_allowed_deviation_is_taken(lab: Lab, name: str) -> None:
    sent = order(route="BC")
    sent["nodes"][0]["nodePosition"][name] = 10.5
    [state] = lab.send("order", sent)
    assert state["errors"] == []
    assert state["lastNodeId"] == "B"


def test_what_it_cannot_do_is_refused() -> None:
    able = replace(PROFILE, action_types=frozenset({"inspect"}), node_ids=frozenset({"A", "B"}))
    lab = Lab(able)
    lab.order(actions={"B": [action("b", type="fly")]})
    assert references(lab.state["errors"][0])["actionType"] == "fly"
    lab.order()
    assert lab.errors() == ["orderError", "noRouteError"]
    lab.order(route="AB", actions={"B": [action("b")]})
    assert lab.errors() == []


def broken(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in order(**changes).items() if value is not None}


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        broken(orderUpdateId=-1),
        broken(nodes=None),
        broken(nodes=[]),
        broken(edges=[]),
        broken(timestamp="now"),
        broken(serialNumber="r2"),
        broken(first=1),
        broken(released=0),
        broken(actions={"A": [action("same")], "B": [action("same")]}),
        {**order(), "edges": list(reversed(order()["edges"]))},
        broken(actions={"A": [{**action("a"), "blockingType": "hard"}]}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_malformed_order_is_refused_with_a_validation_error(
    lab: Lab, payload: bytes | dict[str, Any]
) -> None:
    [state] = lab.send("order", payload)
    [error] = state["errors"]
    assert error["errorType"] == "validationError"
    assert references(error)["topic"] == "order"
    assert lab.outcomes() == []


def test_an_update_extends_the_base_at_the_decision_point(lab: Lab) -> None:
    lab.order(route="ABC", released=2)
    assert [node["released"] for node in lab.state["nodeStates"]] == [True, False]
    lab.run(30)
    assert lab.state["lastNodeId"] == "B"
    assert lab.state["newBaseRequest"] is True
    assert lab.outcomes() == [("o1", "running")]
    [state] = lab.order(route="BCD", update=1, first=2)
    assert state["orderUpdateId"] == 1
    lab.run(30)
    assert lab.state["lastNodeId"] == "D"
    assert lab.outcomes() == [("o1", "finished")]
    assert set(lab.vehicle.ledger.acknowledgements) == {("o1", 0), ("o1", 1)}


def test_an_update_continues_a_completed_order(lab: Lab) -> None:
    lab.order(route="AB")
    lab.run(20)
    lab.order(route="BC", update=1, first=2)
    lab.run(20)
    assert lab.state["lastNodeId"] == "C"
    assert lab.outcomes() == [("o1", "finished")]


@pytest.mark.parametrize(
    "update",
    [
        {"route": "CD", "update": 2, "first": 4},  # beside the decision point
        {"route": "BC", "update": 2, "first": 0},  # the right node, the wrong sequenceId
        {"route": "ABC", "update": 0},  # an old one
    ],
)
def test_an_update_that_does_not_fit_is_refused_and_the_order_goes_on(
    lab: Lab, update: dict[str, Any]
) -> None:
    lab.order(route="AB", update=1)
    lab.order(**update)
    assert lab.errors() == ["orderUpdateError"]
    lab.run(20)
    assert lab.state["lastNodeId"] == "B"
    assert lab.outcomes() == [("o1", "finished")]


def test_cancel_stops_at_the_next_node(lab: Lab) -> None:
    lab.order(actions={"B": [action("b")]})
    lab.run(4)
    cancel = lab.instant("cancelOrder")
    assert lab.status(cancel) == "RUNNING"
    assert lab.status("b") == "FAILED"
    assert [node["nodeId"] for node in lab.state["nodeStates"]] == ["B"]
    lab.run(10)
    assert lab.status(cancel) == "FINISHED"
    assert (lab.state["orderId"], lab.state["lastNodeId"]) == ("o1", "B")
    assert lab.state["nodeStates"] == lab.state["edgeStates"] == []
    assert lab.errors() == []
    assert lab.outcomes() == [("o1", "cancelled")]
    lab.order(route="BC", order_id="o2")
    lab.run(30)
    assert lab.outcomes()[-1] == ("o2", "finished")


def test_cancel_between_nodes_for_a_vehicle_that_can() -> None:
    lab = Lab(replace(PROFILE, stops_between_nodes=True))
    lab.order()
    lab.run(4)
    cancel = lab.instant("cancelOrder")
    assert lab.status(cancel) == "FINISHED"
    assert lab.state["agvPosition"]["x"] == pytest.approx(4.0)
    lab.order(route="AB", order_id="o2")  # A is 4 m behind, and no deviation is allowed
    assert lab.errors() == ["noRouteError"]


def test_cancel_during_an_action_is_at_once(lab: Lab) -> None:
    lab.order(route="A", actions={"A": [action("a")]})
    lab.run(5)
    cancel = lab.instant("cancelOrder")
    assert (lab.status(cancel), lab.status("a")) == ("FINISHED", "FAILED")
    assert lab.outcomes() == [("o1", "cancelled")]


@pytest.mark.parametrize("had_one", [False, True])
def test_cancel_without_an_order_fails(lab: Lab, had_one: bool) -> None:
    if had_one:
        lab.order(route="AB")
        lab.run(60)
    cancel = lab.instant("cancelOrder")
    assert lab.status(cancel) == "FAILED"
    [error] = lab.state["errors"]
    assert (error["errorType"], error["errorLevel"]) == ("noOrderToCancel", "WARNING")
    assert references(error)["actionId"] == cancel


def test_pause_holds_driving_and_actions(lab: Lab) -> None:
    lab.order(route="AB", actions={"B": [action("b")]})
    lab.run(4)
    lab.instant("startPause")
    assert (lab.state["paused"], lab.state["driving"]) == (True, False)
    lab.run(100)
    assert lab.state["agvPosition"]["x"] == pytest.approx(4.0)
    lab.instant("stopPause")
    assert (lab.state["paused"], lab.state["driving"]) == (False, True)
    lab.run(11)  # 6 s to drive, 5 s into the action
    lab.instant("startPause")
    assert lab.status("b") == "PAUSED"
    lab.run(100)
    lab.instant("stopPause")
    assert lab.status("b") == "RUNNING"
    lab.run(5)
    assert lab.status("b") == "FINISHED"


def test_state_request_and_a_repeated_instant_action(lab: Lab) -> None:
    before = len(lab.said)
    asked = lab.instant("stateRequest")
    assert len(lab.said) == before + 1
    assert lab.status(asked) == "FINISHED"
    message = {**order("A"), "actions": [action(asked, "NONE", type="stateRequest")]}
    lab.send("instantActions", message)
    assert [a["actionId"] for a in lab.state["actionStates"]] == [asked]


def test_unknown_and_malformed_instant_actions_are_reported(lab: Lab) -> None:
    asked = lab.instant("dance")
    assert lab.status(asked) == "FAILED"
    lab.send("instantActions", b"{")
    assert lab.errors() == ["instantActionError", "validationError"]


def test_factsheet_on_request_in_2_1_only(lab: Lab) -> None:
    asked = lab.instant("factsheetRequest")
    sheets = [said for said in lab.other if "protocolFeatures" in said]
    if lab.vehicle.profile.version == "2.0.0":
        assert (sheets, lab.status(asked)) == ([], "FAILED")
    else:
        [sheet] = sheets
        assert lab.status(asked) == "FINISHED"
        assert sheet["protocolLimits"]["timing"]["defaultStateInterval"] == 30.0


def test_init_position_and_charging(lab: Lab) -> None:
    lab.instant("initPosition", x=3.0, y=4.0, theta=0.5, mapId="map", lastNodeId="Z")
    assert (lab.state["agvPosition"]["x"], lab.state["lastNodeId"]) == (3.0, "Z")
    bad = lab.instant("initPosition", x="here")
    assert lab.status(bad) == "FAILED"
    lab.instant("startCharging")
    assert lab.state["batteryState"]["charging"] is True
    charge = lab.state["batteryState"]["batteryCharge"]
    lab.run(300)
    assert lab.state["batteryState"]["batteryCharge"] == pytest.approx(charge + 5, abs=0.6)
    lab.instant("stopCharging")
    assert lab.state["batteryState"]["charging"] is False


def test_the_case_is_taken_from_an_action_parameter(lab: Lab) -> None:
    lab.order(actions={"C": [action("c", case="INC001")]})
    lab.run(60)
    lab.order(route="CB", order_id="o2")
    assert [e.case_ref for e in lab.vehicle.ledger.executions] == ["INC001", "o2"]


def test_it_finishes_its_base_while_offline(lab: Lab) -> None:
    lab.order()
    lab.vehicle.disconnected()
    assert lab.run(60) == []
    lab.hear(lab.vehicle.connected(lab.now))
    assert lab.other[-1]["connectionState"] == "ONLINE"
    assert lab.state["lastNodeId"] == "C"
    assert lab.outcomes() == [("o1", "finished")]


def test_topics_follow_the_interface_name_and_the_major_version() -> None:
    profile = VehicleProfile(serial="s", manufacturer="m", interface="site", pose=Pose(x=1.0))
    [online, state] = Vehicle(profile, START).connected(START)
    assert online.topic == "site/v2/m/s/connection"
    assert state.topic == "site/v2/m/s/state"
