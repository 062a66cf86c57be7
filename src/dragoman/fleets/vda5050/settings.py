"""The options of `[fleets.NAME]` with `type = "vda5050"`."""

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dragoman.config.fields import Table, refused

InstantKey = Literal["actions", "instantActions", "both"]
Version = Literal["2.0.0", "2.1.0"]


def _robots(pattern: str) -> str:
    if not all(pattern.partition("/")) or pattern.count("/") != 1:
        raise refused("this names no robots", 'write "manufacturer/serial", like "maker/*"')
    return pattern


class Dialect(Table):
    """How some robots differ. version: overrides what they say of themselves.

    instant_actions: the name of the array in instantActions messages; `both` for vehicles that
    insist on the one of 1.1 as well. capabilities: action types, where no factsheet tells.
    """

    version: Version | None = None
    instant_actions: InstantKey = "actions"
    capabilities: frozenset[str] | None = None


class Vda5050Settings(Table):
    """interface: the first level of the topics. robots: `manufacturer/serial` with wildcards, those
    that belong to the fleet; none means that all do who speak on its topics. dialects: the same
    patterns → how these robots differ; the first that matches counts. factsheets: ask robots of 2.1
    for theirs. allowed_deviation_m: how near the start a robot must be, in metres.
    """

    interface: Annotated[str, Field(pattern=r"^[^/+#\s]+$")] = "uagv"
    version: Version = "2.0.0"
    robots: tuple[Annotated[str, AfterValidator(_robots)], ...] = ()
    dialects: dict[str, Dialect] = Field(default_factory=dict)
    factsheets: bool = True
    allowed_deviation_m: Annotated[float, Field(gt=0)] = 2.0

    def lists(self, robot_id: str) -> bool:
        """Whether the robot belongs to the fleet."""
        return not self.robots or any(fnmatchcase(robot_id, one) for one in self.robots)

    def dialect_of(self, robot_id: str) -> Dialect:
        """The first dialect whose pattern matches."""
        for pattern, dialect in self.dialects.items():
            if fnmatchcase(robot_id, pattern):
                return dialect
        return Dialect()
