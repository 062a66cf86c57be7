"""Which robot for which case: hard filters first, then one cost matrix for all waiting cases.

Called by flow/assign. Every exclusion has a reason in words, and both the costs and the reasons
are journalled with the decision. The matrix is solved by a port (ports/solver.py).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dragoman.domain.case import Case
from dragoman.domain.order import Place
from dragoman.domain.policy import Mission, Policy, Weights
from dragoman.domain.robot import Link, Robot, RobotReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A robot that could take work now. base: the cost that doesn't depend on the case."""

    robot: Robot
    report: RobotReport
    base: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A waiting case with its mission and the place to go."""

    case: Case
    mission: Mission
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The robots that may be chosen now, and why the others may not (robot id → reason)."""

    candidates: tuple[Candidate, ...]
    excluded: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One pass: costs[row][column] in seconds, `inf` where the robot may not take the case.

    excluded: row → robot id → why not, for this case alone.
    """

    wanted: Sequence[Wanted]
    pool: Pool
    costs: Sequence[Sequence[float]]
    excluded: Sequence[Mapping[str, str]] = field(default=())


def pool(
    robots: Iterable[Robot],
    reports: Mapping[str, RobotReport],
    now: datetime,
    policy: Policy,
    weights: Weights,
) -> Pool:
    """Sort the fleet into candidates and excluded."""
    fit: list[tuple[Robot, RobotReport]] = []
    excluded: dict[str, str] = {}
    for robot in robots:
        report = reports.get(robot.id)
        why = unfit(robot, report, now, policy, weights)
        if why or report is None:
            excluded[robot.id] = why
        else:
            fit.append((robot, report))
    mean = sum(robot.jobs for robot, _ in fit) / len(fit) if fit else 0.0
    candidates = tuple(
        Candidate(robot=robot, report=report, base=_base(robot, report, mean, weights))
        for robot, report in fit
    )
    return Pool(candidates=candidates, excluded=excluded)


def unfit(  # noqa: C901 - one line per hard filter
    robot: Robot, report: RobotReport | None, now: datetime, policy: Policy, weights: Weights
) -> str:
    """Why this robot may get nothing now, or "" if it may."""
    if report is None:
        return "has not reported its state"
    if robot.bound:
        return f"busy with order {robot.bound}"
    if robot.quarantined or robot.banned:
        return f"out of service: {robot.quarantined or robot.banned}"
    if robot.rests_until is not None and robot.rests_until > now:
        return "rests after not answering an order"
    if robot.link in {Link.OFFLINE, Link.BROKEN}:
        return f"connection {robot.link.value}"
    age = now - report.received_at
    limit = max(policy.fresh_within, policy.silent_after * robot.interval_s)
    if age > timedelta(seconds=limit):
        return f"last state is {age.total_seconds():.0f} s old"
    if report.mode != "AUTOMATIC":
        return f"operating mode {report.mode}"
    if report.e_stop:
        return "emergency stop"
    if report.paused:
        return "paused"
    fatal = [error.type for error in report.errors if error.level == "FATAL"]
    if fatal:
        return f"error {', '.join(fatal)}"
    if not report.idle:
        return f"works on order {report.order_id!r} that is not ours"
    if report.battery is not None and report.battery < weights.min_battery:
        return f"battery {report.battery:.0f} % below {weights.min_battery:.0f} %"
    return ""


def _base(robot: Robot, report: RobotReport, mean_jobs: float, weights: Weights) -> float:
    battery = 100.0 if report.battery is None else report.battery
    return (
        weights.battery * (100.0 - battery)
        + weights.fairness * max(0.0, robot.jobs - mean_jobs)
        + (weights.far_s if report.charging else 0.0)
    )


def problem(wanted: Sequence[Wanted], fleet: Pool, now: datetime, weights: Weights) -> Problem:
    """The cost matrix. Urgent cases have an advantage that counts when robots are scarce."""
    spots = [_spot(candidate) for candidate in fleet.candidates]
    bases = [candidate.base for candidate in fleet.candidates]
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


def _spot(candidate: Candidate) -> tuple[float, float, str] | None:
    position = candidate.report.position
    return None if position is None else (position.x, position.y, position.map_id)


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
