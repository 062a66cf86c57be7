"""Polling a project: which issues changed since a cursor, each version once, none missed.

Used by `client.py`. A poll searches ids and times only, and then reads those that are new whole,
directly. Jira's search knows a change seconds to minutes late, and may show a time that is newer
than the place in the order. So each walk starts well before the newest change (the overlap), times
in the middle of a walk are never used to go on from, and what was read in a newer version than a
late row tells counts as known.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dragoman.desks.jira.errors import BadQuery
from dragoman.desks.jira.fetch import as_text, is_of, lot
from dragoman.desks.jira.fields import fields_of, id_of, moment, record_of, version_of
from dragoman.desks.jira.rest import Rest, millis, second
from dragoman.desks.jira.settings import JiraSettings, where
from dragoman.domain.errors import BadInput, DragomanError, NeedsHuman, RetryLater
from dragoman.domain.watermark import Seen, Watermark
from dragoman.ports.desk import DeskPage, DeskRecord

_FEW = 2
"""So many issues with an impossible time are taken for damaged ones; more are the desk's fault."""

_TRIES = 3
"""Walks in which an issue may fail to be read while others can be, before it is given up."""

_ROW = ("updated",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a walk goes on: Jira's token of a page ("" for the first), and the newest time so far.

    It is kept in memory only: after a restart the walk begins again, and repeats what it told.
    """

    token: str = ""
    newest: datetime | None = None


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What one page of the search told. fresh: (id, version) not reported yet, in order."""

    fresh: list[tuple[str, str]] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    newest: datetime | None = None
    full: bool = False


class Changes:
    """The poller of one project. It holds what was reported lately, in memory only."""

    def __init__(self, rest: Rest, settings: JiraSettings) -> None:
        self._rest = rest
        self._settings = settings
        self._where = where(settings)
        self._seen = Seen()
        self._places: dict[str, _Place] = {}
        self._patience: dict[str, int] = {}
        self._waiting: set[str] = set()
        self._proven = False

    async def page(self, cursor: str, limit: int) -> DeskPage:
        """See `Desk.changes`. Raises NeedsHuman if the desk doesn't do what the query says."""
        if not self._proven:
            await self._prove()
        if not cursor:
            return await self._from_now()
        self._seen.resume(cursor)
        mark = Watermark.decode(cursor)
        place = self._places.get(cursor, _Place())
        lower = second(mark.lower(self._settings.overlap_s))
        rows, token = await self._rows(lower, place.token)
        walk = self._sift(rows, lower, limit)
        records, unreadable, kept = await self._fetch(walk.fresh)
        newest = max(filter(None, (place.newest, walk.newest)), default=None)
        more = walk.full or bool(token)
        if not more:
            mark = self._finished(mark, newest)
        if kept or walk.bad:
            mark = mark.counted()
        after = mark.encode()
        ahead = _Place(token=place.token if walk.full else token, newest=newest)
        self._places = {cursor: place, after: ahead if more else _Place()}
        marks = [(_mark(raw), "bad") for raw, _ in walk.bad]
        self._seen.offer(after, [*kept, *marks])
        return DeskPage(
            records=records, cursor=after, more=more, unreadable=[*walk.bad, *unreadable]
        )

    def _finished(self, mark: Watermark, newest: datetime | None) -> Watermark:
        """The mark at the end of a walk. It stays while an issue waits to be read once more."""
        if self._waiting:
            self._waiting = set()
            return mark
        self._patience = {}
        return mark.finished(newest, self._rest.http.server_now())

    async def _rows(self, lower: datetime, token: str) -> tuple[Sequence[object], str]:
        """A page of the walk; the first one again if the token has expired."""
        jql = f"{self._where} AND updated >= {millis(lower)} ORDER BY updated ASC, key ASC"
        size = self._settings.page_size
        try:
            found = await self._rest.search(jql, _ROW, size, token)
        except BadQuery:
            if not token:
                raise
            found = await self._rest.search(jql, _ROW, size)
        return found.rows, found.token

    def _sift(self, rows: Sequence[object], lower: datetime, limit: int) -> _Walk:
        """Sort a page into news, known and unreadable; stop when the news are enough."""
        walk = _Walk()
        early = 0
        for row in rows:
            try:
                number, at = _parsed(row)
                if at < lower:
                    early += 1
                    raise _too_early(at)
            except BadInput as error:
                raw = as_text(row)
                if not self._seen.has(_mark(raw), "bad"):
                    walk.bad.append((raw, str(error)))
                continue
            walk.newest = at if walk.newest is None else max(walk.newest, at)
            version = version_of(at)
            if not self._is_known(number, version):
                walk.fresh.append((number, version))
                if len(walk.fresh) >= limit:
                    walk.full = row is not rows[-1]
                    break
        if early > max(_FEW, len(rows) // 2):
            raise NeedsHuman(
                "the desk doesn't keep to the time bound of our query",
                field="updated",
                value=f"{early} of {len(rows)} rows are older than {lower.isoformat()}",
                mend="check what stands between the gateway and Jira",
            )
        return walk

    def _is_known(self, number: str, version: str) -> bool:
        """Whether this version was reported, or a newer one: then the row is a late one."""
        reported = self._seen.get(number)
        return bool(reported) and reported >= version and self._seen.has(number, reported)

    async def _fetch(
        self, fresh: Sequence[tuple[str, str]]
    ) -> tuple[list[DeskRecord], list[tuple[str, str]], list[tuple[str, str]]]:
        """Whole issues in the order of `fresh`; what can't be read; (id, version) of both."""
        records: list[DeskRecord] = []
        unreadable: list[tuple[str, str]] = []
        kept: list[tuple[str, str]] = []
        size = self._settings.fetch_size
        for start in range(0, len(fresh), size):
            wanted = dict(fresh[start : start + size])
            found, failed = await lot(self._rest, list(wanted))
            by_id = {str(raw.get("id")): raw for raw in found if isinstance(raw, Mapping)}
            for number, version in wanted.items():
                kept.append((number, version))
                raw = by_id.get(number)
                try:
                    if number in failed:
                        if self._may_wait(number, failed[number]):
                            kept.pop()
                            continue
                        raise failed[number]
                    if raw is None or not is_of(raw, self._settings.project):
                        continue  # deleted, moved or hidden since the index was made
                    record = record_of(raw)
                    records.append(record)
                    kept[-1] = (number, max(version, record.version))
                except DragomanError as error:
                    unreadable.append((as_text(raw or {"id": number}), str(error)))
        return records, unreadable, kept

    def _may_wait(self, number: str, error: DragomanError) -> bool:
        """Whether a failure to read one issue may pass: then it comes again with the next walk."""
        tries = self._patience[number] = self._patience.get(number, 0) + 1
        if not isinstance(error, RetryLater) or tries >= _TRIES:
            return False
        self._waiting.add(number)
        return True

    async def _from_now(self) -> DeskPage:
        """The first cursor: the desk's present time, by its clock."""
        newest = await self._newest()
        mend = "create one issue in the project, or repair the proxy before the desk"
        first = Watermark.from_now(self._rest.http.server_now(), newest and newest[1], mend)
        return DeskPage(records=(), cursor=first.encode(), more=False, since=first.at)

    async def _newest(self) -> tuple[str, datetime] | None:
        """(id, time) of the newest issue that we may see; None if there is none."""
        found = await self._rest.search(f"{self._where} ORDER BY updated DESC", _ROW, 1)
        try:
            return _parsed(found.rows[0]) if found.rows else None
        except BadInput:  # damaged: as good as none here, and `page` tells of it
            return None

    async def _prove(self) -> None:
        """See once that the desk reads our times as it writes its own. Writes nothing."""
        at = ""
        for _ in range(3):  # the newest may change between the two requests
            newest = await self._newest()
            if newest is None:
                return
            start = newest[1].replace(second=0, microsecond=0)
            at = newest[1].isoformat()
            bounds = f"updated >= {millis(start)} AND updated <= {millis(start) + 60_000}"
            found = await self._rest.search(
                f"{self._where} AND id = {newest[0]} AND {bounds}", _ROW, 1
            )
            if found.rows and as_text(found.rows[0]).find(newest[0]) >= 0:
                self._proven = True
                return
        raise NeedsHuman(
            "the desk doesn't find its newest issue by the time that it gives for it",
            field="updated",
            value=at,
            mend="check what stands between the gateway and Jira",
        )


def _parsed(row: object) -> tuple[str, datetime]:
    """(id, time of update) of a row. Raises BadInput."""
    number = id_of(row)
    fields = fields_of(row) if isinstance(row, Mapping) else {}
    return number, moment(fields.get("updated"), "updated")


def _too_early(at: datetime) -> BadInput:
    return BadInput(
        "the issue is older than what was asked for", field="updated", value=at.isoformat()
    )


def _mark(raw: str) -> str:
    """The identity of an item that has none."""
    return hashlib.sha256(raw.encode()).hexdigest()
