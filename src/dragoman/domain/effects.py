"""What a transition wants done outside: values only. domain/outbox.py turns them into rows."""

from dataclasses import dataclass
from datetime import datetime

from dragoman.domain.order import Order
from dragoman.domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Tell the desk and the feeds."""

    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """The robot belongs to this order from now on."""

    robot_id: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """The robot is free for other work. done: it finished the order.

    rest: it did not answer, so it gets no other order until the cool-down is over.
    """

    robot_id: str
    order_id: str
    done: bool = False
    rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOrder:
    """Send the order, or send the identical bytes again. not_after: too late by then."""

    order: Order
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishCancel:
    """Send cancelOrder under this action id. not_after: the next one is due by then."""

    robot_id: str
    order_id: str
    action_id: str
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Take back what still waits in the outbox for this order."""

    robot_id: str
    order_id: str
    reason: str


Effect = Tell | Bind | Free | PublishOrder | PublishCancel | Withdraw
