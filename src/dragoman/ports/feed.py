"""A feed: where every status is published as a CloudEvent, and from where commands may come."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedCommand:
    """What the other end asks for: hold, release, cancel or acknowledge a case.

    raw: the payload as it came. error: set when it could not be understood (then verb is "").
    """

    verb: str
    case: str
    reason: str
    actor: str
    raw: str
    error: str = ""


class Feed(Protocol):
    """One consumer of statuses, such as a CMMS listening on MQTT."""

    async def start(self, sink: Callable[[FeedCommand], None]) -> None:
        """Connect; deliver commands to `sink` until `stop`."""
        ...

    async def publish(self, event: Mapping[str, object]) -> None:
        """Publish one CloudEvent (JSON format, structured mode); returns when it is acknowledged.

        Raises RetryLater when it was not.
        """
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...
