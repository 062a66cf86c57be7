"""The table of what an MQTT broker's refusals mean, and the errors of publishing.

`mqtt_connection.py` translates by it, once; who publishes catches NotSent and Unacknowledged
from `mqtt.py`. Codes: MQTT 3.1.1 section 3.2.2.3; MQTT 5.0 sections 3.2.2.2 and 3.4.2.1. Those
of the two versions don't collide.
"""

from gmqtt.mqtt.handler import MQTTConnectError

from dragoman.domain.errors import DragomanError, NeedsHuman, Permanent, RetryLater
from dragoman.transport.mqtt_settings import MqttSettings

# Refusals of a CONNECT that pass without anybody's doing: unavailable, busy, over a quota.
_PASSING = frozenset({3, 128, 131, 136, 137, 151, 159})
_CREDENTIALS = frozenset({4, 5, 134, 135})


class NotSent(RetryLater):
    """The message never left, and never will: it is safe to publish it again, or elsewhere."""


class Unacknowledged(RetryLater):
    """The message was sent and no acknowledgement came: the broker may have it, or not."""


class PayloadTooLong(Permanent):
    """A message that came in was longer than the settings allow, and was dropped unread."""


def refused_connect(code: int, settings: MqttSettings) -> DragomanError:
    """What a CONNACK with this code, which isn't 0, means."""
    text = f"the MQTT broker at {settings.address} refused us: {MQTTConnectError(code)}"
    if code in _PASSING:
        return RetryLater(text)
    if code in _CREDENTIALS:
        return NeedsHuman(
            text,
            field="username",
            value=settings.username or "",
            mend="give the user name and password that the broker knows",
        )
    return NeedsHuman(
        text,
        field="protocol",
        value=settings.protocol,
        mend="check that the broker speaks this version of MQTT and accepts the client id",
    )


def refused_publish(code: bytes, topic: str) -> None:
    """Raise what the reason code of a PUBACK means; MQTT 3.1.1 has none (empty)."""
    if not code or code[0] < 0x80:
        return
    text = f"the MQTT broker refused a message to {topic}, reason 0x{code[0]:02x}"
    if code[0] == 0x87:
        raise NeedsHuman(text, field="topic", value=topic, mend="allow our user to write there")
    if code[0] in (0x90, 0x99):
        raise Permanent(text, field="topic", value=topic)
    raise NotSent(text)


def refused_subscription(topic_filter: str, code: int) -> NeedsHuman:
    """What a SUBACK with a failure code means."""
    return NeedsHuman(
        f"the MQTT broker refused a subscription, code 0x{code:02x}",
        field="topic filter",
        value=topic_filter,
        mend="allow our user to read there, and check the broker's limits",
    )
