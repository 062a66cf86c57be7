"""What can be told of a JMESPath without a desk: the keys it goes by, and which of them lack."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.config.paths import absent, chains, key, literal


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("number.value", {("number", "value")}),
        ("fields.status.name", {("fields", "status", "name")}),
        ("a.b.{c: d}.e", {("a", "b")}),
        ("location.name || cmdb_ci.name", {("location", "name"), ("cmdb_ci", "name")}),
        ("CustomFields[?name=='Bay'].values[] | [0]", {("CustomFields", "Bay")}),
        ("CustomFields[?id=='3'].values", {("CustomFields",)}),
        ("tags[0].name", {("tags", "name")}),
        ("parts[*].{a: b}", {("parts",)}),
        ("(a || b).c", {("a", "c"), ("b", "c")}),
        ("to_number(Priority) >= `80` && '1' || '2'", {("Priority",)}),
        ("sort_by(items, &at) | [0].id", {("items",)}),
        ('"caller_id.email".value', {("caller_id.email", "value")}),
        ("@", set()),
        ("a || null", {("a",)}),
    ],
)
def test_the_keys_of_a_path(path: str, found: set[tuple[str, ...]]) -> None:
    assert chains(path) == found


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("a.b", ""),
        ("a.x", "no key a.x"),
        ("a.n.m", "a.n is null"),
        ("a.e", "a.e is empty"),
        ("x.y || a.n", "a.n is null, no key x"),
        ("a.l[0].z", ""),
    ],
)
def test_what_a_record_lacks(path: str, told: str) -> None:
    assert absent(path, {"a": {"b": "1", "n": None, "e": "", "l": [{}]}}) == told


@given(name=st.text(min_size=1))
def test_any_name_can_be_written_as_a_path(name: str) -> None:
    assert chains(f"fields.{key(name)}.value") == {("fields", name, "value")}
    assert chains(f"fields[?name=={literal(name)}]") == {("fields", name)}
