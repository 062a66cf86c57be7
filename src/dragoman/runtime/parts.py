"""What a gateway is made of. Put together by bootstrap.py, read by the loops and by the web."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dragoman.domain.delivery import RetryPolicy
from dragoman.flow.assign import Assign
from dragoman.flow.faults import Faults
from dragoman.flow.intake import Intake
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile import Reader
from dragoman.plugins import Notice
from dragoman.ports.desk import Desk
from dragoman.ports.feed import Feed
from dragoman.ports.fleet import Fleet
from dragoman.runtime.announcing import AnnouncingJournal
from dragoman.runtime.fitting import Ask
from dragoman.runtime.poller import Pace
from dragoman.runtime.reconciler import Plan
from dragoman.runtime.retention import Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """One desk: its adapter, its way in, and how fast it may be called.

    notice reads a verified webhook body. pace None: the desk isn't polled. reader: how it is read
    for comparison; None: it isn't compared. fit: what doesn't fit of its mapping; None: it can't
    list its fields.
    """

    desk: Desk
    intake: Intake
    notice: Callable[[Mapping[str, object]], Notice]
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    concurrency: int = 4
    pace: Pace | None = None
    reader: Reader | None = None
    fit: Ask | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedParts:
    """One feed and its retries."""

    feed: Feed
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All of it. Names are those of the configuration."""

    site_name: str
    version: str
    kit: Kit
    journal: AnnouncingJournal
    assign: Assign
    desks: Mapping[str, DeskParts]
    fleets: Mapping[str, Fleet]
    feeds: Mapping[str, FeedParts] = field(default_factory=dict)
    faults: Faults | None = None
    plan: Plan | None = None
    retention: Retention | None = None
