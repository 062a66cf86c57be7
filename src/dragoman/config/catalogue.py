"""Which settings there are: walks over the models of the configuration.

Used for the suggestion at an unknown key (problems.py), and by the test that every setting is
explained in docs/reference/config.md.
"""

from collections.abc import Iterator
from types import NoneType, UnionType
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
    for part in path:
        inner = model.model_fields[str(part)] if part in model.model_fields else None
        if inner is None:
            return []
        found = _table(inner.annotation, inner.metadata)
        if found is None:
            return []
        depth, model = found
        rest = path[path.index(part) + 1 :]
        return keys_at(model, rest[depth:]) if len(rest) >= depth else []
    return keys_of(model)


def settings(model: type[BaseModel], at: str = "") -> Iterator[tuple[str, str]]:
    """All settings as (table, key); `*` stands for a name that the user gives, and for an index."""
    for name in keys_of(model):
        field = model.model_fields[name]
        found = _table(field.annotation, field.metadata)
        yield at, name
        if found is not None:
            depth, inner = found
            yield from settings(inner, f"{at}.{name}".lstrip(".") + ".*" * depth)


def _table(annotation: Any, metadata: list[Any]) -> tuple[int, type[BaseModel]] | None:
    """The model behind an annotation, and how many keys or indexes lie between."""
    for mark in metadata:
        if isinstance(mark, DomainValue):
            return 0, mark.model(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _table(arguments[0], list(arguments[1:]))
    if origin in (Union, UnionType):
        inner = [_table(one, []) for one in arguments if one is not NoneType]
        return next((one for one in inner if one is not None), None)
    if origin in (dict, tuple, list):
        below = _table(arguments[1] if origin is dict else arguments[0], [])
        return None if below is None else (below[0] + 1, below[1])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return 0, annotation
    return None


def default_of(model: type[BaseModel], table: str, key: str) -> Any:
    """The default of a setting as `settings` names it; `...` if it is required."""
    for part in table.split("."):
        if part == "*":
            continue
        field = model.model_fields[part]
        found = _table(field.annotation, field.metadata)
        if found is None:
            raise KeyError(table)
        model = found[1]
    field = model.model_fields[key]
    return ... if field.is_required() else field.get_default(call_default_factory=True)
