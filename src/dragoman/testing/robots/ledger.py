"""The witness: what a vehicle really did, kept apart from what it told the gateway.

`Vehicle` writes it, whatever lies its states tell; fault and demo runs read it (`RobotFleet`,
`load_report`) to count lost and doubled cases independently of the gateway.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class Outcome(StrEnum):
    """How an execution ended."""

    RUNNING = "running"
    FINISHED = "finished"
    """All nodes reached, all actions FINISHED."""
    FAILED = "failed"
    """All nodes reached, an action FAILED."""
    CANCELLED = "cancelled"
    """Stopped by cancelOrder."""
    LOST = "lost"
    """Dropped by the vehicle itself: restart, or a mode in which it takes no orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One order that a vehicle began. case_ref: the value of an action parameter named "case",
    else the order id. finished_at is None while it runs."""

    robot_id: str
    order_id: str
    case_ref: str
    started_at: datetime
    finished_at: datetime | None = None
    outcome: Outcome = Outcome.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The first state that left the vehicle with this orderId and orderUpdateId in it."""

    robot_id: str
    order_id: str
    update_id: int
    at: datetime


Witness = Callable[[Execution | Acknowledgement], None]
"""Told of each acknowledgement, and of each execution as it starts and as it ends."""


class Ledger:
    """What one vehicle did. witness: told of everything as it is written."""

    def __init__(self, robot_id: str, witness: Witness | None = None) -> None:
        self._robot_id = robot_id
        self._witness = witness
        self._current: int | None = None
        self.executions: list[Execution] = []
        self.acknowledgements: dict[tuple[str, int], Acknowledgement] = {}

    def start(self, order_id: str, case_ref: str, now: datetime) -> None:
        """An order begins."""
        self._current = len(self.executions)
        self.executions.append(
            Execution(robot_id=self._robot_id, order_id=order_id, case_ref=case_ref, started_at=now)
        )
        self._tell(self.executions[-1])

    def reopen(self) -> None:
        """The order that ended last goes on by an update (VDA 5050 6.6.2, question 8)."""
        self._current = len(self.executions) - 1
        last = self.executions[-1]
        self.executions[-1] = replace(last, finished_at=None, outcome=Outcome.RUNNING)
        self._tell(self.executions[-1])

    def end(self, outcome: Outcome, now: datetime) -> None:
        """The order in work ends; nothing happens without one."""
        if self._current is None:
            return
        ended = replace(self.executions[self._current], finished_at=now, outcome=outcome)
        self.executions[self._current] = ended
        self._current = None
        self._tell(ended)

    def acknowledge(self, order_id: str, update_id: int, now: datetime) -> None:
        """A state with this order has left the vehicle."""
        if not order_id or (order_id, update_id) in self.acknowledgements:
            return
        first = Acknowledgement(
            robot_id=self._robot_id, order_id=order_id, update_id=update_id, at=now
        )
        self.acknowledgements[order_id, update_id] = first
        self._tell(first)

    def _tell(self, record: Execution | Acknowledgement) -> None:
        if self._witness is not None:
            self._witness(record)


def to_line(record: Execution | Acknowledgement) -> str:
    """One line of a report file, JSON."""
    kind = "execution" if isinstance(record, Execution) else "acknowledgement"
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return json.dumps({"kind": kind, **fields}, default=datetime.isoformat)


def read_line(line: str) -> Execution | Acknowledgement:
    """One line of a report file. Raises ValueError for a bad one."""
    fields: dict[str, Any] = json.loads(line)
    kind = fields.pop("kind")
    for name in ("started_at", "finished_at", "at"):
        if fields.get(name):
            fields[name] = datetime.fromisoformat(fields[name])
    if kind == "acknowledgement":
        return Acknowledgement(**fields)
    fields["outcome"] = Outcome(fields["outcome"])
    return Execution(**fields)


def load_report(path: Path) -> tuple[list[Execution], list[Acknowledgement]]:
    """Read a report file: each execution once, as last told, and the acknowledgements.

    A last line that was cut off by a kill is left out. Raises ValueError for any other bad line.
    """
    executions: dict[tuple[str, str, str], Execution] = {}
    acknowledgements: list[Acknowledgement] = []
    text = path.read_text("utf-8")
    for line in text[: text.rfind("\n") + 1].splitlines():
        record = read_line(line)
        if isinstance(record, Acknowledgement):
            acknowledgements.append(record)
        else:
            executions[record.robot_id, record.order_id, record.started_at.isoformat()] = record
    return list(executions.values()), acknowledgements
