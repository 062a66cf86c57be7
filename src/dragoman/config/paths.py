"""What a JMESPath reads: the keys that it goes by, from the record on.

Used by `dragoman map preview` to say why a path gives nothing, and by drift.py to find keys that a
desk doesn't have. Only what is certain is told: keys behind a pipe are left out.
Adapters write the paths of their fields with `key` and `literal`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

import jmespath

Chain = tuple[str, ...]
"""Keys one below the other: `fields.status.name` is ("fields", "status", "name")."""

_OF_FIRST = frozenset(
    {"pipe", "index_expression", "flatten", "projection", "value_projection", "slice"}
)
_RELATIVE = frozenset({"expref", "literal"})


def chains(path: str) -> frozenset[Chain]:
    """The chains of a valid path. `CustomFields[?name=='Bay']` is ("CustomFields", "Bay")."""
    compiled: Any = jmespath.compile(path)
    # `null` is a key to JMESPath, and written for nothing
    return frozenset(one for one in _chains(compiled.parsed) if one and one != ("null",))


def alternatives(path: str) -> list[frozenset[Chain]]:
    """The chains of each side of `a || b || …`, of the whole path if it has one side only."""
    compiled: Any = jmespath.compile(path)
    sides = [compiled.parsed]
    while any(side["type"] == "or_expression" for side in sides):
        sides = [
            inner
            for side in sides
            for inner in (side["children"] if side["type"] == "or_expression" else [side])
        ]
    return [frozenset(one for one in _chains(side) if one and one != ("null",)) for side in sides]


def key(name: str) -> str:
    """A key as a JMESPath has it: in quotes if it has other signs than A-Z a-z 0-9 _."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else json.dumps(name)


def literal(text: str) -> str:
    """A text as a JMESPath compares with it."""
    if "'" not in text and "\\" not in text:
        return f"'{text}'"
    return "`" + json.dumps(text).replace("`", "\\`") + "`"


def absent(path: str, raw: Mapping[str, object]) -> str:
    """Which keys of a path a record doesn't have, or has as null; "" if that can't be told."""
    told = (_absent(chain, raw) for chain in sorted(chains(path)))
    return ", ".join(dict.fromkeys(one for one in told if one))


def _absent(chain: Chain, raw: object) -> str:
    for depth, key in enumerate(chain, 1):
        if not isinstance(raw, Mapping):
            return ""
        name = ".".join(chain[:depth])
        if key not in raw:
            return f"no key {name}"
        raw = raw[key]
        if raw is None or raw in ("", [], {}):
            return f"{name} is {'null' if raw is None else 'empty'}"
    return ""


def _chains(node: Mapping[str, Any]) -> Iterator[Chain]:
    kind, children = node["type"], node["children"]
    if kind == "field":
        yield (node["value"],)
    elif kind in ("identity", "current"):
        yield ()
    elif kind in ("subexpression", "filter_projection"):
        more = _keys(children[1:]) if kind == "subexpression" else _named(children[2])
        for chain in _chains(children[0]):
            yield (*chain, *more)
    elif kind in _OF_FIRST:
        yield from _chains(children[0])
    elif kind not in _RELATIVE:
        for child in children:
            if isinstance(child, Mapping):
                yield from _chains(child)


def _keys(nodes: Sequence[Mapping[str, Any]]) -> Chain:
    """The keys on the right of a dot, as far as they are keys."""
    fields = takewhile(lambda node: node["type"] == "field", nodes)
    return tuple(node["value"] for node in fields)


def _named(condition: Mapping[str, Any]) -> Chain:
    """The name that a filter like `[?name=='Bay']` picks."""
    if condition["type"] != "comparator" or condition["value"] != "eq":
        return ()
    field, literal = condition["children"]
    if field["type"] != "field" or field["value"] != "name" or literal["type"] != "literal":
        return ()
    return (str(literal["value"]),)
