"""The system's time, ids and chance. Implements ports/clock.py."""

import random
import secrets
import time
from datetime import UTC, datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, in order, so that ids sort as text."""
_PAIRS = tuple(high + low for high in ALPHABET for low in ALPHABET)


class SystemClock:
    """Real time. Ids are 48 bits of milliseconds and 80 of chance, rising within a process.

    Ids have to be unique and are no secrets, so their chance comes from a generator that the
    operating system seeds once: asking it for each one lets go of the interpreter's lock, and with
    the journal's thread at work the event loop waited longer for it than for anything else.
    """

    def __init__(self) -> None:
        self._last = 0
        self._random = random.Random(secrets.randbits(256))  # noqa: S311 - see above

    def now(self) -> datetime:
        """The present time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    def new_id(self) -> str:
        """26 characters; larger than every id given before by this process."""
        number = (int(time.time() * 1000) << 80) | self._random.getrandbits(80)
        number = self._last = max(number, self._last + 1)
        return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])

    def trace_id(self) -> str:
        """32 hex digits, not all zero."""
        return f"{self._random.getrandbits(128) | 1:032x}"

    def random(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()
