"""Look-ups of one desk's past in the journal. Used by desks.py and mending.py."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from dragoman.domain.case import Case, CaseState, PastCase
from dragoman.domain.change import Entry
from dragoman.domain.reconcile.desk import Receipt
from dragoman.flow.kit import Kit
from dragoman.ports.journal import Find, RowT

T = TypeVar("T")

PART = 200
"""Rows that one look-up names."""
PAGE = 500


async def every(
    kit: Kit,
    row: type[RowT],
    where: Mapping[str, str | Sequence[str]],
    *,
    after: str = "",
    since: datetime | None = None,
) -> list[RowT]:
    """Every row that matches, in order of creation, page by page."""
    rows: list[RowT] = []
    while True:
        found = await kit.journal.find(row, Find(where=where, after=after, limit=PAGE, since=since))
        rows += found.rows
        after = found.next
        if not after:
            return rows


def parts(values: Sequence[T], size: int = PART) -> Iterator[Sequence[T]]:
    """Slices of at most so many values."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One desk's past."""

    kit: Kit
    desk: str

    async def closings(self, after: str, since: datetime) -> list[Entry]:
        """The entries of cases that were closed since then. after: the seq of the last known."""
        where = {"action": "case.closed", "desk": self.desk}
        return await every(self.kit, Entry, where, after=after, since=since)

    async def closed(self, case_ids: Sequence[str]) -> list[Case]:
        """These cases, as far as they are closed."""
        found: list[Case] = []
        for part in parts(case_ids):
            found += await every(self.kit, Case, {"id": part})
        return [case for case in found if case.state is CaseState.CLOSED]

    async def closed_of(self, external_ids: Iterable[str]) -> dict[str, Case]:
        """The newest closed case of each of these records that has no open one."""
        site = self.kit.site
        found: dict[str, Case] = {}
        for part in parts([one for one in external_ids if site.case_of(self.desk, one) is None]):
            where = {"desk": self.desk, "external_id": part}
            for case in await every(self.kit, Case, where):
                if case.state is CaseState.CLOSED:
                    found[case.external_id] = case
        return found

    async def archived(self, external_ids: Iterable[str]) -> set[str]:
        """Those of these records whose case was closed long ago and has left the journal."""
        found: set[str] = set()
        for part in parts(list(external_ids)):
            where = {"desk": self.desk, "external_id": part}
            found |= {past.external_id for past in await every(self.kit, PastCase, where)}
        return found

    async def receipts(self, case_ids: Sequence[str]) -> dict[str, Receipt]:
        """The newest receipt of each case."""
        found: dict[str, Receipt] = {}
        for part in parts(case_ids):
            for entry in await every(self.kit, Entry, {"case_id": part, "action": "desk.updated"}):
                receipt = Receipt.of(entry.data)
                if receipt is not None:
                    found[entry.case_id] = receipt
        return found
