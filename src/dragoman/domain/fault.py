"""A robot's own fault that has a case at a desk: opened once, closed when the fault clears."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of one robot. id: also the correlation id and the lane at the desk.

    key: what makes it the same fault (the type of the error). external_id: the desk's record,
    "" until the desk has created it. cleared_at: when the robot stopped reporting it. given_up: it
    has cleared without ever having had a record.
    """

    id: str
    robot_id: str
    key: str
    desk: str
    level: str
    description: str
    raised_at: datetime
    external_id: str = ""
    number: str = ""
    cleared_at: datetime | None = None
    given_up: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing has to be remembered of it any more."""
        return self.given_up or (self.cleared_at is not None and bool(self.external_id))
