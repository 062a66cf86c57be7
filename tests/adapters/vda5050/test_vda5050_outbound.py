"""Outbound models: strict, as the official schemas say, and generated from exactly those."""

import functools
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.domain.errors import Permanent
from dragoman.fleets.vda5050 import generated, mends
from dragoman.fleets.vda5050.outbound import INSTANT_ACTIONS, ORDERS, build, to_bytes

GENERATED = Path(generated.__file__).parent
NOW = datetime(2026, 5, 4, 10, 0, 0, 120000, tzinfo=UTC)
FILES = {"order": "order.py", "instantActions": "instant_actions.py"}
texts = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
angles = st.floats(-3.14159265, 3.14159265)


def header(version: str) -> dict[str, object]:
    return {
        "headerId": 7,
        "timestamp": NOW,
        "version": version,
        "manufacturer": "acme",
        "serialNumber": "r1",
    }


def actions(version: str) -> st.SearchStrategy[list[dict[str, object]]]:
    values: st.SearchStrategy[Any] = texts | numbers | st.booleans() | st.lists(texts, max_size=2)
    if version != "2.0.0":
        values |= st.dictionaries(texts, numbers, max_size=2)
    parameters = st.lists(st.fixed_dictionaries({"key": texts, "value": values}), max_size=2)
    action = {
        "actionType": texts,
        "actionId": texts,
        "blockingType": st.sampled_from(["NONE", "SOFT", "HARD"]),
    }
    optional = {"actionDescription": texts, "actionParameters": parameters}
    return st.lists(st.fixed_dictionaries(action, optional=optional), max_size=2)


def orders(version: str) -> st.SearchStrategy[dict[str, object]]:
    deviation = "allowedDeviationXy" if version == "2.0.0" else "allowedDeviationXY"
    position = st.fixed_dictionaries(
        {"x": numbers, "y": numbers, "mapId": texts},
        optional={"theta": angles, deviation: st.floats(0, 10)},
    )
    step = {"sequenceId": st.integers(0, 99), "released": st.booleans()}
    node = {"nodeId": texts, **step, "actions": actions(version)}
    edge = {"edgeId": texts, **step, "startNodeId": texts, "endNodeId": texts}
    return st.fixed_dictionaries(
        {
            **{name: st.just(value) for name, value in header(version).items()},
            "orderId": texts,
            "orderUpdateId": st.integers(0, 2**31),
            "nodes": st.lists(
                st.fixed_dictionaries(node, optional={"nodePosition": position}), max_size=3
            ),
            "edges": st.lists(
                st.fixed_dictionaries(
                    {**edge, "actions": actions(version)}, optional={"maxSpeed": numbers}
                ),
                max_size=2,
            ),
        }
    )


@functools.cache
def official(version: str, name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        mends.load_schema(version, name), format_checker=jsonschema.FormatChecker()
    )


@pytest.mark.parametrize("version", mends.VERSIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_every_order_that_is_sent_is_valid_by_the_official_schema(
    version: str, data: st.DataObject
) -> None:
    fields = data.draw(orders(version))
    payload = to_bytes(build(ORDERS[version], fields))
    official(version, "order").validate(json.loads(payload))
    sent = json.loads(payload)
    assert sent == {**fields, "timestamp": sent["timestamp"]}
    assert sent["timestamp"] == "2026-05-04T10:00:00.120Z"


@pytest.mark.parametrize("version", mends.VERSIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_every_instant_action_that_is_sent_is_valid_by_the_official_schema(
    version: str, data: st.DataObject
) -> None:
    fields = {**header(version), "actions": data.draw(actions(version))}
    payload = to_bytes(build(INSTANT_ACTIONS[version], fields))
    official(version, "instantActions").validate(json.loads(payload))


def minimal(version: str) -> dict[str, object]:
    node = {"nodeId": "a", "sequenceId": 0, "released": True, "actions": []}
    return {**header(version), "orderId": "o", "orderUpdateId": 0, "nodes": [node], "edges": []}


def changed(path: str, value: object) -> dict[str, object]:
    order: dict[str, Any] = json.loads(msgspec.json.encode(minimal("2.1.0")))
    target: Any = order
    *steps, last = path.split(".")
    for step in steps:
        target = target[int(step)] if step.isdigit() else target[step]
    target[last] = value
    return {**order, "timestamp": NOW}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("orderUpdateId", -1, "$.orderUpdateId"),
        ("nodes.0.sequenceId", "0", "$.nodes[0].sequenceId"),
        ("nodes.0.released", None, "$.nodes[0].released"),
        ("nodes.0.nodePosition", {"x": 1, "y": 1}, "$.nodes[0].nodePosition"),
        ("nodes.0.nodePosition", {"x": 1, "y": 1, "mapId": "m", "theta": 4},
         "$.nodes[0].nodePosition.theta"),
        ("nodes.0.colour", "red", "$.nodes[0]"),
        ("nodes.0.actions", [{"actionType": "t", "actionId": "i", "blockingType": "hard"}],
         "$.nodes[0].actions[0].blockingType"),
    ],
)  # fmt: skip
def test_a_mapping_that_the_schema_refuses_is_refused_with_its_path(
    path: str, value: Any, named: str
) -> None:
    with pytest.raises(Permanent) as caught:
        build(ORDERS["2.1.0"], changed(path, value))
    assert caught.value.field == named


