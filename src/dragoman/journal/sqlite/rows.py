"""Between the domain's values and rows: what a change writes, and how a body is read.

Encoding happens in the event loop, before the change is applied: a value that can't be written
then fails alone, and the writer thread has next to nothing to do but SQLite's own work.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from dragoman.domain.case import Case, PastCase
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery
from dragoman.domain.errors import NeedsHuman, Permanent
from dragoman.domain.fault import Fault
from dragoman.domain.order import Assignment
from dragoman.domain.robot import Robot, RobotReport
from dragoman.domain.site import Site

T = TypeVar("T")
Written = tuple[str, object, bytes]
"""(table, key, the row as a JSON array): a later row of the same key replaces an earlier."""

_encode = msgspec.json.Encoder().encode


def iso(at: datetime | None) -> str | None:
    """A time as text of fixed width, so that comparing the texts compares the times (UTC)."""
    return None if at is None else at.isoformat(timespec="microseconds")


def _entry(e: Entry) -> tuple[Any, ...]:
    return (e.seq, iso(e.at), e.action, e.case_id, e.order_id, e.robot_id, e.desk)


def _case(c: Case) -> tuple[Any, ...]:
    at = (iso(c.received_at), c.state, iso(c.since), iso(c.due_at))
    return (c.id, c.desk, c.external_id, c.number, c.kind, c.order_id, *at)


def _assignment(a: Assignment, key: tuple[str, str]) -> tuple[Any, ...]:
    ends = (iso(a.sent_at), iso(a.accepted_at), iso(a.started_at), iso(a.ended_at))
    who = (a.order_id, a.case_id, *key, a.attempt, a.robot_id)
    return (*who, iso(a.assigned_at), a.state, *ends)


def _robot(r: Robot) -> tuple[Any, ...]:
    return (r.id, r.fleet, r.bound)


def _report(r: RobotReport) -> tuple[Any, ...]:
    return (r.robot_id, iso(r.received_at))


def _delivery(d: Delivery) -> tuple[Any, ...]:
    at = (iso(d.created_at), d.state, iso(d.ended_at))
    return (d.id, d.target, d.lane, d.case_id, d.order_id, *at)


def _fault(f: Fault) -> tuple[Any, ...]:
    return (f.id, f.robot_id, int(f.is_over))


def _written(table: str, columns: tuple[Any, ...], value: object) -> Written:
    body = _encode(value).decode()
    return (table, columns[0], _encode((*columns, body)))


def encoded(change: Change, site: Site, seq: int) -> list[Written]:
    """The rows of a change. site: as it is before the change; seq: the last one given.

    Raises Permanent if a value isn't JSON-ready.
    """
    try:
        return _encoded(change, site, seq)
    except (TypeError, ValueError, RecursionError) as error:
        raise Permanent(f"a value can't be written to the journal: {error}") from error


def _encoded(change: Change, site: Site, seq: int) -> list[Written]:
    stamped = [replace(entry, seq=n) for n, entry in enumerate(change.entries, seq + 1)]
    key = {case.id: case.key for case in change.cases}
    for a in change.assignments:
        if a.case_id not in key and (case := site.cases.get(a.case_id)):
            key[a.case_id] = case.key
    return [
        *(_written("entries", _entry(e), e) for e in stamped),
        *(_written("cases", _case(c), c) for c in change.cases),
        *(
            _written("assignments", _assignment(a, key.get(a.case_id, ("", ""))), a)
            for a in change.assignments
        ),
        *(_written("robots", _robot(r), r) for r in change.robots),
        *(_written("reports", _report(r), r) for r in _newest(change.reports, site)),
        *(_written("deliveries", _delivery(d), d) for d in change.deliveries),
        *(_written("faults", _fault(f), f) for f in change.faults),
        *(("cursors", d, _encode((d, cursor))) for d, cursor in change.cursors.items()),
        *(("seen", k, _encode((k, iso(until)))) for k, until in change.seen.items()),
    ]


def _newest(reports: Sequence[RobotReport], site: Site) -> Iterator[RobotReport]:
    """Those that are not older than the one known, as Site.apply takes them."""
    known: dict[str, RobotReport] = {}
    for report in reports:
        last = known.get(report.robot_id) or site.reports.get(report.robot_id)
        if last is None or last.received_at <= report.received_at:
            known[report.robot_id] = report
            yield report


_decoders: Final[dict[type, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(kind)
    for kind in (Case, PastCase, Assignment, Delivery, Entry, Robot, RobotReport, Fault)
}


def decoded(kind: type[T], body: str) -> T:
    """A value from its stored body; fields that this version doesn't know are skipped.

    Raises NeedsHuman if the body can't be one of `kind`.
    """
    try:
        value: T = _decoders[kind].decode(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise NeedsHuman(
            f"the journal holds a {kind.__name__} that can't be read: {error}",
            value=body,
            mend="run `dragoman journal verify`, and restore a backup if it reports damage",
        ) from error
    return value
