"""What three witnesses say about the same cases: the desk, the robots, the journal's file.

Read by `verdict.py`. The desk's account is made from the ledger of the emulated ServiceNow, the
robots' is their own report, and the journal is read by plain SQL, so that no code of the gateway
vouches for itself.
"""

import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REF = re.compile(r"\[ref ([0-9a-z]{26})\]")
"""How the ServiceNow adapter marks what it says; the key is the delivery's id."""
RESOLVED = frozenset({"6", "7"})
"""States of an incident in which its work is over: resolved, closed."""
CALLED_OFF = "8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A record at the desk. state: as it is last. said: each (field, key) that the gateway wrote
    with its mark, in the order of writing. ours: the gateway resolved it, and not a person. late:
    writes of the gateway after its own resolving one.
    """

    external_id: str
    number: str
    state: str
    said: tuple[tuple[str, str], ...] = ()
    late: int = 0
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A write to the desk as the journal has it. id: its key at the desk."""

    id: str
    status: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A case in the journal. told: its writes to the desk, in the order in which they were made."""

    external_id: str
    number: str
    state: str
    outcome: str
    reason: str
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journalled:
    """A journal's file. cases: by the desk's id. unsound: what is wrong with the file itself.
    polled: whether it is settled from which moment on the desk's cases are wanted.
    """

    cases: Mapping[str, Kept] = field(default_factory=dict)
    polled: bool = False
    unsound: tuple[str, ...] = ()

    @property
    def working(self) -> list[str]:
        """Numbers of the cases on which the gateway, and not a person, has still to act."""
        waiting = {"closed", "held", "uncertain"}
        return [case.number for case in self.cases.values() if case.state not in waiting]


def tickets(
    ledger: Iterable[Mapping[str, Any]], gateway: str, table: str = "incident"
) -> dict[str, Ticket]:
    """The records of a table by id. ledger: as JSON, see `servicenow.ledger.Entry`.

    gateway: its user name; what that created itself (robots' faults) is left out.
    """
    made: dict[str, Ticket] = {}
    for entry in ledger:
        if entry["table"] != table:
            continue
        own, external_id = entry["user"] == gateway, entry["sys_id"]
        if entry["operation"] == "insert":
            if not own:
                made[external_id] = Ticket(
                    external_id=external_id, number=entry["number"], state="1"
                )
            continue
        known = made.get(external_id)
        if known is not None:
            made[external_id] = _after(known, entry["changed"], own=own)
    return made


def _after(ticket: Ticket, changed: Mapping[str, str], *, own: bool) -> Ticket:
    """The ticket after one more write."""
    said = tuple((name, key) for name, text in changed.items() if own for key in REF.findall(text))
    late = own and bool(changed) and ticket.ours
    return Ticket(
        external_id=ticket.external_id,
        number=ticket.number,
        state=changed.get("state", ticket.state),
        said=(*ticket.said, *said),
        late=ticket.late + late,
        ours=ticket.ours or (own and changed.get("state") in RESOLVED),
    )


def journalled(path: Path) -> Journalled:
    """Read a journal's file, beside a running gateway or after it."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.execute("BEGIN")
        told: dict[str, list[Told]] = {}
        for case_id, *row in connection.execute(_TOLD):
            told.setdefault(case_id, []).append(Told(id=row[0], status=row[1], state=row[2]))
        cases = {
            external_id: Kept(
                external_id=external_id,
                number=number,
                state=state,
                outcome=outcome or "",
                reason=reason or "",
                told=tuple(told.get(case_id, ())),
            )
            for case_id, external_id, number, state, outcome, reason in connection.execute(_CASES)
        }
        unsound = [text.format(*row) for text, query in _SOUND for row in connection.execute(query)]
        polled = bool(connection.execute("SELECT count(*) FROM cursors").fetchone()[0])
    return Journalled(cases=cases, polled=polled, unsound=tuple(unsound))


_CASES = """
SELECT id, external_id, number, state, json_extract(body, '$.outcome'),
       json_extract(body, '$.reason')
FROM cases ORDER BY n
"""
_TOLD = """
SELECT case_id, id, coalesce(json_extract(body, '$.payload.status'), ''), state
FROM deliveries WHERE target LIKE 'desk:%' AND json_extract(body, '$.verb') = 'write' ORDER BY n
"""
_SOUND = (
    (
        "entries: {} of {} are there, the first is {}, the last {}",
        "SELECT count(*), max(seq), min(seq), max(seq) FROM entries "
        "HAVING count(*) <> max(seq) OR min(seq) <> 1",
    ),
    ("structure: {}", "SELECT * FROM pragma_integrity_check(5) WHERE integrity_check <> 'ok'"),
    (
        "outbox: {} has taken {} deliveries and accounts for {}",
        "SELECT t.target, t.matched, (SELECT count(*) FROM deliveries AS d "
        "WHERE d.target = t.target) + t.archived_delivered + t.archived_failed AS found "
        "FROM targets AS t WHERE t.matched <> found",
    ),
    (
        "outbox: delivery {} to {} is {}",
        "SELECT id, target, state FROM deliveries WHERE state NOT IN ('delivered', 'failed')",
    ),
    (
        "robot {} is bound to {}, which is over or whose case is",
        "SELECT r.id, r.bound FROM robots AS r WHERE r.bound <> '' AND NOT EXISTS "
        "(SELECT 1 FROM assignments AS a JOIN cases AS c ON c.id = a.case_id "
        "WHERE a.order_id = r.bound AND c.state <> 'closed' AND a.ended_at IS NULL)",
    ),
    (
        "case {} is {} and has no deadline",
        "SELECT number, state FROM cases WHERE due_at IS NULL AND state <> 'closed'",
    ),
    (
        "case {} has {} live orders",
        "SELECT case_id, count(*) AS live FROM assignments WHERE ended_at IS NULL "
        "GROUP BY case_id HAVING live > 1",
    ),
    (
        "case {} came from the desk {} times",
        "SELECT external_id, count(*) AS times FROM cases GROUP BY desk, external_id "
        "HAVING times > 1",
    ),
)
"""What to say, and the rows about which to say it: none if the file is sound and at rest."""
