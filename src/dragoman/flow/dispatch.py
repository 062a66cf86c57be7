"""Step 3: orders and cancellations leave for the robots.

Called by the runtime's courier for each delivery towards a fleet, in order per robot.
"""

from dragoman.domain.change import Change, Entry, merged
from dragoman.domain.delivery import Delivery, dropped
from dragoman.domain.errors import Permanent, RetryLater, Unsent
from dragoman.domain.events import OrderOut, Unsendable
from dragoman.flow.kit import Kit
from dragoman.ports.fleet import Fleet, Parcel


async def send(kit: Kit, fleet: Fleet, delivery: Delivery) -> Change:
    """Hand the parcel to the broker; the change that follows from its being out.

    Raises Unsent if it did not go out. What can never go out is given up, and its case told: a
    dead letter would wait for a person, and with it the robot.
    """
    parcel = Parcel(
        topic=str(delivery.payload["topic"]), body=str(delivery.payload["body"]), header=""
    )
    try:
        await fleet.send(parcel)
    except RetryLater as error:  # by the port's word it certainly did not go out
        raise Unsent(error.text, delay_s=error.delay_s, field=error.field) from error
    except Permanent as error:
        return _given_up(kit, delivery, error)
    if delivery.verb != "order":
        return Change()
    again = delivery.attempts > 0
    return kit.move(delivery.case_id, OrderOut(order_id=delivery.order_id, again=again))


def _given_up(kit: Kit, delivery: Delivery, error: Permanent) -> Change:
    now = kit.clock.now()
    note = Entry(
        action="delivery.dropped",
        at=now,
        text=f"{delivery.verb} to robot {delivery.lane} can't go out: {error}"[:2000],
        case_id=delivery.case_id,
        order_id=delivery.order_id,
        robot_id=delivery.lane,
        trace_id=delivery.trace_id,
        data={"target": delivery.target, "delivery": delivery.id},
    )
    gone = Change(deliveries=(dropped(delivery, str(error), now),), entries=(note,))
    if delivery.verb != "order":
        return gone
    maybe_out = delivery.attempts > 0
    event = Unsendable(order_id=delivery.order_id, reason=str(error), maybe_out=maybe_out)
    return merged(gone, kit.move(delivery.case_id, event))
