"""How things are said, as configured: implements domain/outbox.Outlets over the adapters.

Made by bootstrap.py. Composes only; nothing leaves from here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dragoman.domain.errors import Permanent
from dragoman.domain.mapping import Outgoing
from dragoman.domain.order import Order
from dragoman.domain.outbox import Composed
from dragoman.domain.robot import Robot
from dragoman.domain.status import Status
from dragoman.ports.fleet import AskState, CancelOrder, Command, Fleet, SendOrder

EventOf = Callable[[Status, str], Mapping[str, object]]
"""(status, event id) → CloudEvent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredOutlets:
    """fleets: by name. desks: the outgoing mapping by desk name. feeds: the names of all feeds.

    What is for a robot of another fleet raises Permanent.
    """

    fleets: Mapping[str, Fleet]
    desks: Mapping[str, Outgoing]
    feed_names: Sequence[str]
    event_of: EventOf

    def order(self, order: Order, robot: Robot, now: datetime) -> Composed:
        """The order in the robot's dialect."""
        return self._compose(SendOrder(order=order), robot, now)

    def cancel(self, order_id: str, action_id: str, robot: Robot, now: datetime) -> Composed:
        """The cancellation in the robot's dialect."""
        return self._compose(CancelOrder(order_id=order_id, action_id=action_id), robot, now)

    def ask_state(self, action_id: str, robot: Robot, now: datetime) -> Composed:
        """The question for its state in the robot's dialect."""
        return self._compose(AskState(action_id=action_id), robot, now)

    def desk(self, status: Status) -> Mapping[str, object] | None:
        """The desk's fields and comments for this status."""
        outgoing = self.desks.get(status.case.desk)
        return None if outgoing is None else outgoing.render(status)

    def feeds(self, status: Status, event_id: str) -> Sequence[tuple[str, Mapping[str, object]]]:
        """The same CloudEvent for every feed."""
        if not self.feed_names:
            return ()
        event = self.event_of(status, event_id)
        return tuple((name, event) for name in self.feed_names)

    def _compose(self, command: Command, robot: Robot, now: datetime) -> Composed:
        fleet = self.fleets.get(robot.fleet)
        if fleet is None:
            raise Permanent(
                "there is no fleet of this name in the configuration",
                field="fleets",
                value=robot.fleet,
                mend=f"configure [fleets.{robot.fleet}] again to reach its robots",
            )
        parcel = fleet.compose(command, robot, now)
        payload = {"topic": parcel.topic, "body": parcel.body}
        return Composed(payload=payload, header=parcel.header)
