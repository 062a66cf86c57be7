"""A desk in memory, for tests of what stands above the port: it records, and fails on demand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dragoman.domain.errors import BadInput, Conflict, DragomanError, NotFound, Permanent
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite

FIELDS = frozenset({"title", "state", "priority", "location", "kind", "robot", "result"})
"""What a record of this desk can hold; any other field is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """after_commit: the call takes effect before the error is raised."""

    error: DragomanError
    after_commit: bool = False


class MemoryDesk:
    """Implements `Desk`. Its raw records are flat: {"id", "version", "author", "updated", …}.

    calls: (verb, external id or cursor or key) in order. said: (external id, "comment" or "note",
    text) in order. failures: used up by the next calls, one each. clock: gives the desk's time.
    """

    batch = 50

    def __init__(
        self, account: str = "gateway", clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.account = account
        self.calls: list[tuple[str, str]] = []
        self.said: list[tuple[str, str, str]] = []
        self.failures: list[Failure] = []
        self.records: dict[str, dict[str, str]] = {}
        self.unreadable: set[str] = set()
        self._clock = clock
        self._keys: dict[str, str] = {}
        self._feed: list[tuple[str, str]] = []

    def open(self, title: str, author: str = "pat", **fields: str) -> str:
        """A person opens a record; returns its id."""
        number = f"D{len(self.records) + 1:05}"
        self.records[number] = {"id": number, "version": "0", "state": "new", "title": title}
        self._change(number, fields, author)
        return number

    def edit(self, external_id: str, author: str = "pat", **fields: str) -> None:
        """A person changes a record."""
        self._change(external_id, fields, author)

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """See the port."""
        self.calls.append(("changes", cursor))
        self._fail(after=False)
        if not cursor:
            now = self._clock()
            return DeskPage(records=(), cursor=f"{len(self._feed)}", more=False, since=now)
        if not cursor.isdecimal():
            raise BadInput("this is no cursor of this desk", field="cursor", value=cursor)
        start = int(cursor)
        part = self._feed[start : start + limit]
        records = [self._record(one) for one, _ in part if one not in self.unreadable]
        return DeskPage(
            records=records,
            cursor=str(start + len(part)),
            more=start + len(part) < len(self._feed),
            unreadable=[(one, "made unreadable") for one, _ in part if one in self.unreadable],
        )

    async def read(self, external_id: str) -> DeskRecord:
        """See the port."""
        self.calls.append(("read", external_id))
        self._fail(after=False)
        return self._record(external_id)

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See the port."""
        self.calls.append(("write", external_id))
        self._fail(after=False)
        record = self._record(external_id)
        if write.key not in self._keys:
            _meets(record.raw, write.expect)
            self._change(external_id, write.fields, self.account)
            self._say(external_id, write)
            self._keys[write.key] = external_id
        self._fail(after=True)
        return self._record(external_id)

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See the port."""
        self.calls.append(("create", write.key))
        self._fail(after=False)
        if not write.key:
            raise Permanent("a record can't be created without a key", field="key")
        if write.key not in self._keys:
            _known(write.fields)
            title = write.fields.get("title", "")
            number = self.open(title, author=self.account)
            self._change(number, write.fields, self.account)
            self._say(number, write)
            self._keys[write.key] = number
        self._fail(after=True)
        return self._record(self._keys[write.key])

    async def survey(self, after: str, limit: int) -> DeskPage:
        """See ports/survey.py: records whose state isn't `closed`."""
        self.calls.append(("survey", after))
        self._fail(after=False)
        wanted = [n for n, raw in self.records.items() if n > after and raw["state"] != "closed"]
        part = sorted(wanted)[:limit]
        return DeskPage(
            records=[self._record(one) for one in part],
            cursor=part[-1] if part else after,
            more=len(wanted) > limit,
        )

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See ports/survey.py."""
        self.calls.append(("read_many", str(len(external_ids))))
        self._fail(after=False)
        return [self._record(one) for one in external_ids if one in self.records]

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """See ports/survey.py."""
        value = record.raw.get(field)
        return value if isinstance(value, str) else None

    async def close(self) -> None:
        """See the port."""
        self.calls.append(("close", ""))

    def _record(self, external_id: str) -> DeskRecord:
        raw = self.records.get(external_id)
        if raw is None:
            raise NotFound("the desk knows no such record", field="id", value=external_id)
        return DeskRecord(
            external_id=external_id,
            version=raw["version"],
            updated_at=datetime.fromisoformat(raw["updated"]),
            updated_by=raw["author"],
            raw=dict(raw),
        )

    def _change(self, external_id: str, fields: Mapping[str, str], author: str) -> None:
        _known(fields)
        raw = self.records[external_id]
        raw.update(fields)
        raw["version"] = str(int(raw["version"]) + 1)
        raw["author"], raw["updated"] = author, self._clock().isoformat()
        self._feed.append((external_id, raw["version"]))

    def _say(self, external_id: str, write: DeskWrite) -> None:
        for kind, text in (("comment", write.comment), ("note", write.note)):
            if text:
                self.said.append((external_id, kind, text))

    def _fail(self, *, after: bool) -> None:
        if self.failures and self.failures[0].after_commit is after:
            raise self.failures.pop(0).error


def _known(fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        if name not in FIELDS:
            raise Permanent("this desk has no such field", field=name, value=value)


def _meets(raw: Mapping[str, object], expect: Mapping[str, Sequence[str]]) -> None:
    for field, allowed in expect.items():
        if raw.get(field) not in allowed:
            raise Conflict("the record changed at the desk", field=field, value=str(raw.get(field)))
