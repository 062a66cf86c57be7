"""Every event fits the published schema, and a published schema never changes."""

import json
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dragoman.domain.case import CaseState
from dragoman.domain.cloudevent import CASE_STATUS_SCHEMA, case_event
from dragoman.domain.status import Status, Told
from dragoman.feeds.mqtt.commands import VERBS, read
from dragoman.testing.conformance.feed import check_envelope, event, published_schema
from tests.domain.strategies_cases import statuses

# What has been published stays as it is: a change is a new file with a new version, and its
# hash is added here. Never change a line of this table.
PUBLISHED = {
    "case-command.v1.json": "c97b9f35dbe62734ab082704013926a00b653f892f375a0dd05700db487d50ab",
    "case-status.v1.json": "ee0470c6368591b0a643642d30f8656d9b9e090c649bef9ec7f8374d47b9b9b1",
}


def hash_of(name: str) -> str:
    return sha256(files("dragoman").joinpath("schemas", name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_published_schema_never_changes(name: str) -> None:
    assert hash_of(name) == PUBLISHED[name]


def test_every_schema_file_is_recorded_and_valid() -> None:
    with_files = {one.name for one in Path(str(files("dragoman").joinpath("schemas"))).iterdir()}
    assert with_files == set(PUBLISHED)
    ids = []
    for name in PUBLISHED:
        schema = published_schema(name.removesuffix(".json"))
        jsonschema.Draft202012Validator.check_schema(schema)
        ids.append(schema["$id"])
        kind, version, _ = name.split(".")
        assert schema["$id"] == f"urn:dragoman:schema:{kind}:{version}"
    assert CASE_STATUS_SCHEMA in ids


@given(statuses, st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=10))
def test_every_event_fits_the_schema(status: Status, event_id: str, site: str) -> None:
    one = json.loads(json.dumps(case_event(status, event_id, site)))
    check_envelope(one)
    assert (one["id"], one["subject"]) == (event_id, status.case.id)
    assert one["data"]["case"] == status.case.id
    assert one["data"]["status"] == status.told
    assert one["traceparent"].split("-")[1] == status.case.trace_id
    assert one["traceparent"].split("-")[2] != 16 * "0"


def test_the_schema_knows_every_status_and_state() -> None:
    properties = published_schema("case-status.v1")["properties"]
    assert set(properties["status"]["enum"]) == set(Told)
    assert set(properties["state"]["enum"]) == set(CaseState)


def test_the_same_event_has_the_same_bytes() -> None:
    assert json.dumps(event(1)) == json.dumps(event(1))


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "exploded"), ("priority", "high"), ("at", "yesterday"), ("robot", ""), ("new", 1)],
)
def test_the_schema_refuses_what_is_wrong(name: str, value: object) -> None:
    one: dict[str, Any] = event(1)
    one["data"][name] = value
    with pytest.raises(jsonschema.ValidationError):
        check_envelope(one)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
wanted = st.fixed_dictionaries(
    {"verb": st.sampled_from(VERBS) | json_values, "case": st.text(max_size=210) | json_values},
    optional={"reason": json_values, "actor": json_values, "more": json_values},
)


@given(wanted | json_values)
@example({"verb": "hold", "case": "INC1", "reason": "why", "actor": "ann"})
@example({"verb": "hold", "case": 17})
@example({"verb": "hold", "case": True})
@example({"verb": "hold", "case": "x" * 201})
def test_a_command_is_taken_only_if_it_fits_its_schema(document: Any) -> None:
    validator = jsonschema.Draft202012Validator(published_schema("case-command.v1"))
    command = read(json.dumps(document).encode(), "cmms")
    assert command is not None
    blank = isinstance(document, dict) and not _visible(document.get("case"))
    assert bool(command.error) == (not validator.is_valid(document) or blank)


def _visible(case: object) -> str:
    return "".join(c for c in str(case) if c.isprintable()).strip()
