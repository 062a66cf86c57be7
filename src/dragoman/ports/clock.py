"""Time, ids and chance, passed in so that tests can own them."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The gateway's only source of time, identity and randomness."""

    def now(self) -> datetime:
        """The present time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    def new_id(self) -> str:
        """A new unique id: 26 characters of [0-9a-hjkmnp-tv-z] that sort by creation."""
        ...

    def trace_id(self) -> str:
        """A new W3C trace id: 32 hex digits."""
        ...

    def random(self) -> float:
        """A random number in [0, 1)."""
        ...
