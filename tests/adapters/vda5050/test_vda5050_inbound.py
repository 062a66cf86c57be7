"""Inbound models: lenient, with the JSON path in every error, and never a crash."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.fleets.vda5050.inbound import (
    Undecodable,
    decode_connection,
    decode_factsheet,
    decode_state,
)

HEADER = {
    "headerId": 3,
    "timestamp": "2026-05-04T10:00:00.12Z",
    "version": "2.0.0",
    "manufacturer": "acme",
    "serialNumber": "r1",
}
STATE: dict[str, Any] = {
    **HEADER,
    "orderId": "o1",
    "orderUpdateId": 1,
    "lastNodeId": "a",
    "lastNodeSequenceId": 2,
    "nodeStates": [{"nodeId": "b", "sequenceId": 4, "released": True}],
    "edgeStates": [{"edgeId": "ab", "sequenceId": 3, "released": True}],
    "driving": True,
    "actionStates": [{"actionId": "x", "actionType": "scan", "actionStatus": "WAITING"}],
    "batteryState": {"batteryCharge": 80, "charging": False},
    "operatingMode": "AUTOMATIC",
    "errors": [
        {
            "errorType": "orderError",
            "errorLevel": "WARNING",
            "errorReferences": [{"referenceKey": "orderId", "referenceValue": "o0"}],
        }
    ],
    "safetyState": {"eStop": "NONE", "fieldViolation": False},
    "agvPosition": {"x": 1, "y": 2.5, "theta": 0, "mapId": "m", "positionInitialized": True},
}


def state(**changes: object) -> bytes:
    return json.dumps({**STATE, **changes}).encode()


def test_a_conforming_state_is_read() -> None:
    read = decode_state(state())
    assert (read.order_id, read.order_update_id, read.header_id) == ("o1", 1, 3)
    assert (read.last_node_id, read.last_node_sequence_id) == ("a", 2)
    assert [(node.node_id, node.sequence_id) for node in read.node_states] == [("b", 4)]
    assert read.action_states[0].action_status == "WAITING"
    assert read.errors[0].error_references[0].reference_value == "o0"
    assert read.agv_position is not None
    assert (read.agv_position.x, read.agv_position.y) == (1.0, 2.5)
    assert read.timestamp == datetime(2026, 5, 4, 10, 0, 0, 120000, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-04T10:00:00",
        "2026-05-04 10:00:00",
        "2026-05-04T12:00:00+02:00",
        "2026-05-04T12:00:00+0200",
        "2026-05-04T10:00:00,000Z",
    ],
)
def test_times_of_any_iso_form_become_utc(text: str) -> None:
    read = decode_state(state(timestamp=text)).timestamp
    assert read == datetime(2026, 5, 4, 10, tzinfo=UTC)
    assert read.tzinfo is UTC


def test_unknown_members_are_ignored_and_unknown_enumerators_stay_text() -> None:
    read = decode_state(
        state(
            operatingMode="STARTUP",
            vendor={"deep": [1]},
            actionStates=[{"actionId": "x", "actionStatus": "RETRIABLE", "more": 1}],
            safetyState={"eStop": "LATCHED", "fieldViolation": False},
        )
    )
    assert read.operating_mode == "STARTUP"
    assert read.action_states[0].action_status == "RETRIABLE"
    assert read.safety_state is not None
    assert read.safety_state.e_stop == "LATCHED"


def test_nulls_are_absent_optionals_and_empty_lists() -> None:
    read = decode_state(
        state(
            batteryState={"batteryCharge": None, "charging": None, "reach": None},
            agvPosition={"x": None, "y": None, "theta": None, "mapId": None},
            paused=None,
            errors=None,
            nodeStates=None,
            edgeStates=None,
            lastNodeId=None,
            orderId=None,
            orderUpdateId=None,
            version=None,
        )
    )
    assert read.battery_state is not None
    assert read.battery_state.battery_charge is None
    assert read.agv_position is None
    assert [*read.errors, *read.node_states, *read.edge_states] == []
    assert (read.last_node_id, read.order_id, read.order_update_id) == ("", "", 0)


@pytest.mark.parametrize("member", ["orderId", "nodeStates", "edgeStates", "actionStates"])
def test_a_state_that_does_not_tell_idle_from_busy_is_refused(member: str) -> None:
    fields = {key: value for key, value in STATE.items() if key != member}
    with pytest.raises(Undecodable, match=member) as caught:
        decode_state(json.dumps(fields).encode())
    assert caught.value.kind == "schema"


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        ({"nodeStates": [STATE["nodeStates"][0], {"nodeId": 5}]}, "$.nodeStates[1].nodeId", "5"),
        ({"timestamp": "yesterday"}, "$.timestamp", "yesterday"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "$.timestamp", "0001-01-01T00:00:00+14:00"),
        ({"headerId": 2**70}, "$.headerId", str(2**70)),
        ({"driving": {"left": 1}}, "$.driving", "{'left': 1}"),
        ({"batteryState": {"batteryCharge": "full"}}, "$.batteryState.batteryCharge", "full"),
    ],
)
def test_an_unfit_member_is_named_by_path_and_value(
    changes: dict[str, Any], path: str, value: Any
) -> None:
    with pytest.raises(Undecodable) as caught:
        decode_state(state(**changes))
    assert (caught.value.kind, caught.value.field, caught.value.value) == ("schema", path, value)


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff\xfe", b"{'a': 1}", b"[" * 200_000, b'{"a":' * 200_000, b"NaN"]
)
def test_what_is_not_json_is_said_to_be_so(payload: bytes) -> None:
    for decode in (decode_state, decode_connection, decode_factsheet):
        with pytest.raises(Undecodable) as caught:
            decode(payload)
        assert caught.value.kind == "not-json"


def test_five_megabytes_of_unknown_members_are_read_past() -> None:
    assert decode_state(state(blob="x" * 5_000_000)).order_id == "o1"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(max_examples=60)
@given(changes=st.dictionaries(st.sampled_from(sorted(STATE)), json_values, min_size=1))
def test_any_json_in_any_member_is_read_or_refused_but_never_crashes(
    changes: dict[str, Any],
) -> None:
    try:
        read = decode_state(state(**changes))
    except Undecodable as error:
        refused = error
    else:
        assert read.timestamp.tzinfo is UTC
        return
    assert refused.kind == "schema"
    assert refused.field.startswith("$")


@given(payload=st.binary(max_size=60))
def test_any_bytes_are_refused_cleanly(payload: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_connection(payload)


def test_connection_and_factsheet_are_read() -> None:
    read = decode_connection(json.dumps({**HEADER, "connectionState": "HIBERNATING"}).encode())
    assert read.connection_state == "HIBERNATING"
    sheet = decode_factsheet(
        json.dumps(
            {
                **HEADER,
                "typeSpecification": {"seriesName": "S", "maxLoadMass": None},
                "protocolFeatures": {
                    "agvActions": [{"actionType": "pick", "actionScopes": ["NODE"]}],
                    "optionalParameters": None,
                },
                "protocolLimits": {"maxArrayLens": {"order.nodes": 20}, "timing": None},
            }
        ).encode()
    )
    assert sheet.protocol_features is not None
    assert sheet.protocol_features.agv_actions[0].action_type == "pick"
    assert sheet.protocol_limits is not None
    assert sheet.protocol_limits.max_array_lens == {"order.nodes": 20}