def test_a_bad_value_in_a_model_never_leaves() -> None:
    order = build(ORDERS["2.0.0"], minimal("2.0.0"))
    for bad in ({"order_update_id": -1}, {"nodes": None}, {"order_id": 5}, {"edges": [object()]}):
        with pytest.raises(Permanent):
            to_bytes(msgspec.structs.replace(order, **bad))
    nan = {"nodeId": "a", "sequenceId": 0, "released": True, "actions": [],
           "nodePosition": {"x": float("nan"), "y": 0.0, "mapId": "m"}}  # fmt: skip
    with pytest.raises(Permanent) as caught:
        to_bytes(build(ORDERS["2.0.0"], {**minimal("2.0.0"), "nodes": [nan]}))
    assert caught.value.field == "$.nodes[0].nodePosition.x"


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=1))])
def test_a_time_that_is_not_utc_never_leaves(zone: timezone | None) -> None:
    order = build(ORDERS["2.1.0"], minimal("2.1.0"))
    with pytest.raises(Permanent) as caught:
        to_bytes(msgspec.structs.replace(order, timestamp=NOW.replace(tzinfo=zone)))
    assert caught.value.field == "$.timestamp"


@pytest.mark.parametrize("version", mends.VERSIONS)
@pytest.mark.parametrize("name", sorted(FILES))
def test_generated_code_belongs_to_the_committed_schema_and_is_not_edited(
    version: str, name: str
) -> None:
    """tools/generate_vda5050.py writes both hashes; `make codegen` renews them."""
    text = (GENERATED / f"v{version.replace('.', '_')}" / FILES[name]).read_text("utf-8")
    schema = json.dumps(mends.load_schema(version, name), sort_keys=True, separators=(",", ":"))
    head, mark, body = text.partition("\n\nfrom __future__")
    body = f"from __future__{body}"
    assert mark
    recorded = dict(re.findall(r"^# (schema|body): ([0-9a-f]{64})$", head, re.MULTILINE))
    assert recorded == {
        "schema": hashlib.sha256(schema.encode()).hexdigest(),
        "body": hashlib.sha256(body.encode()).hexdigest(),
    }


@pytest.mark.parametrize("mend", mends.MENDS, ids=lambda mend: f"{mend.version}-{mend.path[-1]}")
def test_each_mend_changes_its_schema_and_says_why(mend: mends.Mend) -> None:
    published = json.loads(
        (mends.SCHEMAS / mend.version / f"{mend.schema}.json").read_text("utf-8")
    )
    assert mends.load_schema(mend.version, mend.schema) != published
    assert len(mend.reason) > 20


def test_a_mend_that_no_longer_fits_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = mends.load_schema("2.1.0", "state")  # as if upstream had mended it
    (tmp_path / "2.1.0").mkdir()
    (tmp_path / "2.1.0" / "state.json").write_text(json.dumps(schema))
    monkeypatch.setattr(mends, "SCHEMAS", tmp_path)
    with pytest.raises(ValueError, match="revise"):
        mends.load_schema("2.1.0", "state")


@pytest.mark.parametrize("version", mends.VERSIONS)
def test_every_mended_schema_is_itself_a_valid_schema(version: str) -> None:
    for path in (mends.SCHEMAS / version).glob("*.json"):
        jsonschema.Draft202012Validator.check_schema(mends.load_schema(version, path.stem))
