"""A desk's records, read for comparison; and the receipt of a write. Used by desks.py.

The receipt is also asked for by the courier, which gets the record back from each write anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dragoman.domain.backlog import Backlog
from dragoman.domain.case import Case, CaseDraft, DeskPhase
from dragoman.domain.errors import (
    BadInput,
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

HOPELESS = 3
"""So many records in a row that can't be read: it is the desk's trouble, and no more are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One desk as reconcile reads it. written: the fields that the outgoing mapping may write.

    backlog: as of the desk's intake.
    """

    desk: Desk
    mapping: Incoming
    written: Sequence[str] = ()
    survey: Survey | None = field(default=None)
    backlog: Backlog = Backlog.ON_CHANGE

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
        """The desk's side of each, those that can't be read or aren't there included.

        Where a lot can't be read, each is read alone, so that one can't hide the others.
        """
        found: dict[str, Theirs] = {}
        left = False
        if self.survey is not None:
            try:
                records = await self.survey.read_many(external_ids)
            except (RetryLater, NeedsHuman, Permanent):
                records = ()
            else:
                left = True  # what isn't among them is gone, or has left the desk's filter
            found = {record.external_id: self.theirs(record) for record in records}
        failures = 0
        why = ""
        for external_id in external_ids:
            if external_id in found:
                continue
            if failures >= HOPELESS:
                found[external_id] = Theirs(unknown=why)
                continue
            found[external_id], why = await self._one(external_id, listed=not left)
            failures = failures + 1 if why else 0
        return found

    async def _one(self, external_id: str, *, listed: bool) -> tuple[Theirs, str]:
        """One record, and why it could not be read if that may be the desk's trouble."""
        try:
            record = await self.desk.read(external_id)
        except NotFound:
            return Theirs(listed=False), ""
        except Permanent as error:
            return Theirs(unknown=str(error)), ""
        except (RetryLater, NeedsHuman) as error:
            return Theirs(unknown=str(error)), str(error)
        return self.theirs(record, listed=listed), ""

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
