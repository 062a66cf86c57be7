"""What a desk may offer besides its port, so that both sides can be compared at little cost.

An adapter's desk may have these members, too. flow/reconcile uses them where they are; where
they aren't, it reads record by record and can neither find records without a case nor notice that
one has left the desk's filter.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from dragoman.ports.desk import DeskPage, DeskRecord


@runtime_checkable
class Survey(Protocol):
    """All calls raise RetryLater, Permanent or NeedsHuman."""

    @property
    def batch(self) -> int:
        """How many records one call gives at most; a call should be about one request."""
        ...

    async def survey(self, after: str, limit: int) -> DeskPage:
        """Records that are open by the desk's own notion and pass the adapter's own filter.

        In a fixed order (by id), from `after` on ("" = the first); the page's cursor goes on. At
        most `limit` records, which may be fewer although there are more.
        Records that change meanwhile are given once; none that stays open is left out.
        """
        ...

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """Those of these records that exist and pass the adapter's own filter, open or not."""
        ...

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """The raw value of a field that a DeskWrite can name; None if the record doesn't show it.

        Equal values give equal texts, in every language and time zone of the account.
        """
        ...
