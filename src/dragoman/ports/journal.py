"""The journal: all the state there is. One writer; a change is durable when `commit` is done."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from dragoman.domain.case import Case, PastCase
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery
from dragoman.domain.order import Assignment
from dragoman.domain.robot import Robot
from dragoman.domain.site import Site

Row = Case | PastCase | Assignment | Delivery | Entry | Robot
RowT = TypeVar("RowT", Case, PastCase, Assignment, Delivery, Entry, Robot)

COLUMNS: Final[Mapping[type, frozenset[str]]] = {
    Case: frozenset({"id", "desk", "external_id", "number", "state", "kind"}),
    PastCase: frozenset({"desk", "external_id", "case_id"}),
    Assignment: frozenset({"order_id", "case_id", "robot_id", "state", "desk", "external_id"}),
    Delivery: frozenset({"id", "target", "lane", "case_id", "order_id", "state"}),
    Entry: frozenset({"seq", "action", "case_id", "order_id", "robot_id", "desk"}),
    Robot: frozenset({"id", "fleet", "bound"}),
}
"""What `Find.where` may name, by type of row. An assignment knows its case's identity too.

A PastCase is there once retention has moved its case away, and only then.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """What to look up in the whole history, closed cases included.

    where: column → wanted value, or several wanted values; see COLUMNS.
    after: the `next` of the page before, "" for the first. newest_first: by creation.
    since: only rows created then or later (a robot and a past case have no such time: Permanent).
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What retention moved. deliveries: those of the cases, and settled ones that had no case."""

    cases: int = 0
    deliveries: int = 0

    def __add__(self, other: "Archived") -> "Archived":
        return Archived(
            cases=self.cases + other.cases, deliveries=self.deliveries + other.deliveries
        )

    def __bool__(self) -> bool:
        return bool(self.cases or self.deliveries)


class Journal(Protocol):
    """One site's journal. It owns the `Site`: no one else applies changes to it."""

    @property
    def site(self) -> Site:
        """The working set, with every change that `commit` has taken, durable or under way."""
        ...

    def commit(self, change: Change) -> Awaitable[int]:
        """Apply a change to the site at once, and be done when it is durable.

        The call itself applies the change, not the awaiting. So a step reads the site, computes
        and calls `commit` without awaiting in between; one that had to await (the solver) looks
        at `site.epoch` and at what it decided about again before it commits.

        Changes become durable in the order of the calls, several in one disk sync. Gives the seq
        of the last entry. An empty change waits for all changes before it. Raises, when awaited,
        JournalUnavailable if the change could not be made durable; then it, and every change
        called after it and not yet durable, has no effect at all, and the site is as the disk
        has it (`site.epoch` has grown), or will be once the disk can be read again (until then
        `site.sound` is False). Raises Permanent, with no effect on anything, if a value
        can't be written (not JSON-ready).
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
