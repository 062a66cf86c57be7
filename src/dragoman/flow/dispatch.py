"""Step 3: orders and cancellations leave for the robots.

Called by the runtime's courier for each delivery towards a fleet, in order per robot.
"""

from dragoman.domain.change import Change
from dragoman.domain.delivery import Delivery
from dragoman.domain.errors import RetryLater, Unsent
from dragoman.domain.events import OrderOut
from dragoman.flow.kit import Kit
from dragoman.ports.fleet import Fleet, Parcel


async def send(kit: Kit, fleet: Fleet, delivery: Delivery) -> Change:
    """Hand the parcel to the broker; the change that follows from its being out.

    Raises Unsent if it did not go out.
    """
    parcel = Parcel(
        topic=str(delivery.payload["topic"]), body=str(delivery.payload["body"]), header=""
    )
    try:
        await fleet.send(parcel)
    except RetryLater as error:  # by the port's word it certainly did not go out
        raise Unsent(error.text, delay_s=error.delay_s, field=error.field) from error
    if delivery.verb != "order":
        return Change()
    again = delivery.attempts > 0
    return kit.move(delivery.case_id, OrderOut(order_id=delivery.order_id, again=again))
