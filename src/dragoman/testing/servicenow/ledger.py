"""The desk's own account of every write: who wrote what to which record, and when.

Called by `instance` at the moment a write is committed; read by tests, the demo and the benchmark
as a witness that doesn't depend on the gateway. It knows nothing of the gateway's journal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One committed write.

    `seq` counts from 1 without gaps. `time` is the true time (no clock offset), aware, UTC.
    `sent` holds what the caller sent, also unknown and unchanged fields; `changed` what the write
    changed in the record, comments and work notes included. An update that changed nothing has an
    empty `changed`: so a repeated write shows.
    """

    seq: int
    time: datetime
    operation: str
    table: str
    sys_id: str
    number: str
    user: str
    sent: Mapping[str, object]
    changed: Mapping[str, str]


class Ledger:
    """All entries in order, and by record."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._by_record: dict[str, list[Entry]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, entry: Entry) -> None:
        """Add the next entry."""
        self._entries.append(entry)
        self._by_record.setdefault(entry.sys_id, []).append(entry)

    def entries(self, *, user: str | None = None, after: int = 0) -> Iterator[Entry]:
        """Entries with seq beyond `after`, oldest first, of one user or of all."""
        for entry in self._entries[after:]:
            if user is None or entry.user == user:
                yield entry

    def of(self, sys_id: str, *, user: str | None = None) -> list[Entry]:
        """The entries of one record, oldest first, of one user or of all."""
        found = self._by_record.get(sys_id, [])
        return [entry for entry in found if user is None or entry.user == user]
