"""Read the open state of a journal into a Site: at the start, and after a lost change.

The work follows what is open and not the history: every query here goes by an index on the state.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change
from dragoman.domain.delivery import SETTLED, Delivery, DeliveryState
from dragoman.domain.fault import Fault
from dragoman.domain.order import LIVE, Assignment
from dragoman.domain.robot import Robot, RobotReport
from dragoman.domain.site import Site
from dragoman.journal.sqlite.connection import Connection, rows
from dragoman.journal.sqlite.rows import T, decoded, iso
from dragoman.journal.sqlite.statements import SQL

_OPEN_CASES = msgspec.json.encode([s for s in CaseState if s is not CaseState.CLOSED]).decode()
_LIVE = msgspec.json.encode(sorted(LIVE)).decode()
_UNSETTLED = msgspec.json.encode([s for s in DeliveryState if s not in SETTLED]).decode()


def load_site(connection: Connection, now: datetime) -> tuple[Site, int]:
    """The open state and the last seq, of one moment. now: webhook ids older are left out."""
    connection.execute("BEGIN")
    try:
        seq = int(rows(connection, SQL["last_seq"])[0][0])
        site = Site()
        site.apply(_open_state(connection, now))
    finally:
        connection.execute("ROLLBACK")
    return site, seq


def _open_state(connection: Connection, now: datetime) -> Change:
    def values(kind: type[T], name: str, *parameters: Any) -> tuple[T, ...]:
        return tuple(decoded(kind, body) for (body,) in rows(connection, SQL[name], parameters))

    return Change(
        cases=values(Case, "load_cases", _OPEN_CASES),
        assignments=values(Assignment, "load_assignments", _LIVE, _OPEN_CASES),
        robots=values(Robot, "load_robots"),
        reports=values(RobotReport, "load_reports"),
        deliveries=tuple(_waiting(d) for d in values(Delivery, "load_deliveries", _UNSETTLED)),
        faults=values(Fault, "load_faults"),
        cursors=dict(rows(connection, SQL["load_cursors"])),
        seen={
            key: datetime.fromisoformat(until)
            for key, until in rows(connection, SQL["load_seen"], (iso(now),))
        },
    )


def _waiting(delivery: Delivery) -> Delivery:
    if delivery.state is DeliveryState.IN_FLIGHT:
        return replace(delivery, state=DeliveryState.QUEUED)
    return delivery
