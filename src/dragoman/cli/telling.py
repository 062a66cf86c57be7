"""What a desk would be told of a case at each status, by its mapping and with sample values.

Used by `dragoman desk try` and `dragoman map preview`. What the record says is taken from it; a
robot, an order, a reason and a result are made up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dragoman.config.model import DeskTable
from dragoman.domain.case import Case, CaseDraft, CaseState
from dragoman.domain.fault import Fault
from dragoman.domain.lifecycle import open_case
from dragoman.domain.mapping import FAULT, FAULT_CLEARED, Update, fault_values, status_values
from dragoman.domain.status import Status, Told

SAMPLE = "a dry run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One status. payload: as `Outgoing.render` gives it. empty: placeholders without a value."""

    payload: Mapping[str, Any]
    empty: tuple[str, ...]


def tellings(table: DeskTable, desk: str, draft: CaseDraft, now: datetime) -> dict[str, Telling]:
    """Status → what is told, for those that the mapping tells."""
    case = open_case("dry-run-case", desk, draft, "0" * 31 + "1", now)
    case = replace(case, state=CaseState.EXECUTING, order_id="dry-run-order", attempts=1)
    values = {told.value: status_values(_status(told, case, now)) for told in Told}
    fault = _fault(desk, now)
    values[FAULT] = fault_values(fault)
    values[FAULT_CLEARED] = fault_values(replace(fault, cleared_at=now, number="dry-run"))
    found: dict[str, Telling] = {}
    for status, filled in values.items():
        update = table.outgoing.updates.get(status)
        payload = None if update is None else update.fill(filled)
        if update is not None and payload is not None:
            empty = tuple(name for name in _names(update) if not filled.get(name))
            found[status] = Telling(payload=payload, empty=empty)
    return found


def _names(update: Update) -> dict[str, None]:
    """The placeholders that an update uses, each once."""
    texts = [update.comment, update.note, *(one.value for one in update.fields.values())]
    return dict.fromkeys(name for text in texts if text is not None for name in text.names)


def _status(told: Told, case: Case, now: datetime) -> Status:
    return Status(
        told=told,
        at=now,
        case=case,
        robot_id="robot-1",
        order_id="dry-run-order",
        reason=SAMPLE,
        result=SAMPLE,
    )


def _fault(desk: str, now: datetime) -> Fault:
    return Fault(
        id="dry-run-fault",
        robot_id="robot-1",
        key="sample-error",
        desk=desk,
        level="FATAL",
        description=SAMPLE,
        raised_at=now,
    )
