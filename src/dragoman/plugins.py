"""Finds adapters by entry point and says what an adapter package offers.

Built-in adapters are found the same way as anyone's: an entry point of the group
`dragoman.desks`, `dragoman.fleets` or `dragoman.feeds` names a package whose `PLUGIN` is one of
the values below. Called by bootstrap.py and by `dragoman check`.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel

from dragoman.domain.errors import NeedsHuman
from dragoman.ports.clock import Clock
from dragoman.ports.desk import Desk, DeskRecord
from dragoman.ports.feed import Feed
from dragoman.ports.fleet import Fleet

Group = Literal["desks", "fleets", "feeds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a webhook body says: which record, and the record itself if the body carries it."""

    external_id: str
    record: DeskRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPlugin:
    """A kind of desk. settings: the model of its own options under `[desks.NAME]`.

    connect(name, settings, clock) builds the adapter without any I/O. notice(body, settings)
    reads a verified webhook body and raises BadInput naming the field if it isn't one.
    """

    settings: type[BaseModel]
    connect: Callable[[str, Any, Clock], Desk]
    notice: Callable[[Mapping[str, Any], Any], Notice]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlugin:
    """A robot dialect. connect(name, settings, mqtt settings, clock) builds it without I/O."""

    settings: type[BaseModel]
    connect: Callable[[str, Any, Any, Clock], Fleet]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPlugin:
    """A kind of feed. connect(name, settings, mqtt settings, clock) builds it without I/O."""

    settings: type[BaseModel]
    connect: Callable[[str, Any, Any, Clock], Feed]


Plugin = DeskPlugin | FleetPlugin | FeedPlugin


@cache
def _installed(group: Group) -> Mapping[str, EntryPoint]:
    """All adapters of a group by type, looked for once, since that reads all metadata."""
    return {point.name: point for point in entry_points(group=f"dragoman.{group}")}


def find(group: Group, kind: str) -> Plugin:
    """The plugin of a kind (`type = "servicenow"`). Raises NeedsHuman if there is none."""
    found = _installed(group)
    if kind not in found:
        raise NeedsHuman(
            f"no adapter of this type among {group}",
            field="type",
            value=kind,
            mend=f"installed are: {', '.join(sorted(found)) or 'none'}",
        )
    plugin: Plugin = found[kind].load().PLUGIN
    return plugin


def default_mappings(kind: str) -> Mapping[str, Any]:
    """The built-in field mappings of a desk type by name: `mapping.toml` in its package.

    Empty if the type is unknown or its package has no such file.
    """
    point = _installed("desks").get(kind)
    if point is not None:
        file = files(point.module).joinpath("mapping.toml")
        if file.is_file():
            return tomllib.loads(file.read_text(encoding="utf-8"))
    return {}
