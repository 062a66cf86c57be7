"""Step 4: what robots say becomes progress, outcome or doubt.

Called by the runtime for every report of a fleet, in order, many thousand times a second; so a
state that changes nothing costs no row and no copy. Rules for order and age of messages follow
VDA 5050 2.1, 6.1 (headerId per topic) and what real vehicles do.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.errors import Permanent
from dragoman.domain.events import Event, Unheard
from dragoman.domain.evidence import forgetful, read
from dragoman.domain.hearing import Hearing, Order
from dragoman.domain.outbox import Draft
from dragoman.domain.robot import (
    UNLISTED,
    BadMessage,
    FleetReport,
    Introduction,
    LinkReport,
    Presence,
    Robot,
    RobotReport,
)
from dragoman.flow.kit import Kit

AHEAD = timedelta(seconds=60)
"""A robot's clock may be so far ahead of ours before it is noted."""


@dataclass(slots=True, kw_only=True)
class Counters:
    """Messages by what became of them, for metrics; never reset."""

    taken: int = 0
    changed: int = 0
    duplicate: int = 0
    outdated: int = 0
    bad: int = 0
    unlisted: int = 0
    from_future: int = 0
    unknown_robot: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The newest reports of all robots since the start, and the steps that follow from them.

    latest: robot id → its newest state since this start; older ones say nothing of the present.
    """

    kit: Kit
    latest: dict[str, RobotReport] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    complained: set[tuple[str, str]] = field(default_factory=set)
    hearing: Hearing = field(default_factory=Hearing)

    def observe(self, report: FleetReport) -> Change:
        """The change that a report makes; empty for most."""
        match report:
            case RobotReport():
                return self._state(report)
            case LinkReport():
                return self._link(report)
            case Introduction():
                return self._introduce(report)
            case BadMessage():
                return self._bad(report)

    def sweep(self) -> Change:
        """Notice silence: suspect after 1.5, silent after 2.5 state intervals. Every second."""
        now, policy = self.kit.clock.now(), self.kit.policy
        changes = []
        for robot in self.kit.site.robots.values():
            report = self.latest.get(robot.id)
            if report is None or robot.presence is Presence.SILENT:
                continue
            age = (now - report.received_at).total_seconds()
            interval = max(robot.interval_s, 1.0)
            if age > policy.silent_after * interval:
                changes.append(self._gone(robot, age))
            elif age > policy.suspect_after * interval and robot.presence is Presence.FRESH:
                changes.append(self._suspect(robot))
        return merged(*changes)

    def _state(self, report: RobotReport) -> Change:
        robot = self.kit.site.robots.get(report.robot_id)
        if robot is None:
            self.counters.unknown_robot += 1
            return Change()
        before = self.latest.get(report.robot_id)
        if before is not None and not self._is_news(before, report):
            return Change()
        self.counters.taken += 1
        self.latest[report.robot_id] = report
        note = self._from_future(report)
        draft = self.kit.draft(report.received_at)
        self._notice(draft, robot, report, before or self.kit.site.reports.get(robot.id))
        self.hearing.renewed.discard(report.robot_id)
        self._revenant(draft, robot, report)
        self._evidence(draft, robot, before, report)
        moved = draft.change()
        if before is not None and not moved and not note and _same(before, report):
            return Change()
        self.counters.changed += 1
        return merged(note, Change(reports=(report,)), moved)

    def _is_news(self, before: RobotReport, report: RobotReport) -> bool:
        """Neither a repetition nor older than what is known; counts those."""
        match self.hearing.order(before, report):
            case Order.DUPLICATE:
                self.counters.duplicate += 1
            case Order.OUTDATED:
                self.counters.outdated += 1
            case Order.NEWS:
                return True
        return False

    def _notice(
        self, draft: Draft, robot: Robot, report: RobotReport, before: RobotReport | None
    ) -> None:
        """That a silent robot is back, that its link is up again, or that it restarted."""
        restarted = self.hearing.restarted(before, report)
        link = self.hearing.link(robot, report)
        if robot.presence is Presence.FRESH and link is robot.link and not restarted:
            return
        draft.robots[robot.id] = replace(
            robot, presence=Presence.FRESH, link=link, boots=robot.boots + restarted
        )
        if restarted:
            action, text = "robot.restarted", f"Robot {robot.id} has restarted."
        elif robot.presence is Presence.FRESH:
            action, text = (
                "robot.link",
                f"Robot {robot.id}: connection {link.value}, by its states.",
            )
        else:
            action, text = "robot.fresh", f"Robot {robot.id} reports."
        data: dict[str, object] = {"mode": report.mode, "link": link.value}
        draft.entries.append(self._entry(action, text, robot.id, data))

    def _revenant(self, draft: Draft, robot: Robot, report: RobotReport) -> None:
        """An order that was over is being worked on: stop it, and trust the robot no more.

        It denied or confirmed away the order earlier, so the case may be with another robot.
        """
        over = robot.last and report.order_id == robot.last and robot.bound != robot.last
        if not over or report.idle or robot.quarantined:
            return
        reason = f"works on order {robot.last}, which was over"
        draft.robots[robot.id] = replace(draft.robot(robot.id), quarantined=reason)
        draft.call_back(robot.id, robot.last, draft.now + timedelta(seconds=10))
        text = f"Robot {robot.id} {reason}; it is stopped and out of service."
        draft.entries.append(self._entry("robot.quarantined", text, robot.id, {"reason": reason}))

    def _evidence(
        self, draft: Draft, robot: Robot, before: RobotReport | None, report: RobotReport
    ) -> None:
        """What the state means for the order that the robot is bound to."""
        attempt = self.kit.site.assignments.get(robot.bound) if robot.bound else None
        if attempt is None:
            return
        kept = self.kit.site.reports.get(robot.id)
        news: list[Event] = []
        if before is None and forgetful(report, kept, attempt, self.kit.policy):
            news.append(Unheard(order_id=attempt.order_id))
            attempt = replace(attempt, doubtful=True)
        event = read(report, before, attempt, draft.robot(robot.id).boots, kept)
        if event is not None:
            news.append(event)
        self.kit.add(draft, attempt.case_id, *news)

    def _link(self, report: LinkReport) -> Change:
        robot = self.kit.site.robots.get(report.robot_id)
        if robot is None:
            self.counters.unknown_robot += 1
            return Change()
        latest = self.latest.get(report.robot_id)
        # The will's time is that of connecting (always stale); a retained copy has unknown age.
        if report.retained and latest is not None:
            return Change()
        self.hearing.said(report)
        if robot.link is report.link:
            return Change()
        changed = replace(robot, link=report.link)
        text = f"Robot {robot.id}: connection {report.link.value}."
        note = self._entry("robot.link", text, robot.id, {"link": report.link.value})
        return Change(robots=(changed,), entries=(note,))

    def _introduce(self, report: Introduction) -> Change:
        known = self.kit.site.robots.get(report.robot_id)
        robot = known or Robot(
            id=report.robot_id,
            fleet=report.fleet,
            manufacturer=report.manufacturer,
            serial=report.serial,
        )
        capabilities = robot.capabilities if report.capabilities is None else report.capabilities
        changed = replace(
            robot, fleet=report.fleet, dialect=report.dialect, capabilities=capabilities
        )
        if changed == known:
            return Change()
        verb = "is known now" if known is None else "has a new factsheet"
        text = f"Robot {robot.id} {verb}: VDA 5050 {report.dialect}."
        data: dict[str, object] = {
            "dialect": report.dialect,
            "capabilities": sorted(capabilities),
        }
        return Change(
            robots=(changed,), entries=(self._entry("robot.known", text, robot.id, data),)
        )

    def _bad(self, report: BadMessage) -> Change:
        """Counted always, journalled once per robot and kind."""
        unlisted = report.kind == UNLISTED
        if unlisted:
            self.counters.unlisted += 1
        else:
            self.counters.bad += 1
        key = (report.robot_id, report.kind)
        if key in self.complained or len(self.complained) > 10_000:
            return Change()
        self.complained.add(key)
        text = f"A message of {report.robot_id or report.topic} can't be read: {report.detail}"
        if unlisted:
            text = f"{report.robot_id} speaks as a robot and is not heard: {report.detail}."
        data = {"kind": report.kind, "topic": report.topic, "size": report.size}
        action = "robot.unlisted" if unlisted else "robot.unreadable"
        note = self._entry(action, text[:500], report.robot_id, data)
        return Change(entries=(note,))

    def _from_future(self, report: RobotReport) -> Change:
        if report.reported_at <= report.received_at + AHEAD:
            return Change()
        self.counters.from_future += 1
        key = (report.robot_id, "future")
        if key in self.complained:
            return Change()
        self.complained.add(key)
        ahead = (report.reported_at - report.received_at).total_seconds()
        text = f"The clock of robot {report.robot_id} is {ahead:.0f} s ahead."
        return Change(entries=(self._entry("robot.clock", text, report.robot_id, {}),))

    def _suspect(self, robot: Robot) -> Change:
        """Ask a robot that is late how it is."""
        draft = self.kit.draft()
        draft.robots[robot.id] = replace(robot, presence=Presence.SUSPECT)
        try:
            draft.ask(robot.id, draft.now + timedelta(seconds=30))
        except Permanent:
            return draft.change()  # this dialect can't be asked; silence will tell
        return draft.change()

    def _gone(self, robot: Robot, age: float) -> Change:
        text = f"Robot {robot.id} is silent for {age:.0f} s."
        note = self._entry("robot.silent", text, robot.id, {"age_s": round(age, 1)})
        return Change(robots=(replace(robot, presence=Presence.SILENT),), entries=(note,))

    def _entry(self, action: str, text: str, robot_id: str, data: dict[str, object]) -> Entry:
        return Entry(
            action=action,
            at=self.kit.clock.now(),
            text=text,
            robot_id=robot_id,
            actor=f"robot:{robot_id}",
            data=data,
        )


def _same(before: RobotReport, report: RobotReport) -> bool:
    """Whether nothing changed that is worth a row."""
    return (
        before.order_id == report.order_id
        and before.nodes_left == report.nodes_left
        and before.mode == report.mode
        and before.e_stop == report.e_stop
        and before.paused == report.paused
        and before.charging == report.charging
        and before.last_node_id == report.last_node_id
        and before.errors == report.errors
        and before.actions == report.actions
        and _tenth(before.battery) == _tenth(report.battery)
    )


def _tenth(battery: float | None) -> int:
    return -1 if battery is None else int(battery // 10)
