"""Which robots may be given work now, and why the others may not: the hard filters of the choice.

Called by flow/assign for every pass. A verdict is worked out once for each state of a robot and
kept until the robot, its report or the time says something else, since a pass asks for all of
them and hardly any has changed since the last one.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dragoman.domain.policy import Policy, Weights
from dragoman.domain.robot import Link, Robot, RobotReport

FOREVER = datetime.max.replace(tzinfo=UTC)
AGAIN = timedelta(seconds=1)
"""How long a verdict stands whose words hold an age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A robot that could take work now.

    base: seconds of cost that depend on nothing but its state. spot: x, y (metres) and map id.
    """

    robot: Robot
    report: RobotReport
    base: float
    spot: tuple[float, float, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The robots that may be chosen now, and why the others may not (robot id → reason)."""

    candidates: tuple[Candidate, ...]
    excluded: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """On one state of a robot. until: when time alone may change it."""

    robot: Robot
    report: RobotReport | None
    why: str
    until: datetime
    candidate: Candidate | None


class Roster:
    """The fleet, sorted into fit and unfit. fleets: names of those there are; None: any."""

    def __init__(
        self, policy: Policy, weights: Weights, fleets: Collection[str] | None = None
    ) -> None:
        self._policy = policy
        self._weights = weights
        self._fleets = fleets
        self._verdicts: dict[str, _Verdict] = {}

    def pool(
        self,
        robots: Iterable[Robot],
        reports: Mapping[str, RobotReport],
        now: datetime,
        away: Collection[str] = (),
    ) -> Pool:
        """The candidates of this moment. reports: the newest state of each robot.

        away: names of fleets that are not connected, so that no order could leave for them.
        """
        candidates: list[Candidate] = []
        excluded: dict[str, str] = {}
        verdicts = self._verdicts
        for robot in robots:
            if robot.fleet in away:
                excluded[robot.id] = f"its fleet {robot.fleet} is not connected"
                continue
            report = reports.get(robot.id)
            verdict = verdicts.get(robot.id)
            if (
                verdict is None
                or verdict.robot is not robot
                or verdict.report is not report
                or verdict.until <= now
            ):
                verdict = verdicts[robot.id] = self._verdict(robot, report, now)
            if verdict.candidate is not None:
                candidates.append(verdict.candidate)
            else:
                excluded[robot.id] = verdict.why
        return Pool(candidates=tuple(candidates), excluded=excluded)

    def _verdict(self, robot: Robot, report: RobotReport | None, now: datetime) -> _Verdict:
        if self._fleets is not None and robot.fleet not in self._fleets:
            why, until = f"its fleet {robot.fleet} is not in the configuration", FOREVER
        else:
            why, until = unfit(robot, report, now, self._policy, self._weights)
        candidate = None
        if not why and report is not None:
            at = report.position
            candidate = Candidate(
                robot=robot,
                report=report,
                base=_base(report, self._weights),
                spot=None if at is None else (at.x, at.y, at.map_id),
            )
        return _Verdict(robot=robot, report=report, why=why, until=until, candidate=candidate)


def unfit(  # noqa: C901 - one line per hard filter
    robot: Robot, report: RobotReport | None, now: datetime, policy: Policy, weights: Weights
) -> tuple[str, datetime]:
    """Why this robot may get nothing now, or "" if it may; and until when that can be said."""
    if report is None:
        return "has not reported its state", FOREVER
    if robot.bound:
        return f"busy with order {robot.bound}", FOREVER
    if robot.quarantined or robot.banned:
        return f"out of service: {robot.quarantined or robot.banned}", FOREVER
    if robot.rests_until is not None and robot.rests_until > now:
        return "rests after not answering an order", robot.rests_until
    if robot.link in {Link.OFFLINE, Link.BROKEN}:
        return f"connection {robot.link.value}", FOREVER
    limit = max(policy.fresh_within, policy.silent_after * robot.interval_s)
    stale_at = report.received_at + timedelta(seconds=limit)
    if now > stale_at:
        age = (now - report.received_at).total_seconds()
        return f"last state is {age:.0f} s old", now + AGAIN
    if report.mode != "AUTOMATIC":
        return f"operating mode {report.mode}", stale_at
    if report.e_stop:
        return "emergency stop", stale_at
    if report.paused:
        return "paused", stale_at
    fatal = [error.type for error in report.errors if error.level == "FATAL"]
    if fatal:
        return f"error {', '.join(fatal)}", stale_at
    if not report.idle:
        return f"works on order {report.order_id!r} that is not ours", stale_at
    if report.battery is not None and report.battery < weights.min_battery:
        return f"battery {report.battery:.0f} % below {weights.min_battery:.0f} %", stale_at
    return "", stale_at


def _base(report: RobotReport, weights: Weights) -> float:
    battery = 100.0 if report.battery is None else report.battery
    return weights.battery * (100.0 - battery) + (weights.far_s if report.charging else 0.0)
