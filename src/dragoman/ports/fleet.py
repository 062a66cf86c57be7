"""A fleet of robots behind one connection. Adapters: fleets/<dialect>/."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dragoman.domain.order import Order
from dragoman.domain.robot import FleetReport, Robot


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOrder:
    """Give the robot this order."""

    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Tell the robot to stop this order. action_id: the id under which it will report."""

    order_id: str
    action_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskState:
    """Ask the robot to say at once how it is. action_id: the id under which it will report."""

    action_id: str


Command = SendOrder | CancelOrder | AskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A message ready for the wire. The journal keeps it, so a repeat has identical bytes.

    header: the topic kind whose header counter it used (the caller stores it in Robot.headers).
    """

    topic: str
    body: str
    header: str


class Fleet(Protocol):
    """The commands go out as parcels; what robots say comes in through the sink, in order."""

    @property
    def connected(self) -> bool:
        """Whether commands can leave now: no robot is chosen of a fleet that isn't connected."""
        ...

    async def start(self, sink: Callable[[FleetReport], None]) -> None:
        """Connect and deliver reports to `sink` (synchronous, must not block) until `stop`.

        Returns at once when the broker can't be reached and goes on trying.
        """
        ...

    def compose(self, command: Command, robot: Robot, now: datetime) -> Parcel:
        """Build the message, valid by the official schema of the robot's dialect.

        Uses the next header id of `robot.headers`. Pure. Raises Permanent if it can't be said.
        """
        ...

    async def send(self, parcel: Parcel) -> None:
        """Hand a parcel to the broker.

        Raises RetryLater if it certainly did not go out now, Permanent if it never can.
        """
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...
