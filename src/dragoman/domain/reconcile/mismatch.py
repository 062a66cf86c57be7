"""What a mismatch is, and the rules by which it counts and is mended. Used all over reconcile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from json import dumps
from typing import Literal


class Kind(StrEnum):
    """How two sides disagree.

    MISSING: one side has work that the other never got (an open record without a case, an order
    that its robot doesn't have). STALE: one side has not taken what is newer on the other.
    CONFLICTING: both say something else of the same thing, and neither is simply behind. ORPHAN:
    the counterpart is gone (a case without a record, a robot at work for no case). DUPLICATE: two
    for one. UNREACHABLE: one side can't be read, which is unknown, and not consistent.
    """

    MISSING = "missing"
    STALE = "stale"
    CONFLICTING = "conflicting"
    ORPHAN = "orphan"
    DUPLICATE = "duplicate"
    UNREACHABLE = "unreachable"


class Side(StrEnum):
    """With whom the gateway disagrees."""

    DESK = "desk"
    ROBOT = "robot"


class Mend(StrEnum):
    """What the rules say to do about it.

    FETCH: take in the desk's news. WRITE: write our fields again. OUTBOX: the write is on its way
    already. CALL_OFF: call the case off, or hold it, as configured. EVIDENCE: draw the conclusion
    from the robot's last state. STOP: stop an order that is over. PERSON: no rule helps. NONE:
    nothing to do but look again.
    """

    FETCH = "fetch"
    WRITE = "write"
    OUTBOX = "outbox"
    CALL_OFF = "call_off"
    EVIDENCE = "evidence"
    STOP = "stop"
    PERSON = "person"
    NONE = "none"


Whose = Literal["ours", "theirs", "ask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How long news may take, and who wins. Set by `[reconcile]`. Durations in seconds.

    grace_s: the propagation grace; nothing counts that doesn't outlive it. heal_within_s: a
    mismatch that no rule mended by then waits for a person. left: what happens to a case whose
    record is gone or has left the desk's filter. most_called_off: so many cases are called off or
    held in one look at most; more at once look like lost rights or a wrong filter, and wait for a
    person. fields: the desk's field → whose value counts when somebody else changed it after us;
    `theirs` if it isn't named.
    """

    grace_s: float = 30.0
    heal_within_s: float = 300.0
    left: Literal["cancel", "hold", "ask"] = "cancel"
    most_called_off: int = 10
    fields: Mapping[str, Whose] = field(default_factory=dict)

    @property
    def grace(self) -> timedelta:
        """`grace_s` as a duration."""
        return timedelta(seconds=self.grace_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One disagreement, as seen in one look.

    key: what it is about, `DESK/EXTERNAL ID` or `ROBOT ID`; whatever is wrong with one key is one
    error. target: `desk:NAME` or `fleet:NAME`. ours, theirs: digests of both sides' projections.
    fields: name → (here, there), for people. since: since when it may be so, if that can be told.
    """

    side: Side
    kind: Kind
    mend: Mend
    target: str
    key: str
    text: str
    ours: str
    theirs: str = ""
    external_id: str = ""
    case_id: str = ""
    order_id: str = ""
    robot_id: str = ""
    trace_id: str = ""
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    since: datetime | None = None

    @property
    def row(self) -> tuple[str, str]:
        """(target, lane) under which the journal keeps it: `reconcile.desk:NAME` and the key."""
        return (f"{row_prefix(self.side)}{self.target.partition(':')[2]}", self.key)

    @property
    def digest(self) -> str:
        """Equal for the same disagreement over the same values."""
        return digest({"kind": self.kind, "ours": self.ours, "theirs": self.theirs})

    def payload(self) -> dict[str, object]:
        """The JSON-ready form in which it is kept and told."""
        return {
            "side": self.side.value,
            "kind": self.kind.value,
            "mend": self.mend.value,
            "key": self.key,
            "external_id": self.external_id,
            "robot_id": self.robot_id,
            "fields": {name: list(pair) for name, pair in sorted(self.fields.items())},
            "digest": self.digest,
        }


def row_prefix(side: Side) -> str:
    """How the targets of kept mismatches of a side begin; the desk's or fleet's name follows."""
    return f"reconcile.{side.value}:"


def digest(projection: Mapping[str, str]) -> str:
    """The hash of a projection: SHA-256 over its canonical JSON, the first 128 bits in hex."""
    text = dumps(dict(projection), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:32]
