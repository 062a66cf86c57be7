"""A case: one piece of work that a desk asks for, and what Dragoman knows about it.

A `CaseDraft` is what a desk's record says, read through the field mapping; a `Case` is the
gateway's own value of it, changed only by domain/lifecycle.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class CaseState(StrEnum):
    """Where a case stands. See domain/lifecycle.py for the allowed moves."""

    RECEIVED = "received"
    QUEUED = "queued"
    ASSIGNED = "assigned"
    ORDERED = "ordered"
    ACCEPTED = "accepted"
    EXECUTING = "executing"
    STOPPING = "stopping"
    UNCERTAIN = "uncertain"
    HELD = "held"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    CLOSED = "closed"


WORKING = frozenset(
    {
        CaseState.ASSIGNED,
        CaseState.ORDERED,
        CaseState.ACCEPTED,
        CaseState.EXECUTING,
        CaseState.STOPPING,
        CaseState.UNCERTAIN,
    }
)
"""States in which an order may be out at a robot, so that the robot stays bound to the case."""

ENDED = frozenset({CaseState.DONE, CaseState.FAILED, CaseState.CANCELLED, CaseState.REJECTED})
"""The work is over; the desk has still to confirm it, then the case is closed."""


class DeskPhase(StrEnum):
    """What the desk says of its own record, whatever its state model calls it."""

    OPEN = "open"
    CANCELLED = "cancelled"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDraft:
    """One reading of a desk's record, through the mapping.

    external_id: the desk's immutable id. number: what people call it (INC0010001). version: the
    desk's version token of this reading (update count, ETag, last update), compared for equality
    only. priority: 1 (highest) to 5. opened_at, updated_at: by the desk's clock.
    """

    external_id: str
    number: str
    version: str
    kind: str
    title: str
    priority: int
    location: str
    opened_at: datetime
    updated_at: datetime
    phase: DeskPhase = DeskPhase.OPEN
    due_by: datetime | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case in the gateway: identity, what is asked, where it stands, and its one deadline.

    due_at: when the present state ends by itself (G3: every state but CLOSED has one); what
    happens then depends on the state alone. excluded: robot id → why not that robot again.
    order_id: the order of the present attempt, or "". attempts counts them all, so that order ids
    never repeat; forgiven: those before a person's release, which no longer count against the
    limit. perhaps_done: a robot did the work, or may have, so that only a person's word has it done
    again. trace_id: 32 hex digits (W3C trace context).
    """

    id: str
    desk: str
    external_id: str
    number: str
    kind: str
    title: str
    priority: int
    location: str
    opened_at: datetime
    received_at: datetime
    trace_id: str
    state: CaseState
    since: datetime
    due_at: datetime | None
    version: str = ""
    desk_updated_at: datetime | None = None
    due_by: datetime | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    order_id: str = ""
    attempts: int = 0
    forgiven: int = 0
    excluded: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    outcome: CaseState | None = None
    reminders: int = 0
    perhaps_done: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """The identity at the desk: (desk, external id)."""
        return (self.desk, self.external_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCase:
    """What is remembered for ever of a case that is over, so that no record becomes a case twice.

    The journal keeps it when retention moves the case to an archive file. version and
    desk_updated_at: of the desk's record as the case last knew it.
    """

    desk: str
    external_id: str
    case_id: str
    number: str
    outcome: CaseState | None = None
    version: str = ""
    desk_updated_at: datetime | None = None

    @classmethod
    def of(cls, case: Case) -> "PastCase":
        """Of a case that is over."""
        return cls(
            desk=case.desk,
            external_id=case.external_id,
            case_id=case.id,
            number=case.number,
            outcome=case.outcome,
            version=case.version,
            desk_updated_at=case.desk_updated_at,
        )
