"""The cases at robots against the robots' own last states. Called by runtime/reconciler.py.

The second look needs a second state: one that came after the first look. A robot that hasn't said
anything since is asked how it is.
"""

from dataclasses import dataclass

from dragoman.domain.change import Change
from dragoman.domain.errors import Permanent
from dragoman.domain.reconcile.mismatch import Kind, Mend, Mismatch, Side, row_prefix
from dragoman.domain.reconcile.report import UNREACHABLE
from dragoman.domain.reconcile.robot import Fleet, compare_fleet
from dragoman.domain.robot import Robot
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile.book import Book, unreachable

BY_STATE = frozenset({Mend.EVIDENCE, Mend.STOP})
"""Mismatches that rest on what a robot's state says."""


@dataclass(slots=True, kw_only=True)
class RobotSide:
    """All robots of the site. One look costs no request: states come by themselves."""

    kit: Kit
    book: Book

    async def look(self) -> int:
        """One look at all cases at robots, and all robots; how many mismatches are new."""
        fleet = self.book.fleet()
        found = {
            one.row: one for one in compare_fleet(fleet, self.kit.clock.now(), self.kit.policy)
        }
        due = [one for one in found.values() if self._counts(fleet, one)]
        start = row_prefix(Side.ROBOT)
        known = {lane for lane in self.book.suspicions if lane[0].startswith(start)}
        known |= {(row.target, row.lane) for row in self.book.rows(Side.ROBOT)}
        for lane in known - found.keys():
            change = self.book.agree(lane)
            if change:
                await self.kit.journal.commit(change)
        new = await self.book.take(due)
        text = "{count} cases can't be compared now: their robots are silent."
        await self.book.tell(UNREACHABLE, "", unreachable(due)[0], text)
        return new

    def _counts(self, fleet: Fleet, found: Mismatch) -> bool:
        before = self.book.suspicions.get(found.row)
        counts = self.book.suspect(found)
        first = self.book.suspicions[found.row].first
        if found.kind is Kind.UNREACHABLE or found.mend not in BY_STATE:
            return counts
        robot = fleet.robots.get(found.robot_id)
        report = fleet.reports.get(found.robot_id)
        if report is not None and report.received_at > first:
            return counts
        if robot is not None and before is None:
            self._ask(robot)
        return False

    def _ask(self, robot: Robot) -> None:
        """Ask a robot how it is, so that the second look has a second state."""
        draft = self.kit.draft()
        try:
            draft.ask(robot.id, draft.now + self.book.rules.grace)
        except Permanent:
            return  # this dialect can't be asked; its next state comes by itself
        change: Change = draft.change()
        self.kit.journal.commit(change)
