"""Finding changes on a desk that tells no time of its updates: all records, compared with before.

Used by client.py. The cursor holds id → hash of every record of the list, packed, so a restart
compares with what was seen before it. A record that leaves the list is read once more: it may have
been closed. One that is only hidden by pages that shift is kept.
"""

import base64
import zlib
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from dragoman.config.jmes import reader
from dragoman.desks.rest.errors import Gone
from dragoman.desks.rest.fetch import Fetch
from dragoman.desks.rest.fields import Row
from dragoman.desks.rest.pages import OF_ONE, Pages
from dragoman.desks.rest.settings import RestSettings
from dragoman.desks.rest.wire import Wire
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.domain.watermark import Seen
from dragoman.ports.desk import DeskPage, DeskRecord

PREFIX = "snapshot1 "
_HASH = 6  # bytes: two versions of one record look the same once in 2.8e14
_MISSES = 3
_LEFT_AT_ONCE = 20
_MAX_CURSOR = 16 * 1024 * 1024


def packed(held: Mapping[str, str]) -> str:
    """The cursor of a snapshot."""
    ids = sorted(held, key=order)
    hashes = b"".join(bytes.fromhex(held[one]) for one in ids)
    whole = msgspec.msgpack.encode(["\n".join(ids), hashes])
    return PREFIX + base64.b85encode(zlib.compress(whole, 6)).decode()


def unpacked(cursor: str) -> dict[str, str]:
    """id → hash. Raises BadInput for anything that `packed` didn't make."""
    ids: list[str] = []
    hashes = b"\0"
    with suppress(ValueError, zlib.error, msgspec.DecodeError):
        unzip = zlib.decompressobj()
        whole = unzip.decompress(base64.b85decode(cursor.removeprefix(PREFIX)), _MAX_CURSOR)
        text, hashes = msgspec.msgpack.decode(whole, type=tuple[str, bytes])
        ids = text.split("\n") if text else []
    if not cursor.startswith(PREFIX) or len(hashes) != _HASH * len(ids):
        raise BadInput(
            "this is no cursor of a snapshot",
            field="cursor",
            value=cursor[:60],
            mend='start with ""',
        )
    return {one: hashes[at * _HASH : (at + 1) * _HASH].hex() for at, one in enumerate(ids)}


def order(record_id: str) -> tuple[int, int, str]:
    """Numbers by size, then texts."""
    return (0, int(record_id), "") if record_id.isdecimal() else (1, 0, record_id)


class Snapshot:
    """The poller of one desk."""

    def __init__(self, wire: Wire, settings: RestSettings) -> None:
        self._wire = wire
        self._pages = Pages(wire, settings.requests.list, settings.paging)
        self._fetch = Fetch(wire, settings)
        self._limit = settings.changes.limit
        self._keep = None if settings.changes.keep is None else reader(settings.changes.keep)
        self._seen = Seen()
        self._waiting: list[Row] = []
        self._left: list[str] = []
        self._misses: dict[str, int] = {}
        self._handed = ""

    async def page(self, cursor: str, limit: int) -> DeskPage:
        """See `Desk.changes`."""
        held = unpacked(cursor) if cursor else {}
        self._seen.resume(cursor)
        bad: list[tuple[str, str]] = []
        if not cursor or cursor != self._handed or not (self._waiting or self._left):
            bad = await self._refill(held)
        if not cursor:
            return self._from_now()
        rows = self._waiting[:limit]
        got = await self._fetch.rows(rows, Seen(1))
        del self._waiting[:limit]
        held.update({row.id: _short(row.mark) for row in rows})
        for record_id in got.gone:
            held.pop(record_id, None)
        records, unreadable = list(got.records), [*bad, *got.unreadable]
        while self._left and len(records) < limit:
            record = await self._one_that_left(self._left[0], held, unreadable)
            records += [] if record is None else [record]
            del self._left[0]
        self._handed = packed(held)
        self._seen.offer(self._handed, [(raw, text) for raw, text in bad])
        more = bool(self._waiting or self._left)
        return DeskPage(records=records, cursor=self._handed, more=more, unreadable=unreadable)

    def _from_now(self) -> DeskPage:
        """All that is there now is known: nothing of it is reported."""
        self._handed = packed({row.id: _short(row.mark) for row in self._waiting})
        self._waiting.clear()
        self._left.clear()
        return DeskPage(records=(), cursor=self._handed, more=False)

    async def _refill(self, held: Mapping[str, str]) -> list[tuple[str, str]]:
        """Walk the whole list; queue what differs and what left it."""
        rows: dict[str, Row] = {}
        bad: list[tuple[str, str]] = []
        async for page in self._pages.all({}):
            bad += page.broken
            for item in page.items:
                try:
                    row = self._wire.shape.row(item)
                except BadInput as error:
                    bad.append((msgspec.json.encode(item).decode()[:65_536], str(error)))
                    continue
                if self._keep is None or self._keep(row.raw):
                    rows[row.id] = row
            if len(rows) > self._limit:
                raise NeedsHuman(
                    "the list holds more records than a snapshot may",
                    field="changes.limit",
                    value=str(self._limit),
                    mend="narrow requests.list.query to open records, or raise changes.limit",
                )
        self._waiting = [one for one in rows.values() if held.get(one.id) != _short(one.mark)]
        self._waiting.sort(key=lambda row: order(row.id))
        self._misses = {one: n for one, n in self._misses.items() if one not in rows}
        self._left = [one for one in held if one not in rows][:_LEFT_AT_ONCE]
        return [(raw, text) for raw, text in bad if not self._seen.has(raw, text)]

    async def _one_that_left(
        self, record_id: str, held: dict[str, str], unreadable: list[tuple[str, str]]
    ) -> DeskRecord | None:
        """A record that isn't in the list any more, if that is news."""
        try:
            record, _ = await self._wire.read(record_id)
        except Gone:
            held.pop(record_id)
            return None
        except OF_ONE as error:
            note = (record_id, f"record {record_id[:60]}: {error}")
            if not self._seen.has(*note):
                self._seen.add(*note)
                unreadable.append(note)
            return None
        self._misses[record_id] = self._misses.get(record_id, 0) + 1
        outside = self._keep is not None and not self._keep(record.raw)
        if not outside and self._misses[record_id] < _MISSES:
            return None
        self._misses.pop(record_id)
        held.pop(record_id)
        return record


def _short(mark: str) -> str:
    """The part of a row's mark that the cursor keeps."""
    try:
        return bytes.fromhex(mark)[:_HASH].ljust(_HASH, b"\0").hex()
    except ValueError:  # a version of the desk's own
        return f"{zlib.crc32(mark.encode()):08x}{len(mark) % 65_536:04x}"
