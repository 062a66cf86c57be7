"""Which messages of robots count: their order, signs of a restart, and whether a link is up.

Kept by flow/track, in memory only: what was heard before a start says nothing of the present.
Sources: VDA 5050 2.1, 6.1 (headerId per topic), 6.14 (connection and last will), and what real
vehicles do: some restart with a clock in the past, some never say ONLINE again.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from dragoman.domain.robot import Link, LinkReport, Robot, RobotReport

LATE_S = 5.0
"""Within this time an older message is a late one; after it, it may be of a new session."""
IN_FLIGHT = timedelta(seconds=3)
"""A state may have been under way so long when the last will of its robot was published."""
DOWN = frozenset({Link.OFFLINE, Link.BROKEN})


class Order(StrEnum):
    """What a state is, beside the newest one before it."""

    NEWS = "news"
    DUPLICATE = "duplicate"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True)
class Hearing:
    """What was heard of all robots.

    renewed: said ONLINE since their last state, so that it may be of a new session. odd: robot id →
    a state that may be the first of a new session, or a late one. down_since: robot id → when it
    was last heard that its link is down, by our clock.
    """

    renewed: set[str] = field(default_factory=set)
    odd: dict[str, RobotReport] = field(default_factory=dict)
    down_since: dict[str, datetime] = field(default_factory=dict)

    def order(self, before: RobotReport, report: RobotReport) -> Order:
        """Whether a state is news. An older one is, if a second one confirms its new session."""
        if report.header_id > before.header_id or report.reported_at > before.reported_at:
            self.odd.pop(report.robot_id, None)
            return Order.NEWS
        if report.robot_id in self.renewed:
            return Order.NEWS  # a new session, with a counter and perhaps a clock that began anew
        if (report.received_at - before.received_at).total_seconds() > LATE_S:
            first = self.odd.get(report.robot_id)
            self.odd[report.robot_id] = report
            if first is not None and report.header_id == first.header_id + 1:
                del self.odd[report.robot_id]
                return Order.NEWS
        same = report.header_id == before.header_id and report.reported_at == before.reported_at
        return Order.DUPLICATE if same else Order.OUTDATED

    def restarted(self, before: RobotReport | None, report: RobotReport) -> bool:
        """Whether a state that is news has a counter that began anew."""
        if before is None:
            return False
        if report.header_id == before.header_id:
            return report.robot_id in self.renewed
        return report.header_id < before.header_id

    def said(self, report: LinkReport) -> None:
        """Take note of a connection message that counts."""
        if report.link in DOWN:
            self.down_since[report.robot_id] = report.received_at
        elif report.link is Link.ONLINE and not report.retained:
            self.renewed.add(report.robot_id)

    def link(self, robot: Robot, report: RobotReport) -> Link:
        """The robot's link by the newest of state and connection, now that this state has come.

        A link that is down is up again by a state that can't have been under way when it broke.
        """
        if robot.link is Link.UNKNOWN:
            return Link.ONLINE
        if robot.link not in DOWN:
            return robot.link
        since = self.down_since.setdefault(robot.id, report.received_at)
        return Link.ONLINE if report.received_at - since >= IN_FLIGHT else robot.link
