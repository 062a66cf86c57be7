"""A clock for tests of the journal: its time stands still unless moved."""

from datetime import datetime


class FixedClock:
    """Implements ports/clock.py."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._ids = 0

    def now(self) -> datetime:
        """The time it was given."""
        return self.at

    def monotonic(self) -> float:
        """The same in seconds."""
        return self.at.timestamp()

    def new_id(self) -> str:
        """Ids that count."""
        self._ids += 1
        return f"{self._ids:026}"

    def trace_id(self) -> str:
        """Ids that count."""
        self._ids += 1
        return f"{self._ids:032x}"

    def random(self) -> float:
        """Always the same."""
        return 0.5
