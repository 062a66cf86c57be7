"""What the desk and the robots say, followed while it happens. The gateway isn't asked.

Used by `run` for the progress, by `chaos` and `person` to see how things stand, and at the end by
`figures`. The desk tells by the ledger of all writes, the robots by their report file.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dragoman.testing.faults.accounts import CALLED_OFF, RESOLVED
from dragoman.testing.robots.ledger import Acknowledgement, Execution, Outcome, read_line
from dragoman.testing.servicenow.remote import RemoteDesk

WAITING = frozenset({"held", "uncertain", "failed", "rejected"})
"""Statuses by which the desk was told that a person has to act."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """One case, as the desk and the robots have it. written: (time, u_robot_status, u_order,
    state) of each write of the gateway; what a write left alone is "".
    """

    number: str
    sys_id: str
    title: str
    location: str
    created_at: datetime
    state: str = "1"
    robot: str = ""
    status: str = ""
    reason: str = ""
    written: list[tuple[datetime, str, str, str]] = field(default_factory=list)
    executions: dict[tuple[str, datetime], Execution] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        """Over, at the desk."""
        return self.state in RESOLVED or self.state == CALLED_OFF

    @property
    def waiting(self) -> bool:
        """Open, and the desk knows that a person has to act."""
        return not self.closed and self.status in WAITING

    def outcomes(self) -> Counter[Outcome]:
        """How the robots' executions of it stand."""
        return Counter(execution.outcome for execution in self.executions.values())


class Watch:
    """Follows both. gateway: its user name at the desk. events: sentences not told yet."""

    def __init__(self, desk: RemoteDesk, report: Path, gateway: str) -> None:
        self.cases: dict[str, Seen] = {}
        self.acknowledged: dict[str, Acknowledgement] = {}
        self.ledger: list[dict[str, Any]] = []
        self.events: list[str] = []
        self._desk = desk
        self._report = report
        self._gateway = gateway
        self._offset = 0
        self._early: list[Execution] = []
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Take in what is new. Callers take turns, or one entry would be taken twice."""
        async with self._looking:
            for entry in await self._desk.ledger(after=len(self.ledger)):
                self.ledger.append(entry)
                self._written(entry)
            early, self._early = self._early, []
            for execution in early:
                self._execution(execution)
            self._read_report()

    def count(self) -> dict[str, int]:
        """Cases by how far they are; a later stage counts for the earlier ones too."""
        seen = self.cases.values()
        outcomes = [case.outcomes() for case in seen]
        return {
            "created": len(self.cases),
            "assigned": sum(bool(case.robot) for case in seen),
            "executing": sum(bool(found) for found in outcomes),
            "done": sum(found[Outcome.FINISHED] > 0 for found in outcomes),
            "closed": sum(case.closed for case in seen),
        }

    def busy(self) -> set[str]:
        """Robots at work, by their ids."""
        return {e.robot_id for e in self.executions() if e.outcome is Outcome.RUNNING}

    def executions(self) -> list[Execution]:
        """All of them, as last told."""
        found = [e for case in self.cases.values() for e in case.executions.values()]
        return [*found, *self._early]

    def _written(self, entry: Mapping[str, Any]) -> None:
        if entry["table"] != "incident":
            return
        changed, number = entry["changed"], entry["number"]
        at = datetime.fromisoformat(entry["time"])
        if entry["operation"] == "insert" and entry["user"] != self._gateway:
            self.cases[number] = Seen(
                number=number,
                sys_id=entry["sys_id"],
                title=changed.get("short_description", ""),
                location=str(entry["sent"].get("location", "")),
                created_at=at,
            )
            return
        case = self.cases.get(number)
        if case is None:
            return
        was_closed = case.closed
        case.state = changed.get("state", case.state)
        if entry["user"] == self._gateway:
            case.robot = changed.get("u_robot", case.robot)
            case.status = changed.get("u_robot_status", case.status)
            case.reason = changed.get("work_notes", case.reason)
            sent = entry["sent"]
            told = str(sent.get("u_robot_status", "")), str(sent.get("u_order", ""))
            case.written.append((at, *told, changed.get("state", "")))
        if case.closed and not was_closed:
            self.events.append(f"{number} is closed at the desk ({case.title})")
        elif case.waiting and "u_robot_status" in changed:
            self.events.append(f"{number} waits for a person: {_short(case.reason)}")

    def _read_report(self) -> None:
        if not self._report.exists():
            return
        with self._report.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode().splitlines():
            record = read_line(line)
            if isinstance(record, Acknowledgement):
                self.acknowledged.setdefault(record.order_id, record)
            else:
                self._execution(record)

    def _execution(self, execution: Execution) -> None:
        case = self.cases.get(execution.case_ref)
        if case is None:
            self._early.append(execution)
            return
        case.executions[execution.order_id, execution.started_at] = execution
        robot = execution.robot_id.rpartition("/")[2]
        where = f"{case.number} at {case.location}"
        match execution.outcome:
            case Outcome.RUNNING:
                self.events.append(f"{robot} works on {where}: {case.title}")
            case Outcome.FINISHED:
                self.events.append(f"{robot} has finished {where}")
            case _:
                self.events.append(f"{robot}: {where} {execution.outcome}")


def _short(text: str) -> str:
    return " ".join(text.split())[:160]
