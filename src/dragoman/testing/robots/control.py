"""One line of text, one thing done to a running fleet: how fault and demo runs drive robots.

Used by `__main__.py`, which reads the lines from its standard input and answers each with one
line of JSON. ROBOT is a serial, or `*` for all.

    misbehave ROBOT SWITCH[=VALUE] …   add switches (misbehaviour.py): silent reject=orderError
    behave ROBOT                       end all misbehaviour
    reboot ROBOT [SECONDS]             restart, away for so long
    drop ROBOT [SECONDS]               lose the connection for so long
    garbage ROBOT KIND                 publish json, huge, foreign, schema or future garbage
    status                             count executions and acknowledgements
"""

from collections import Counter
from typing import Any

from dragoman.testing.robots.fleet import RobotFleet
from dragoman.testing.robots.misbehaviour import BEHAVED, Garbage, parse
from dragoman.testing.robots.robot import Robot


def obey(line: str, fleet: RobotFleet) -> dict[str, Any]:
    """Do what a line says; return the answer. Raises ValueError that tells what is wrong."""
    words = line.split()
    if words == ["status"]:
        return _status(fleet)
    if len(words) < 2:
        raise ValueError(f"{line!r} isn't `COMMAND ROBOT …`")
    command, who, *rest = words
    robots = list(fleet.robots.values()) if who == "*" else [_find(who, fleet)]
    for robot in robots:
        _do(command, robot, rest)
    return {"ok": command, "robots": len(robots)}


def _find(serial: str, fleet: RobotFleet) -> Robot:
    if serial not in fleet.robots:
        raise ValueError(f"no robot {serial!r}; there are {', '.join(list(fleet.robots)[:20])} …")
    return fleet.robots[serial]


def _do(command: str, robot: Robot, rest: list[str]) -> None:
    if command == "misbehave":
        robot.misbehave(parse(rest, robot.vehicle.misbehaviour))
    elif command == "behave":
        robot.misbehave(BEHAVED)
    elif command == "reboot":
        robot.reboot(away_s=float(rest[0]) if rest else 0.5)
    elif command == "drop":
        robot.drop_connection(away_s=float(rest[0]) if rest else 0.5)
    elif command == "garbage":
        robot.garbage(Garbage(rest[0] if rest else ""))
    else:
        raise ValueError(
            f"no command {command!r}; there are misbehave, behave, reboot, drop, garbage, status"
        )


def _status(fleet: RobotFleet) -> dict[str, Any]:
    outcomes = Counter(str(execution.outcome) for execution in fleet.executions())
    unsent = sum(robot.unsent for robot in fleet.robots.values())
    return {
        "ok": "status",
        "robots": len(fleet.robots),
        "executions": dict(outcomes),
        "acknowledged": len(fleet.acknowledgements()),
        "unsent": unsent,
    }
