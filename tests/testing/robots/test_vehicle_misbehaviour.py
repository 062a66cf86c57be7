"""Each switch of misbehaviour does what it says, the ledger stays honest, and chaos is survived."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.testing.robots import (
    Acknowledgement,
    Execution,
    Garbage,
    Lie,
    Misbehaviour,
    Outcome,
    Vehicle,
    load_report,
)
from dragoman.testing.robots.ledger import to_line
from dragoman.testing.robots.misbehaviour import parse
from tests.testing.robots.lab import PROFILE, START, Lab, action, order, references


@pytest.fixture
def lab() -> Lab:
    return Lab(replace(PROFILE, version="2.1.0"))


def test_reject_the_next_orders_only(lab: Lab) -> None:
    lab.misbehave(reject="orderError", rejects=1)
    lab.order()
    assert lab.errors() == ["orderError"]
    assert references(lab.state["errors"][0])["orderId"] == "o1"
    lab.order()
    assert (lab.errors(), lab.state["orderId"]) == ([], "o1")


def test_reject_all_orders(lab: Lab) -> None:
    lab.misbehave(reject="noRouteError")
    for number in range(3):
        lab.order(order_id=f"o{number}")
    assert lab.outcomes() == []
    assert len(lab.state["errors"]) == 3


def test_silent_does_the_order_and_tells_nothing(lab: Lab) -> None:
    lab.misbehave(silent=True)
    assert lab.order() == []
    assert lab.run(300) == []
    assert lab.outcomes() == [("o1", "finished")]
    assert lab.vehicle.ledger.acknowledgements == {}
    lab.misbehave()
    assert lab.state["orderId"] == "o1"
    assert ("o1", 0) in lab.vehicle.ledger.acknowledgements


def test_frozen_stands_still_and_then_reads_what_came(lab: Lab) -> None:
    lab.order(route="AB")
    lab.run(4)
    lab.misbehave(frozen=True)
    assert lab.vehicle.next_due() is None
    said = len(lab.said)
    lab.instant("stateRequest")
    lab.run(1000)
    assert lab.vehicle.advance(lab.now) == []
    assert len(lab.said) == said
    lab.misbehave()
    assert lab.state["agvPosition"]["x"] == pytest.approx(4.0)
    assert lab.status("i1") == "FINISHED"
    lab.run(6)
    assert lab.outcomes() == [("o1", "finished")]


def test_frozen_and_reconnected_says_online_when_thawed(lab: Lab) -> None:
    lab.misbehave(frozen=True)
    lab.vehicle.disconnected()
    assert lab.vehicle.connected(lab.now) == []
    lab.misbehave()
    assert [said["connectionState"] for said in lab.other] == ["ONLINE", "ONLINE"]


def test_lies(lab: Lab) -> None:
    lab.order(actions={"B": [action("b")]})
    lab.misbehave(lie=Lie.IDLE)
    assert (lab.state["orderId"], lab.state["nodeStates"]) == ("", [])
    lab.misbehave(lie=Lie.FINISHED)
    assert (lab.state["orderId"], lab.state["nodeStates"]) == ("o1", [])
    assert (lab.state["lastNodeId"], lab.state["lastNodeSequenceId"]) == ("C", 4)
    assert lab.status("b") == "FINISHED"
    lab.misbehave(lie=Lie.NEVER_SENT)
    assert lab.state["orderId"] == "order-that-nobody-sent"
    assert lab.state["nodeStates"] == []
    lab.misbehave(lie=Lie.OTHER)
    assert lab.state["orderId"] == "order-that-nobody-sent"
    assert lab.state["nodeStates"] != []
    assert lab.outcomes() == [("o1", "running")]
    assert set(lab.vehicle.ledger.acknowledgements) == {("o1", 0)}


def test_a_liar_that_never_shows_the_order_has_not_acknowledged_it(lab: Lab) -> None:
    lab.misbehave(lie=Lie.IDLE)
    lab.order()
    lab.run(60)
    assert lab.vehicle.ledger.acknowledgements == {}
    assert lab.outcomes() == [("o1", "finished")]


def test_reboot_forgets_the_order_and_begins_to_count_anew(lab: Lab) -> None:
    lab.order()
    lab.run(4)
    lab.vehicle.reboot(lab.now)
    lab.hear(lab.vehicle.connected(lab.now))
    assert (lab.state["headerId"], lab.state["orderId"]) == (0, "")
    assert lab.state["nodeStates"] == lab.state["actionStates"] == []
    assert lab.outcomes() == [("o1", "lost")]


def test_flood(lab: Lab) -> None:
    lab.misbehave(flood_hz=100)
    assert len(lab.run(2)) == 200


def test_duplicate_says_everything_twice(lab: Lab) -> None:
    lab.misbehave(duplicate=True)
    first, second = lab.order()
    assert first == second


def test_reorder_swaps_successive_states(lab: Lab) -> None:
    lab.misbehave(reorder=True)
    numbers = [state["headerId"] for state in lab.run(200)]
    assert numbers
    assert numbers != sorted(numbers)
    assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1))


def test_slow_acceptance(lab: Lab) -> None:
    lab.misbehave(slow_acceptance_s=7)
    assert lab.order() == []
    assert lab.order() == []  # again, since nothing came: it is ignored when its time has come
    assert lab.run(6.9) == []
    [state, *_] = lab.run(1)
    assert state["orderId"] == "o1"
    lab.run(60)
    assert lab.outcomes() == [("o1", "finished")]


def test_clock_skew(lab: Lab) -> None:
    [state] = lab.misbehave(clock_skew_s=-3600)
    assert datetime.fromisoformat(state["timestamp"]) == START.replace(hour=9)


def test_failing_actions_make_a_failed_order_with_an_error(lab: Lab) -> None:
    lab.misbehave(fail_actions=True)
    lab.order(actions={"B": [action("b")]})
    lab.run(60)
    assert lab.status("b") == "FAILED"
    assert references(lab.state["errors"][0]) == {"actionId": "b", "orderId": "o1"}
    assert lab.state["nodeStates"] == []
    assert lab.outcomes() == [("o1", "failed")]


@pytest.mark.parametrize(
    ("switches", "shown"),
    [
        ({"fatal": "laserDirty"}, ("errors", "FATAL")),
        ({"e_stop": "MANUAL"}, ("safetyState", "MANUAL")),
    ],
)
def test_fatal_errors_and_e_stops_hold_until_they_are_cleared(
    lab: Lab, switches: dict[str, Any], shown: tuple[str, str]
) -> None:
    lab.order()
    lab.run(4)
    lab.misbehave(**switches)
    assert lab.state["driving"] is False
    assert shown[1] in json.dumps(lab.state[shown[0]])
    lab.run(100)
    assert lab.outcomes() == [("o1", "running")]
    lab.misbehave()
    lab.run(60)
    assert lab.outcomes() == [("o1", "finished")]


def test_manual_mode_drops_the_order_and_takes_none(lab: Lab) -> None:
    lab.order(actions={"C": [action("c")]})
    lab.run(4)
    lab.misbehave(mode="MANUAL")
    assert (lab.state["operatingMode"], lab.state["nodeStates"]) == ("MANUAL", [])
    assert lab.status("c") == "FAILED"
    lab.order(order_id="o2")
    assert lab.errors() == ["orderError"]
    assert lab.outcomes() == [("o1", "lost")]


def test_garbage(lab: Lab) -> None:
    made = {kind: lab.vehicle.garbage(kind, lab.now)[0].payload for kind in Garbage}
    with pytest.raises(json.JSONDecodeError):
        json.loads(made[Garbage.JSON])
    assert len(made[Garbage.HUGE]) > 5_000_000
    assert json.loads(made[Garbage.FOREIGN])["serialNumber"] != "r1"
    assert json.loads(made[Garbage.FUTURE])["timestamp"].startswith("2036")
    assert not isinstance(json.loads(made[Garbage.SCHEMA])["nodeStates"], list)


def test_switches_read_from_text() -> None:
    read = parse(["silent", "reject=orderError", "rejects=2", "lie=idle", "flood_hz=50"])
    assert read == Misbehaviour(
        silent=True, reject="orderError", rejects=2, lie=Lie.IDLE, flood_hz=50.0
    )
    assert parse(["silent=false", "lie=", "rejects="], read).lie is None
    for bad in ("sulk", "reject", "silent=maybe", "lie=big", "flood_hz=fast"):
        with pytest.raises(ValueError, match=bad.partition("=")[2] or bad):
            parse([bad])


def test_a_report_file_tells_what_the_ledger_knows(tmp_path: Path) -> None:
    told: list[Execution | Acknowledgement] = []
    vehicle = Vehicle(PROFILE, START, witness=told.append)
    vehicle.connected(START)
    vehicle.received("order", json.dumps(order(route="A")).encode(), START)
    report = tmp_path / "report.jsonl"
    report.write_text("".join(f"{to_line(record)}\n" for record in told) + '{"kind": "exec')
    executions, acknowledgements = load_report(report)
    assert executions == vehicle.ledger.executions
    assert executions[0].outcome is Outcome.FINISHED
    assert acknowledgements == list(vehicle.ledger.acknowledgements.values())


orders = st.builds(
    order,
    route=st.sampled_from(["A", "AB", "ABC", "BC", "CBA", "BA", "C"]),
    order_id=st.sampled_from(["o1", "o2", "o3"]),
    update=st.integers(0, 2),
    first=st.sampled_from([0, 2, 4]),
    released=st.none() | st.integers(1, 3),
    actions=st.dictionaries(
        st.sampled_from(["A", "B", "C", "AB"]),
        st.lists(
            st.builds(action, st.uuids().map(str), st.sampled_from(["NONE", "SOFT", "HARD"])),
            max_size=2,
        ),
        max_size=2,
    ),
)
switches = st.builds(
    Misbehaviour,
    frozen=st.booleans(),
    silent=st.booleans(),
    fail_actions=st.booleans(),
    duplicate=st.booleans(),
    reorder=st.booleans(),
    lie=st.none() | st.sampled_from(Lie),
    slow_acceptance_s=st.sampled_from([0, 3]),
    e_stop=st.sampled_from(["NONE", "AUTOACK"]),
    mode=st.sampled_from(["AUTOMATIC", "MANUAL"]),
    fatal=st.sampled_from(["", "stuck"]),
)
instants = st.sampled_from(
    ["cancelOrder", "startPause", "stopPause", "stateRequest", "factsheetRequest", "dance"]
)
events = st.one_of(
    st.tuples(st.just("order"), orders),
    st.tuples(st.just("instant"), instants),
    st.tuples(st.just("run"), st.floats(0, 40)),
    st.tuples(st.just("misbehave"), switches),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("reboot"), st.none()),
)


@settings(max_examples=60)
@given(version=st.sampled_from(["2.0.0", "2.1.0"]), story=st.lists(events, max_size=25))
def test_whatever_happens_every_message_conforms_and_one_order_runs_at_a_time(
    version: Any, story: list[tuple[str, Any]]
) -> None:
    lab = Lab(replace(PROFILE, version=version))
    for what, argument in story:
        if what == "order":
            lab.send("order", argument)
        elif what == "instant":
            lab.instant(argument)
        elif what == "run":
            lab.run(argument)
        elif what == "misbehave":
            lab.hear(lab.vehicle.misbehave(argument, lab.now))
        elif what == "reboot":
            lab.vehicle.reboot(lab.now)
        elif argument:
            lab.hear(lab.vehicle.connected(lab.now))
        else:
            lab.vehicle.disconnected()
        executions = lab.vehicle.ledger.executions
        assert sum(e.outcome is Outcome.RUNNING for e in executions) <= 1
    lab.misbehave()
    lab.run(5)  # a slowly accepted order may still come, after which there is one to cancel
    lab.instant("cancelOrder")
    lab.instant("stopPause")
    lab.run(200)
    assert all(e.outcome is not Outcome.RUNNING for e in lab.vehicle.ledger.executions)
