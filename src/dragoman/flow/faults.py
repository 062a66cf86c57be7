"""Step 6: a robot's own fault opens a case at a desk, once, and closes it when it clears.

Called by the runtime after a robot's errors changed, and once a second for what time decides. A
fault that comes and goes is one fault: it has to last before it opens a case, and to be gone for a
while before that is closed. What was seen of it is kept in memory; a start begins the count anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.delivery import Delivery
from dragoman.domain.fault import Fault
from dragoman.domain.mapping import Outgoing
from dragoman.domain.robot import Robot, RobotError, RobotReport
from dragoman.flow.kit import Kit


@dataclass(slots=True)
class Sighting:
    """An error of a robot, since when it is there, and since when it is gone (None: it isn't)."""

    error: RobotError
    since: datetime
    gone: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Where faults go. levels: those that open a case. ignore: error types that never do.

    open_after: seconds that an error lasts before it opens a case; being away for less than that
    counts as lasting. settle_after: seconds that it is gone before its case is closed; if it is
    back before, that case goes on. seen: robot id → key → sighting. Errors that reference an order
    belong to that order's case and never open one of their own.
    """

    kit: Kit
    desk: str
    outgoing: Outgoing
    levels: frozenset[str]
    ignore: frozenset[str]
    open_after: float = 0.0
    settle_after: float = 0.0
    seen: dict[str, dict[str, Sighting]] = field(default_factory=dict)

    def follow(self, report: RobotReport) -> Change:
        """Take in a robot's errors; open what has lasted, settle what has cleared."""
        robot = self.kit.site.robots.get(report.robot_id)
        if robot is None:
            return Change()
        present = {key(error): error for error in report.errors if self._counts(error)}
        if not present and not robot.faults and robot.id not in self.seen:
            return Change()
        now = self.kit.clock.now()
        seen = self.seen.setdefault(robot.id, {})
        for name, error in present.items():
            sighting = seen.setdefault(name, Sighting(error, now))
            sighting.gone = None
        for name in robot.faults.keys() - seen.keys():  # open since before the start
            seen[name] = Sighting(RobotError(type=name, level=""), now)
        for name in seen.keys() - present.keys():
            seen[name].gone = seen[name].gone or now
        return self._decide(robot, seen, now)

    def passed(self) -> Change:
        """What the time that has passed decides, of robots that have said nothing since, too."""
        now = self.kit.clock.now()
        known = ((self.kit.site.robots.get(name), seen) for name, seen in tuple(self.seen.items()))
        return merged(*(self._decide(robot, seen, now) for robot, seen in known if robot))

    def _counts(self, error: RobotError) -> bool:
        about_order = any(name.lower() == "orderid" for name, _ in error.references)
        return error.level in self.levels and error.type not in self.ignore and not about_order

    def _decide(self, robot: Robot, seen: dict[str, Sighting], now: datetime) -> Change:
        lasting, quiet = timedelta(seconds=self.open_after), timedelta(seconds=self.settle_after)
        new = [
            one.error
            for name, one in seen.items()
            if name not in robot.faults and one.gone is None and now - one.since >= lasting
        ]
        over = [
            name
            for name, one in seen.items()
            if one.gone and now - one.gone >= (quiet if name in robot.faults else lasting)
        ]
        for name in over:
            del seen[name]
        if not seen:
            self.seen.pop(robot.id, None)
        gone = [name for name in over if name in robot.faults]
        return self._change(robot, new, gone) if new or gone else Change()

    def _change(self, robot: Robot, new: Iterable[RobotError], gone: Iterable[str]) -> Change:
        faults = dict(robot.faults)
        changes = []
        for error in new:
            fault = Fault(
                id=self.kit.clock.new_id(),
                robot_id=robot.id,
                key=key(error),
                desk=self.desk,
                level=error.level,
                description=error.description,
                raised_at=self.kit.clock.now(),
            )
            faults[fault.key] = fault.id
            changes.append(self._told(fault, "create", "robot.fault", "has a fault"))
        for name in gone:
            known = self.kit.site.faults.get(faults.pop(name))
            if known is not None:
                cleared = replace(known, cleared_at=self.kit.clock.now())
                changes.append(
                    self._told(cleared, "settle", "robot.fault_cleared", "is free of the fault")
                )
        return merged(Change(robots=(replace(robot, faults=faults),)), *changes)

    def _told(self, fault: Fault, verb: str, action: str, says: str) -> Change:
        now = self.kit.clock.now()
        note = Entry(
            action=action,
            at=now,
            text=f"Robot {fault.robot_id} {says} {fault.key}.",
            robot_id=fault.robot_id,
            desk=self.desk,
            actor=f"robot:{fault.robot_id}",
            data={"fault": fault.id, "level": fault.level, "description": fault.description},
        )
        payload = self.outgoing.render_fault(fault)
        if payload is None:
            return Change(entries=(note,), faults=(fault,))
        delivery = Delivery(
            id=self.kit.clock.new_id(),
            target=f"desk:{self.desk}",
            lane=fault.id,
            verb=verb,
            payload=payload,
            created_at=now,
        )
        return Change(entries=(note,), faults=(fault,), deliveries=(delivery,))


def key(error: RobotError) -> str:
    """What makes it the same fault: its type. References may change with every state."""
    return error.type
