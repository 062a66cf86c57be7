"""A robot's own fault that has a case at a desk: opened once, closed when the fault clears."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of one robot. id: also the correlation id and the lane at the desk.

    key: what makes it the same fault (error type and references). external_id: the desk's record,
    "" until the desk has created it. cleared_at: when the robot stopped reporting it.
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
