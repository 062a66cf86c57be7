"""Step 2: waiting cases get robots, all at once.

Called by the runtime whenever a case starts to wait or a robot becomes free. One pass computes
every pair's cost, solves them together, and journals each choice with all costs and exclusions.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dragoman.domain import choosing
from dragoman.domain.case import Case
from dragoman.domain.change import Change
from dragoman.domain.errors import BadInput, Permanent
from dragoman.domain.events import Chosen, Unplaceable
from dragoman.domain.lifecycle import advance
from dragoman.domain.mission import place_of, plan
from dragoman.domain.order import Place
from dragoman.domain.outbox import Draft
from dragoman.domain.policy import Mission, Weights
from dragoman.domain.robot import RobotReport
from dragoman.domain.roster import Pool, Roster
from dragoman.flow.kit import Kit
from dragoman.ports.solver import Solver


@dataclass(slots=True, kw_only=True)
class Assign:
    """What the choice needs beside the kit: missions and places by name, weights, the solver.

    fleets: those that are configured; None: any. away: names those that are not connected now.
    """

    kit: Kit
    missions: Mapping[str, Mission]
    locations: Mapping[str, Place]
    weights: Weights
    solver: Solver
    fleets: Collection[str] | None = None
    away: Callable[[], Collection[str]] = frozenset
    roster: Roster = field(init=False)

    def __post_init__(self) -> None:
        """The roster goes by the same policy and weights."""
        self.roster = Roster(self.kit.policy, self.weights, self.fleets)

    def run(self, reports: Mapping[str, RobotReport]) -> Change:
        """One pass over all waiting cases. reports: the newest state of each robot, since start.

        The change is empty if nobody can be served now.
        """
        draft = self.kit.draft()
        wanted = self._wanted(draft)
        if not wanted:
            return draft.change()
        fleet = self._pool(reports, draft.now)
        if not fleet.candidates:
            return draft.change()
        posed = choosing.problem(wanted, fleet, draft.now, self.weights)
        for row, column in self.solver(posed.costs):
            self._choose(draft, posed, row, column)
        return draft.change()

    def why_waiting(self, case: Case, reports: Mapping[str, RobotReport]) -> str:
        """Why this case has no robot now, in one sentence."""
        try:
            want = self._want(case)
        except BadInput as error:
            return str(error)
        now = self.kit.clock.now()
        fleet = self._pool(reports, now)
        return choosing.reasons(choosing.problem([want], fleet, now, self.weights), 0)

    def _pool(self, reports: Mapping[str, RobotReport], now: datetime) -> Pool:
        return self.roster.pool(self.kit.site.robots.values(), reports, now, self.away())

    def _want(self, case: Case) -> choosing.Wanted:
        mission = self.missions.get(case.kind)
        if mission is None:
            raise BadInput(
                "no mission is configured for this kind of case",
                field="kind",
                value=case.kind,
                mend=f"add [missions.{case.kind or 'KIND'}] or map the field to a known kind",
            )
        place = place_of(case, self.locations)
        return choosing.Wanted(case=case, mission=mission, place=place)

    def _wanted(self, draft: Draft) -> Sequence[choosing.Wanted]:
        """Waiting cases that can be placed; the others are held for a person in this change."""
        wanted = []
        for case in tuple(self.kit.site.queued.values()):
            try:
                wanted.append(self._want(case))
            except BadInput as error:
                job = self.kit.job(case.id)
                if job is not None:
                    event = Unplaceable(reason=str(error))
                    draft.add(advance(job, event, draft.now, self.kit.policy))
        return wanted

    def _choose(self, draft: Draft, posed: choosing.Problem, row: int, column: int) -> None:
        want, candidate = posed.wanted[row], posed.pool.candidates[column]
        job = self.kit.job(want.case.id)
        if job is None:
            return
        order_id = f"{want.case.id}-{want.case.attempts + 1}"
        order = plan(want.case, want.mission, want.place, candidate.report, order_id)
        chosen = Chosen(
            order=order,
            expected_s=want.mission.expected_s,
            repeatable=want.mission.repeatable,
            boots=candidate.robot.boots,
            decision=choosing.explain(posed, row, column),
        )
        try:
            draft.add_whole(advance(job, chosen, draft.now, self.kit.policy))
        except Permanent as error:
            reason = f"its order can't be said to robot {candidate.robot.id}: {error}"
            event = Unplaceable(reason=reason)
            draft.add(advance(job, event, draft.now, self.kit.policy))
