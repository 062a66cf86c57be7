"""Which robots a fleet has, and what each says of itself. Used by client.py, one a fleet.

Makes the Introductions, and knows whose factsheet is still missing. Robots of 2.1 publish it
when they are asked (VDA 5050 6.15); those of 2.0 have none in their schema.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from dragoman.domain.robot import Introduction, Robot
from dragoman.fleets.vda5050.settings import Vda5050Settings

MOST_REQUESTS = 3
"""How often a robot is asked for its factsheet before it is taken to have none."""

AGAIN = timedelta(seconds=60)
"""After so long a robot is introduced again, for a gateway that has lost what it heard (a full
disk undoes a change). One that knows it already does nothing."""

_MINOR = {"0": "2.0.0", "1": "2.1.0"}


@dataclass(slots=True, kw_only=True)
class Entry:
    """One robot. said: the version as in its messages; spoken: the one that we speak with it.

    able: its action types, None while unknown. asked: factsheet requests so far. told_until:
    until then the sink knows all this, None if it doesn't.
    """

    said: str = ""
    spoken: str = ""
    able: frozenset[str] | None = None
    asked: int = 0
    told_until: datetime | None = None


class Roster:
    """Robots by id (`manufacturer/serial`)."""

    def __init__(self, fleet: str, settings: Vda5050Settings) -> None:
        self._fleet = fleet
        self._settings = settings
        self._entries: dict[str, Entry] = {}

    def knows(self, robot_id: str, said: str, now: datetime) -> bool:
        """Whether the sink knows this robot with this version; asked for every state."""
        entry = self._entries.get(robot_id)
        return (
            entry is not None
            and entry.said == said
            and entry.told_until is not None
            and now < entry.told_until
        )

    def meet(
        self, robot_id: str, said: str, now: datetime, able: frozenset[str] | None = None
    ) -> Introduction | None:
        """Who the robot is, unless the sink knows. said: its version; able: from a factsheet.

        Action types once told stay known when a later message has none.
        """
        dialect = self._settings.dialect_of(robot_id)
        entry = self._entries.setdefault(robot_id, Entry())
        spoken = dialect.version or version_of(said) or self._settings.version
        able = able or entry.able if dialect.capabilities is None else dialect.capabilities
        same = (entry.spoken, entry.able) == (spoken, able)
        entry.said, entry.spoken, entry.able = said, spoken, able
        if not same:
            entry.told_until = None
        elif entry.told_until is not None and now < entry.told_until:
            return None
        manufacturer, serial = robot_id.split("/")
        return Introduction(
            robot_id=robot_id,
            fleet=self._fleet,
            manufacturer=manufacturer,
            serial=serial,
            dialect=spoken,
            received_at=now,
            capabilities=able,
        )

    def told(self, robot_id: str, now: datetime) -> None:
        """The sink has taken the introduction."""
        self._entries[robot_id].told_until = now + AGAIN

    def lacks_factsheet(self, robot_id: str) -> bool:
        """Whether asking this robot for its factsheet makes sense."""
        entry = self._entries.get(robot_id)
        return (
            self._settings.factsheets
            and entry is not None
            and entry.able is None
            and entry.spoken != "2.0.0"
            and entry.asked < MOST_REQUESTS
        )

    def asked(self, robot_id: str) -> Robot:
        """Count a request; the robot as the composers take it.

        The request has header id 0: the journal counts from 1, so its counter isn't disturbed.
        """
        entry = self._entries[robot_id]
        entry.asked += 1
        manufacturer, serial = robot_id.split("/")
        return Robot(
            id=robot_id,
            fleet=self._fleet,
            manufacturer=manufacturer,
            serial=serial,
            dialect=entry.spoken,
            headers={"instantActions": -1},
        )


def version_of(said: str) -> str | None:
    """The protocol version that `2.1`, `v2.1.0` or `2.1.3` stands for; None if unknown."""
    found = re.fullmatch(r"[vV]?2\.(\d)(\.\d+)?", said.strip())
    return _MINOR.get(found[1]) if found else None
