"""Which settings there are: walks over the models of the configuration.

Used for the suggestion at an unknown key (problems.py), and by the test that every setting is
explained in docs/reference/config.md.
"""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from dragoman.config.fields import DomainValue

COMPUTED = frozenset({"options", "incoming", "outgoing"})
"""Fields of the models that load.py sets and that can't stand in the file."""


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a table of this model may have."""
    return [name for name in model.model_fields if name not in COMPUTED]


def keys_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys that the table at `path` may have; none if there is no such table."""
    models: list[type[BaseModel]] = [model]
    rest = path
    while rest:
        field = next(
            (m.model_fields[str(rest[0])] for m in models if rest[0] in m.model_fields), None
        )
        found = [] if field is None else _tables(field.annotation, field.metadata)
        models = [inner for _, inner in found]
        rest = rest[1 + min((depth for depth, _ in found), default=0) :]
    return list(dict.fromkeys(key for one in models for key in keys_of(one)))


def settings(model: type[BaseModel], at: str = "") -> Iterator[tuple[str, str]]:
    """All settings as (table, key); `*` stands for a name that the user gives, and for an index."""
    for name in keys_of(model):
        field = model.model_fields[name]
        yield at, name
        for depth, inner in _tables(field.annotation, field.metadata):
            yield from settings(inner, f"{at}.{name}".lstrip(".") + ".*" * depth)


def _tables(annotation: Any, metadata: list[Any]) -> list[tuple[int, type[BaseModel]]]:
    """The models behind an annotation, and how many keys or indexes lie between."""
    for mark in metadata:
        if isinstance(mark, DomainValue):
            return [(0, mark.model(annotation))]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _tables(arguments[0], list(arguments[1:]))
    if origin in (Union, UnionType):
        return [found for one in arguments for found in _tables(one, [])]
    if origin in (dict, tuple, list):
        below = _tables(arguments[1] if origin is dict else arguments[0], [])
        return [(depth + 1, model) for depth, model in below]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(0, annotation)]
    return []


def default_of(model: type[BaseModel], table: str, key: str) -> Any:
    """The default of a setting as `settings` names it; `...` if it is required."""
    for part in table.split("."):
        if part in ("", "*"):
            continue
        field = model.model_fields[part]
        model = _tables(field.annotation, field.metadata)[0][1]
    field = model.model_fields[key]
    return ... if field.is_required() else field.get_default(call_default_factory=True)
