"""What can happen to a case. The inputs of domain/lifecycle, each a frozen value.

They come from the desk (flow/intake), the choice of robots (flow/assign), the outbox
(flow/dispatch, flow/writeback), the robot (flow/track), the timer and the start (flow/recover) and
people (flow/operate).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dragoman.domain.case import CaseDraft
from dragoman.domain.order import Order
from dragoman.domain.robot import RobotReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The desk's record changed. fields: which mapped-in fields differ."""

    draft: CaseDraft
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledOff:
    """The desk, or a person, no longer wants the work. actor as in Entry."""

    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A robot was chosen. boots: how often it is known to have restarted so far. decision:
    candidates' costs and exclusions, for the journal.
    """

    order: Order
    expected_s: float
    repeatable: bool = False
    boots: int = 0
    decision: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaceable:
    """No mission or place fits the case: a person has to mend it. reason names the field."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOut:
    """The order was handed to the broker. again: an earlier copy may have been, too."""

    order_id: str
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsendable:
    """The order can never go out as it is. maybe_out: an earlier copy may have."""

    order_id: str
    reason: str
    maybe_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The robot's state echoes our order."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The robot drives or acts for our order."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The robot got further. where: last node and action statuses, for people."""

    order_id: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """All of the order is done."""

    order_id: str
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFailed:
    """The robot ended the order with a failed action, or can't go on. over: it stands still."""

    order_id: str
    reason: str
    over: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The robot rejected the order and never had it."""

    order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The robot had the order and shows now that it hasn't (reboot, manual mode, foreign order)."""

    order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A robot with an uncertain order speaks again, without showing that order."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The robot is known not to execute the order any more: its own word, or a person's.

    undone: and that it has not finished it either.
    """

    order_id: str
    proof: str
    undone: bool = True
    actor: str = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The deadline of the case's present state has passed. detail: what is known of the cause.

    unsent: its order still waits in the outbox, and has certainly never left it.
    """

    detail: str = ""
    unsent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStarted:
    """The gateway was away, so that nobody could be heard or told anything.

    heard: the last state in the journal of the robot that is bound to the case.
    """

    heard: RobotReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """The robot is first heard so long after the order that it may have done and forgotten it."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshown:
    """The first state of a robot since the gateway's start doesn't show the order that was sent."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A person wants the case to wait."""

    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A person sends a held case on its way again."""

    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign:
    """A person wants another robot for the case."""

    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The desk has taken the final status, or nothing had to be told. how: which of them."""

    how: str


Event = (
    Edited
    | CalledOff
    | Chosen
    | Unplaceable
    | OrderOut
    | Unsendable
    | Accepted
    | Started
    | Progressed
    | Finished
    | WorkFailed
    | Refused
    | Lost
    | Returned
    | Stopped
    | Due
    | GatewayStarted
    | Unheard
    | Unshown
    | Hold
    | Release
    | Reassign
    | Confirmed
)
