"""Walks through a desk as `dragoman desk try` does, and notes what it saw and what is missing.

Used by desk.py. Nothing is written at the desk. Everything goes through the Desk port; an adapter
that offers a `Rehearsal` also gives samples and the exact requests of a write.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from dragoman.cli.telling import tellings
from dragoman.config.drift import drifts
from dragoman.config.model import Config, DeskTable
from dragoman.domain.case import CaseDraft
from dragoman.domain.errors import BadInput, DragomanError
from dragoman.domain.mapping import FAULT
from dragoman.domain.mission import normal
from dragoman.domain.status import Told
from dragoman.domain.watermark import Watermark
from dragoman.ports.desk import Desk, DeskRecord, DeskWrite, Rehearsal
from dragoman.ports.schema import Schema

Mark = Literal["ok", "missing", "failed"]
_LOOK_BACK = timedelta(days=30)
_WANTED = (Told.ASSIGNED, Told.DONE, Told.FAILED)
_KEY = "dry-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step saw. data: JSON-ready details."""

    mark: Mark
    step: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Trial:
    """One walk. status: show this one alone. steps: filled by `run`."""

    config: Config
    name: str
    desk: Desk
    now: datetime
    status: str = ""
    steps: list[Step] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether a step did not work."""
        return any(step.mark == "failed" for step in self.steps)

    async def run(self, record_id: str) -> None:
        """Walk until something fails. record_id: which record to read, "" for any."""
        try:
            cursor = (await self.desk.changes("", 5)).cursor
            self._note("ok", "log in and list", "the desk answers a list of changes")
        except DragomanError as error:
            self._failed("log in and list", error)
            return
        try:
            records = await self._records(cursor, record_id)
        except DragomanError as error:
            self._failed("read", error)
            return
        if not records:
            text = "no record was seen: open one at the desk, or name one with --record"
            self._note("missing", "read", text)
            return
        self._seen(records)
        draft = self._mapped(records[0])
        await self._checked()
        if draft is not None:
            await self._writes(records[0], draft)

    def _note(self, mark: Mark, step: str, text: str, **data: Any) -> None:
        self.steps.append(Step(mark=mark, step=step, text=text, data=data))

    def _failed(self, step: str, error: DragomanError) -> None:
        told = {"text": error.text, "field": error.field, "value": error.value, "mend": error.mend}
        kind = type(error).__name__
        self._note("failed", step, str(error), error={"kind": kind, **told})

    async def _records(self, cursor: str, record_id: str) -> Sequence[DeskRecord]:
        if record_id:
            return [await self.desk.read(record_id)]
        if isinstance(self.desk, Rehearsal):
            return await self.desk.sample(5)
        try:
            mark = Watermark.decode(cursor)
        except BadInput:  # a desk that doesn't go by time
            return []
        back = replace(mark, at=mark.at - _LOOK_BACK, floor=mark.floor - _LOOK_BACK)
        found = (await self.desk.changes(back.encode(), 5)).records
        return [await self.desk.read(found[-1].external_id)] if found else []

    def _seen(self, records: Sequence[DeskRecord]) -> None:
        one = records[0]
        when = one.updated_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        text = f"record {one.external_id}, version {one.version}, changed {when} UTC"
        text += f" by {one.updated_by}" if one.updated_by else ""
        self._note("ok", "read", text, record=one.raw, id=one.external_id, version=one.version)
        if not one.updated_by:
            self._note(
                "missing",
                "read",
                "the record doesn't tell who changed it, so our own changes come back as news",
            )

    def _mapped(self, record: DeskRecord) -> CaseDraft | None:
        """What the mapping reads from a record."""
        incoming = self._table.incoming
        try:
            wanted = incoming.wanted(record.raw)
            draft = incoming.draft(
                record.external_id, record.version, record.updated_at, record.raw
            )
        except BadInput as error:
            self._failed("mapping", error)
            return None
        read = dict(_values(draft))
        text = ", ".join(f"{name} {value}" for name, value in read.items() if value)
        self._note("ok", "mapping", text, values=read, becomes_a_case=wanted)
        empty = [name for name, value in read.items() if not value]
        if empty:
            self._note("missing", "mapping", f"no value for {', '.join(empty)}", fields=empty)
        if not wanted:
            self._note("missing", "mapping", "read.when is not true of it: it becomes no case")
        if draft.kind not in self.config.missions:
            self._note("missing", "mapping", f"there is no [missions.{draft.kind}]")
        if draft.location and normal(draft.location) not in self.config.places():
            self._note("missing", "mapping", f"there is no place {draft.location!r} in [locations]")
        return draft

    async def _checked(self) -> None:
        """The whole mapping against the desk's list of fields, where it has one."""
        if not isinstance(self.desk, Schema):
            return
        try:
            fields = await self.desk.fields()
        except DragomanError as error:
            self._note("missing", "fields", f"the mapping can't be checked: {error}")
            return
        text = f"the mapping is checked against {len(fields)} fields of the desk"
        self._note("ok", "fields", text)
        for one in drifts(self._table, fields, creates=self.config.faults.desk == self.name):
            self._note("missing", "fields", str(one))

    async def _writes(self, record: DeskRecord, draft: CaseDraft) -> None:
        """The mapped write of each status, and the requests of the chosen one."""
        told = tellings(self._table, self.name, draft, self.now)
        payloads = {status: telling.payload for status, telling in told.items()}
        for wanted in () if self.status else _WANTED:
            if wanted not in payloads:
                text = f"nothing is told at {wanted}: add write.{wanted}"
                self._note("missing", "write", text)
        opens_faults = self.config.faults.desk == self.name
        if opens_faults and FAULT not in payloads and not self.status:
            self._note("missing", "write", "robots' faults open records here: add write.fault")
        shown = self.status or next((s for s in (*_WANTED, *payloads) if s in payloads), "")
        if self.status and self.status not in payloads:
            self._note("missing", "write", f"nothing is told at {self.status}")
        for status, payload in payloads.items():
            if self.status and status != self.status:
                continue
            if status == FAULT and not opens_faults and status != shown:
                continue
            await self._write(record, status, payload, show=status == shown)

    async def _write(
        self, record: DeskRecord, status: str, payload: Mapping[str, Any], *, show: bool
    ) -> None:
        write = DeskWrite(key=_KEY, **payload)
        data: dict[str, Any] = {"status": status, "write": payload}
        if isinstance(self.desk, Rehearsal):
            try:
                target = "" if status == FAULT else record.external_id
                requests = await self.desk.planned(target, write)
                lacking = () if status == FAULT else self.desk.lacking(record, write)
            except DragomanError as error:
                self._failed(f"write {status}", error)
                return
            for text in lacking:
                self._note("missing", f"write {status}", text)
            if show:
                data["requests"] = list(requests)
        self._note("ok", f"write {status}", _summary(payload), **data)

    @property
    def _table(self) -> DeskTable:
        return self.config.desks[self.name]


def _values(draft: CaseDraft) -> Iterator[tuple[str, str]]:
    """What was read, by the names of the mapping."""
    for name in ("number", "kind", "title", "priority", "location"):
        yield name, str(getattr(draft, name))
    yield "opened_at", draft.opened_at.isoformat()
    yield "phase", draft.phase.value
    for name, value in draft.fields.items():
        yield f"fields.{name}", value


def _summary(payload: Mapping[str, Any]) -> str:
    """A mapped write in one line."""
    parts = [f"{name} = {value!r}" for name, value in payload["fields"].items()]
    parts += [f"{kind} {payload[kind]!r}" for kind in ("comment", "note") if payload[kind]]
    expect = [f"{name} is {' or '.join(allowed)}" for name, allowed in payload["expect"].items()]
    return ", ".join(parts) + (f"; only while {', '.join(expect)}" if expect else "")
