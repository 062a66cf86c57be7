"""Fetching whole records by number, so that one which can't be read hides no other.

Used by `changes.py` and `survey.py`, which list only numbers and rowstamps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from dragoman.desks.maximo.fields import record_of
from dragoman.desks.maximo.rest import Rest
from dragoman.domain.errors import DragomanError
from dragoman.ports.desk import DeskRecord
from dragoman.transport.http_errors import BodyTooLarge, NotJson, ServerFailed

OF_ONE = (BodyTooLarge, NotJson, ServerFailed)
"""Failures that one record among many can cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """records: in the order asked for. unreadable: (raw, reason). kept: (number, version)."""

    records: list[DeskRecord] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)


class Fetch:
    """Fetches from one object structure. size: records of one request."""

    def __init__(self, rest: Rest, size: int) -> None:
        self._rest = rest
        self._size = size

    async def whole(self, wanted: Sequence[tuple[str, str]]) -> Fetched:
        """wanted: (number, version). What is gone meanwhile is left out."""
        got = Fetched()
        uid = self._rest.uid
        for start in range(0, len(wanted), self._size):
            lot = dict(wanted[start : start + self._size])
            found, failed = await self._lot(list(lot))
            by_id = {str(raw.get(uid)): raw for raw in found if isinstance(raw, Mapping)}
            for number, version in lot.items():
                try:
                    if number in failed:
                        raise failed[number]
                    if number not in by_id:
                        continue  # deleted, or hidden, since the list was made
                    record = record_of(by_id[number], uid)
                    got.records.append(record)
                    got.kept.append((number, record.version))
                except DragomanError as error:
                    raw = as_text(by_id.get(number, {uid: number}))
                    got.unreadable.append((raw, str(error)))
                    got.kept.append((number, version))
        return got

    async def _lot(self, uids: Sequence[str]) -> tuple[list[object], dict[str, DragomanError]]:
        """Whole records by number; one by one if the lot fails, so that one can't hide the others.

        Raises the failure if it hits every single one: then it is the desk's.
        """
        try:
            return list(await self._rest.whole(uids)), {}
        except OF_ONE as error:
            if len(uids) == 1 and not isinstance(error, BodyTooLarge):
                raise
        found: list[object] = []
        failed: dict[str, DragomanError] = {}
        for number in uids:
            try:
                found += await self._rest.whole([number])
            except OF_ONE as error:
                failed[number] = error
                if len(failed) > 2 and not found and not isinstance(error, BodyTooLarge):
                    raise
        if not found and not any(isinstance(e, BodyTooLarge) for e in failed.values()):
            raise next(iter(failed.values()))
        return found, failed


def as_text(raw: object) -> str:
    """A raw item as a dead letter keeps it."""
    return msgspec.json.encode(raw).decode()[:65_536]
