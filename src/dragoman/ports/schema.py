"""What a desk may offer besides its port: which fields its records have.

An adapter's desk may have this member, too. `dragoman map import` lists what it gives, and the
mapping is checked against it by config/drift.py: at `dragoman desk try`, at `dragoman check --live`
and once beside the gateway's start. Nothing is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskField:
    """One field. name: as a DeskWrite names it. type: in the desk's own words.

    path: the JMESPath of what a mapping reads of it, "" if a record doesn't show it; also: further
    ones. mandatory: a new record needs it, and neither the desk nor the adapter fills it in.
    writable: whether our account may write it, as far as the desk tells. choices: value → label.
    aliases: other names by which a DeskWrite may name it.
    """

    name: str
    label: str = ""
    type: str = ""
    path: str = ""
    mandatory: bool = False
    writable: bool = True
    choices: Mapping[str, str] = field(default_factory=dict)
    also: Sequence[str] = ()
    aliases: Sequence[str] = ()


@runtime_checkable
class Schema(Protocol):
    """The call raises RetryLater, Permanent or NeedsHuman."""

    async def fields(self) -> Sequence[DeskField]:
        """All fields that the account may see, in the desk's order."""
        ...
