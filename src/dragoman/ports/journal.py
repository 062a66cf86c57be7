"""The journal: all the state there is. One writer; a change is durable when `commit` returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from dragoman.domain.case import Case
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery
from dragoman.domain.order import Assignment
from dragoman.domain.robot import Robot
from dragoman.domain.site import Site

Row = Case | Assignment | Delivery | Entry | Robot
RowT = TypeVar("RowT", Case, Assignment, Delivery, Entry, Robot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """What to look up in the whole history, closed cases included.

    where: column → wanted value, or several wanted values. Columns by type of row:
    Case: id, desk, external_id, number, state, kind; Assignment: order_id, case_id, robot_id,
    state; Delivery: id, target, lane, case_id, order_id, state; Entry: seq, action, case_id,
    order_id, robot_id, desk; Robot: id, fleet, bound.
    after: the `next` of the page before, "" for the first. newest_first: by creation.
    """

    where: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    after: str = ""
    limit: int = 100
    newest_first: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[RowT]):
    """One page. next: what to pass as `after` for the next page, "" at the end."""

    rows: Sequence[RowT]
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The sum that must add up, per target: matched = all five others together."""

    target: str
    matched: int
    delivered: int
    failed: int
    in_flight: int
    queued: int
    dead: int

    @property
    def adds_up(self) -> bool:
        """Whether no delivery was lost or counted twice."""
        parts = self.delivered + self.failed + self.in_flight + self.queued + self.dead
        return self.matched == parts


class Journal(Protocol):
    """One site's journal. It owns the `Site`: no one else applies changes to it."""

    @property
    def site(self) -> Site:
        """The working set, with every change that `commit` has taken, durable or under way."""
        ...

    async def commit(self, change: Change) -> int:
        """Apply a change to the site at once, and return when it is durable.

        Changes become durable in the order of the calls, several in one disk sync. Returns the
        seq of the last entry. Raises JournalUnavailable if the change could not be made durable;
        then it, and every change called after it and not yet durable, has no effect at all and
        the site is as the disk has it.
        """
        ...

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        """Look up rows of one type in the whole history. Raises Permanent on an unknown column."""
        ...

    async def tallies(self) -> Sequence[Tally]:
        """The outbox's sums per target over the whole history."""
        ...

    async def close(self) -> None:
        """Finish what was committed, then let go of the file."""
        ...
