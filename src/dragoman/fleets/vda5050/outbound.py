"""What Dragoman sends to VDA 5050 robots: the strict models by version, and their bytes.

The fleet adapter (client.py) builds an Order or InstantActions of the robot's version from the
generated models and gets the payload from `to_bytes`. Nothing leaves that the official schema of
that version (with the mends of mends.py) would refuse.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from dragoman.domain.errors import Permanent
from dragoman.fleets.vda5050.generated.v2_0_0 import instant_actions as instant_2_0
from dragoman.fleets.vda5050.generated.v2_0_0 import order as order_2_0
from dragoman.fleets.vda5050.generated.v2_1_0 import instant_actions as instant_2_1
from dragoman.fleets.vda5050.generated.v2_1_0 import order as order_2_1
from dragoman.fleets.vda5050.paths import split_error

OrderModel: TypeAlias = order_2_0.Order | order_2_1.Order
InstantActionsModel: TypeAlias = instant_2_0.InstantActions | instant_2_1.InstantActions
Outbound: TypeAlias = OrderModel | InstantActionsModel

ORDERS: Mapping[str, type[OrderModel]] = {"2.0.0": order_2_0.Order, "2.1.0": order_2_1.Order}
INSTANT_ACTIONS: Mapping[str, type[InstantActionsModel]] = {
    "2.0.0": instant_2_0.InstantActions,
    "2.1.0": instant_2_1.InstantActions,
}
"""The model of each protocol version, by the text that goes into the header."""

_encoder = msgspec.json.Encoder()
_decoders = {
    model: msgspec.json.Decoder(model) for model in (*ORDERS.values(), *INSTANT_ACTIONS.values())
}


def build(model: type[Outbound], fields: Mapping[str, object]) -> Outbound:
    """Return `model` filled from a mapping with the wire's own names (orderId, nodes …).

    Raises Permanent with the JSON path when the mapping doesn't fit the schema, unknown names
    included.
    """
    try:
        return msgspec.convert(fields, model)
    except msgspec.ValidationError as error:
        raise _refused(model, error) from error


def to_bytes(message: Outbound) -> bytes:
    """Return the JSON payload of a message, checked as the robot will read it.

    Structs don't check what they are made of, so the very bytes are read back strictly. Raises
    Permanent with the JSON path when a value is out of range, of the wrong kind, or when the
    timestamp isn't in UTC (VDA 5050 6.4).
    """
    if message.timestamp.utcoffset() != timedelta(0):
        raise Permanent(
            "an outbound message needs its time in UTC",
            field="$.timestamp",
            value=message.timestamp.isoformat(),
        )
    try:
        payload = _encoder.encode(message)
        _decoders[type(message)].decode(payload)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise _refused(type(message), error) from error
    return _in_milliseconds(payload, message.timestamp)


def _in_milliseconds(payload: bytes, time: datetime) -> bytes:
    """The payload with its time as the text wants it (6.4: `ss.fff`), not in microseconds.

    The header comes first, so the first place with this text is the right one.
    """
    written = _encoder.encode(time)
    if b"." not in written:
        return payload
    return payload.replace(written, written[:-5] + written[-2:], 1)


def _refused(model: type[Outbound], error: Exception) -> Permanent:
    reason, path = split_error(error)
    return Permanent(
        f"this {model.__name__} doesn't fit the VDA 5050 schema: {reason}",
        field=path,
        mend="correct the mission template or field mapping it was made from",
    )
