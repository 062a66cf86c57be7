"""What the other sides are told: one status of one case, for desk fields and for feeds.

Made by domain/lifecycle.py as an effect; rendered by domain/mapping.py for a desk and as a
CloudEvent for feeds.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dragoman.domain.case import Case


class Told(StrEnum):
    """The statuses that a mapping can react to: `[desks.NAME.write.<status>]` in the config."""

    QUEUED = "queued"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    EXECUTING = "executing"
    STOPPING = "stopping"
    REQUEUED = "requeued"
    UNCERTAIN = "uncertain"
    HELD = "held"
    REMINDER = "reminder"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


FINAL = frozenset({Told.DONE, Told.FAILED, Told.CANCELLED, Told.REJECTED})
"""Once the desk has taken one of these, the case is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One thing to tell about a case. case: as it is after the step that told it."""

    told: Told
    at: datetime
    case: Case
    robot_id: str = ""
    order_id: str = ""
    reason: str = ""
    result: str = ""
