"""A service desk: the record of what people asked for. Adapters: desks/<vendor>/."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRecord:
    """One record as the desk gave it.

    version: a token that changes with every update (sys_mod_count, ETag, transaction id).
    updated_at: by the desk's clock. updated_by: who wrote last, "" if unknown. raw: the vendor's
    own JSON, untouched: the mapping reads from it and the journal keeps it.
    """

    external_id: str
    version: str
    updated_at: datetime
    updated_by: str
    raw: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPage:
    """Records that changed since a cursor, oldest first, and the cursor to go on from.

    unreadable: raw items of the answer that aren't records at all, with the reason; they become
    dead letters. more: whether the next call would bring more at once. since: of the first page
    (cursor ""), from when on records count, by the desk's clock; None if the desk tells no time.
    """

    records: Sequence[DeskRecord]
    cursor: str
    more: bool
    unreadable: Sequence[tuple[str, str]] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskWrite:
    """What to write to one record: fields by the desk's own names, and what to say.

    key: the idempotency key; the same key twice has one effect, comments included. retried:
    whether an earlier attempt may have gone through, so that the adapter looks before it speaks.
    comment: for the customer; note: for the staff. expect: field → one of the values that it must
    have at the desk for the write to be made (the precondition).
    """

    key: str
    fields: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    note: str = ""
    expect: Mapping[str, Sequence[str]] = field(default_factory=dict)
    retried: bool = False


class Desk(Protocol):
    """One desk, one table or queue of it. All calls raise RetryLater, Permanent or NeedsHuman."""

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """Records created or updated since `cursor` ("" = from now on), oldest first.

        May repeat records (overlap window); never misses one.
        """
        ...

    async def read(self, external_id: str) -> DeskRecord:
        """One record, fresh. Raises Permanent if there is none."""
        ...

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """Update fields and add comments; returns the record as the desk has it afterwards.

        Raises Conflict if a precondition fails, Permanent if the desk refuses or ignores a field.
        """
        ...

    async def create(self, write: DeskWrite) -> DeskRecord:
        """Create a record, or return the one that was created under the same key before."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class Comparison(Protocol):
    """What an adapter may offer beside `Desk`: what a write would change of a record.

    Used by `dragoman map preview`.
    """

    def held(self, record: DeskRecord, field: str) -> str | None:
        """What a field has, as people would write it; None if the record shows no such field."""
        ...

    def has(self, record: DeskRecord, field: str, value: str) -> bool:
        """Whether a field has a value, by the rules that the adapter's own writes go by."""
        ...


@runtime_checkable
class Rehearsal(Protocol):
    """What an adapter may offer beside `Desk`: a look at what a write would do. Writes nothing.

    Used by `dragoman desk try`.
    """

    async def sample(self, limit: int) -> Sequence[DeskRecord]:
        """A few records as they are now, recent ones if the desk can tell."""
        ...

    async def planned(self, external_id: str, write: DeskWrite) -> Sequence[Mapping[str, Any]]:
        """The requests of a write, without what is secret; of a creation for external_id "".

        Each is `{"method", "url", "headers", "body"}`. Raises as the write would before it sends.
        """
        ...

    def lacking(self, record: DeskRecord, write: DeskWrite) -> Sequence[str]:
        """What of the write could not be checked afterwards, a sentence each."""
        ...
