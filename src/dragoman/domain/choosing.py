"""Which robot for which case: one cost matrix for all waiting cases and all fit robots.

Called by flow/assign with the robots that domain/roster.py lets through. Every exclusion has a
reason in words, and both the costs and the reasons are journalled with the decision. The matrix
is solved by a port (ports/solver.py).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dragoman.domain.case import Case
from dragoman.domain.order import Place
from dragoman.domain.policy import Mission, Weights
from dragoman.domain.roster import Candidate, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A waiting case with its mission and the place to go."""

    case: Case
    mission: Mission
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One pass: costs[row][column] in seconds, `inf` where the robot may not take the case.

    excluded: row → robot id → why not, for this case alone.
    """

    wanted: Sequence[Wanted]
    pool: Pool
    costs: Sequence[Sequence[float]]
    excluded: Sequence[Mapping[str, str]] = field(default=())


def problem(wanted: Sequence[Wanted], fleet: Pool, now: datetime, weights: Weights) -> Problem:
    """The cost matrix. Urgent cases have an advantage that counts when robots are scarce."""
    spots = [candidate.spot for candidate in fleet.candidates]
    bases = _bases(fleet.candidates, weights)
    costs: list[list[float]] = []
    excluded: list[dict[str, str]] = []
    for want in wanted:
        advantage = _advantage(want.case, now, weights)
        row = _travel(want.place, spots, bases, weights, -advantage)
        why: dict[str, str] = {}
        if want.mission.needs or want.case.excluded:
            _exclude(want, fleet.candidates, row, why)
        for column, spot in enumerate(spots):
            if spot is not None and spot[2] != want.place.map_id:
                row[column] = math.inf
                robot_id = fleet.candidates[column].robot.id
                why.setdefault(robot_id, f"on map {spot[2]}, not {want.place.map_id}")
        costs.append(row)
        excluded.append(why)
    return Problem(wanted=wanted, pool=fleet, costs=costs, excluded=excluded)


def _bases(candidates: Sequence[Candidate], weights: Weights) -> list[float]:
    """Each robot's cost without the case; one that has done more than most costs more."""
    if not weights.fairness or not candidates:
        return [candidate.base for candidate in candidates]
    jobs = [candidate.robot.jobs for candidate in candidates]
    mean, fairness = sum(jobs) / len(jobs), weights.fairness
    return [
        candidate.base + (fairness * (done - mean) if done > mean else 0.0)
        for candidate, done in zip(candidates, jobs, strict=True)
    ]


def _travel(
    place: Place,
    spots: Sequence[tuple[float, float, str] | None],
    bases: Sequence[float],
    weights: Weights,
    offset: float,
) -> list[float]:
    """One row: seconds of travel as the crow flies, on top of each robot's base cost."""
    x, y, pace, far, hypot = place.x, place.y, 1.0 / weights.speed, weights.far_s, math.hypot
    return [
        base + offset + (far if spot is None else pace * hypot(spot[0] - x, spot[1] - y))
        for spot, base in zip(spots, bases, strict=True)
    ]


def _exclude(
    want: Wanted, candidates: Sequence[Candidate], row: list[float], why: dict[str, str]
) -> None:
    for column, candidate in enumerate(candidates):
        robot = candidate.robot
        reason = want.case.excluded.get(robot.id, "")
        if robot.capabilities and not reason:
            missing = want.mission.needs - robot.capabilities
            reason = f"cannot {', '.join(sorted(missing))}" if missing else ""
        if reason:
            row[column] = math.inf
            why[robot.id] = reason


def _advantage(case: Case, now: datetime, weights: Weights) -> float:
    """Seconds by which this case goes before one of priority 5 that came now without deadline."""
    waited = (now - case.received_at).total_seconds()
    advantage = weights.urgency * (5 - case.priority) + weights.waiting * waited
    if case.due_by is not None:
        slack = (case.due_by - now).total_seconds()
        advantage += weights.deadline * min(7200.0, max(0.0, 3600.0 - slack))
    return advantage


def explain(solved: Problem, row: int, column: int) -> dict[str, object]:
    """The decision on one case, for the journal: the choice, all costs, all exclusions."""
    candidates = solved.pool.candidates
    advantage = min((c for c in solved.costs[row] if c != math.inf), default=0.0)
    return {
        "robot": candidates[column].robot.id,
        "cost_above_best_s": round(solved.costs[row][column] - advantage, 1),
        "costs_s": {
            candidate.robot.id: round(cost - advantage, 1)
            for candidate, cost in zip(candidates, solved.costs[row], strict=True)
            if cost != math.inf
        },
        "excluded": {**solved.pool.excluded, **solved.excluded[row]},
    }


def reasons(solved: Problem, row: int) -> str:
    """Why nobody could take this case, in one sentence."""
    why: dict[str, int] = {}
    for reason in (*solved.pool.excluded.values(), *solved.excluded[row].values()):
        kind = reason.split(" order ")[0]
        why[kind] = why.get(kind, 0) + 1
    told = ", ".join(f"{count} × {reason}" for reason, count in sorted(why.items()))
    return told or "no robots are known"
