"""Step 6: a robot's own fault opens a case at a desk, once, and closes it when it clears.

Called by the runtime after a robot's errors changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.delivery import Delivery
from dragoman.domain.fault import Fault
from dragoman.domain.mapping import Outgoing
from dragoman.domain.robot import Robot, RobotError, RobotReport
from dragoman.flow.kit import Kit


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Where faults go. levels: those that open a case. ignore: error types that never do.

    Errors that reference an order belong to that order's case and never open one of their own.
    """

    kit: Kit
    desk: str
    outgoing: Outgoing
    levels: frozenset[str]
    ignore: frozenset[str]

    def follow(self, report: RobotReport) -> Change:
        """Open what is new, settle what has cleared."""
        robot = self.kit.site.robots.get(report.robot_id)
        if robot is None:
            return Change()
        present = {key(error): error for error in report.errors if self._counts(error)}
        if not present and not robot.faults:
            return Change()
        new = [error for name, error in present.items() if name not in robot.faults]
        gone = {name: i for name, i in robot.faults.items() if name not in present}
        if not new and not gone:
            return Change()
        return self._change(robot, new, gone)

    def _counts(self, error: RobotError) -> bool:
        about_order = any(name.lower() == "orderid" for name, _ in error.references)
        return error.level in self.levels and error.type not in self.ignore and not about_order

    def _change(self, robot: Robot, new: list[RobotError], gone: Mapping[str, str]) -> Change:
        faults = {name: i for name, i in robot.faults.items() if name not in gone}
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
        for fault_id in gone.values():
            known = self.kit.site.faults.get(fault_id)
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
    """What makes it the same fault: its type and references."""
    references = ",".join(f"{name}={value}" for name, value in sorted(error.references))
    return f"{error.type}({references})" if references else error.type
