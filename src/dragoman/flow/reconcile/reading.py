"""A desk's records, read for comparison; and the receipt of a write. Used by desks.py.

The receipt is also asked for by the courier, which gets the record back from each write anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dragoman.domain.case import Case, CaseDraft, DeskPhase
from dragoman.domain.errors import (
    BadInput,
    DragomanError,
    NeedsHuman,
    NotFound,
    Permanent,
    RetryLater,
)
from dragoman.domain.mapping import Incoming, differs
from dragoman.domain.reconcile.desk import Receipt, Theirs
from dragoman.domain.reconcile.mismatch import digest
from dragoman.ports.desk import Desk, DeskRecord
from dragoman.ports.survey import Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One desk as reconcile reads it. written: the fields that the outgoing mapping may write."""

    desk: Desk
    mapping: Incoming
    written: Sequence[str] = ()
    survey: Survey | None = field(default=None)

    @property
    def batch(self) -> int:
        """How many records one request reads."""
        return max(1, self.survey.batch) if self.survey is not None else 1

    def receipt(self, record: DeskRecord) -> Mapping[str, object]:
        """What the desk shows after a write: JSON-ready, for the entry `desk.updated`."""
        try:
            phase = self._draft(record).phase
        except BadInput:
            phase = None
        found = Receipt(
            version=record.version, at=record.updated_at, phase=phase, shown=self._shown(record)
        )
        return found.data()

    def has_news(self, case: Case, record: DeskRecord) -> bool:
        """Whether the record shows more than our own write: an edit that intake has not seen."""
        try:
            draft = self._draft(record)
            open_ = draft.phase is DeskPhase.OPEN and self.mapping.wanted(record.raw)
        except BadInput:
            return True
        return not open_ or bool(differs(case, draft))

    def theirs(self, record: DeskRecord, *, listed: bool = True) -> Theirs:
        """The desk's side of a case, of this record."""
        try:
            return Theirs(
                draft=self._draft(record),
                wanted=self.mapping.wanted(record.raw),
                listed=listed,
                shown=self._shown(record),
            )
        except BadInput as error:
            return Theirs(unknown=str(error), listed=listed)

    async def read(self, external_ids: Sequence[str]) -> dict[str, Theirs]:
        """The desk's side of each, those that can't be read or aren't there included."""
        found: dict[str, Theirs] = {}
        if self.survey is not None:
            try:
                records = await self.survey.read_many(external_ids)
            except (RetryLater, NeedsHuman, Permanent) as error:
                if not _of_one(error):
                    return dict.fromkeys(external_ids, Theirs(unknown=str(error)))
                records = ()
            found = {record.external_id: self.theirs(record) for record in records}
        down = ""
        for external_id in external_ids:
            if external_id in found:
                continue
            if down:
                found[external_id] = Theirs(unknown=down)
                continue
            found[external_id], down = await self._one(external_id)
        return found

    async def _one(self, external_id: str) -> tuple[Theirs, str]:
        """One record; and why the desk needn't be asked for more now, "" if it may be."""
        try:
            record = await self.desk.read(external_id)
        except NotFound:
            return Theirs(listed=False), ""
        except (RetryLater, NeedsHuman, Permanent) as error:
            return Theirs(unknown=str(error)), "" if _of_one(error) else str(error)
        return self.theirs(record, listed=self.survey is None), ""

    def _draft(self, record: DeskRecord) -> CaseDraft:
        return self.mapping.draft(record.external_id, record.version, record.updated_at, record.raw)

    def _shown(self, record: DeskRecord) -> dict[str, str]:
        """A digest of each written field that the record shows."""
        if self.survey is None:
            return {}
        shown = {name: self.survey.shown(record, name) for name in self.written}
        return {
            name: digest({"value": value}) for name, value in shown.items() if value is not None
        }


def _of_one(error: DragomanError) -> bool:
    """Whether the failure may be of this record alone: a refusal, and no trouble of the desk."""
    return isinstance(error, Permanent)
