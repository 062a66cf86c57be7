"""Creating a record once: our key is looked up first, and the record found by it has to hold it.

Used by client.py. An empty key never matches; more than one match needs a human.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from dragoman.config.jmes import reader
from dragoman.desks.rest.errors import Gone
from dragoman.desks.rest.fields import Fields, merged, put
from dragoman.desks.rest.pages import Pages
from dragoman.desks.rest.requests import Call, CreateRequest, FindRequest
from dragoman.desks.rest.settings import PagingTable, RestSettings
from dragoman.desks.rest.wire import Told, Wire
from dragoman.desks.rest.writes import Writes
from dragoman.domain.errors import BadInput, NeedsHuman, Permanent
from dragoman.ports.desk import DeskRecord, DeskWrite
from dragoman.transport.http_errors import NotJson

_CANDIDATES = 10


class Creates:
    """Creations at one desk."""

    def __init__(self, wire: Wire, settings: RestSettings, fields: Fields, writes: Writes) -> None:
        self._wire = wire
        self._create = settings.requests.create
        self._find = settings.requests.find
        self._paging = settings.paging
        self._whole = settings.changes.whole
        self._fields = fields
        self._writes = writes

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See `Desk.create`. The look-up comes first in any case: it is cheap, a double is not."""
        if not write.key:
            raise Permanent("a record can't be created without a key", field="key")
        create, find = self._required()
        record = await self._with_key(find, write.key)
        if record is None:
            told = await self._wire.send(await self._call(create, write), "a new record")
            record, _ = await self._wire.read(self._id_of(create, told))
            self._require_key(find, record, write.key)
            self._fields.took(record, write.fields)
        comment = "" if create.uses("comment") else write.comment
        note = "" if create.uses("note") else write.note
        if not (comment or note):
            return record
        said = DeskWrite(key=write.key, comment=comment, note=note, retried=True)
        return await self._writes.update(record.external_id, said)

    def calls(self, write: DeskWrite) -> Sequence[Call]:
        """The requests of a creation, the search before it left out. Raises as `create`."""
        create, _ = self._required()
        call = self._rendered(create, write)
        if create.once is None:
            return [call]
        once = create.once.render({"key": write.key})
        return [once, replace(call, path="/THE-ONE-TIME-ADDRESS")]

    def _required(self) -> tuple[CreateRequest, FindRequest]:
        if self._create is None or self._find is None:
            raise Permanent(
                "the configuration has no request for this: requests.create",
                mend="add [desks.NAME.requests.create] and [desks.NAME.requests.find]",
            )
        return self._create, self._find

    def _rendered(self, create: CreateRequest, write: DeskWrite) -> Call:
        """The request that creates, before a one-time address is put in."""
        values = {"key": write.key, "comment": write.comment, "note": write.note}
        call = create.render(values)
        body = merged(call.body or {}, self._fields.placed(write.fields, create.fields_in))
        if create.key_in:
            put(body, create.key_in.split("."), write.key)
        return replace(call, body=body)

    async def _call(self, create: CreateRequest, write: DeskWrite) -> Call:
        call = self._rendered(create, write)
        if create.once is None:
            return call
        told = await self._wire.send(create.once.render({"key": write.key}), "a one-time address")
        link: Any = reader(create.once.link)(told.body)
        if not isinstance(link, str) or not link:
            raise NotJson("the desk's answer holds no one-time address at requests.create.once")
        return self._wire.followed(call, link)

    def _id_of(self, create: CreateRequest, told: Told) -> str:
        found: Any = None
        if create.made is not None:
            found = reader(create.made)(told.body)
        else:
            path = urlsplit(told.headers.get("location", "")).path.rstrip("/")
            found = unquote(path.rpartition("/")[2]).removesuffix(".json")
        if isinstance(found, bool) or not isinstance(found, str | int) or not str(found):
            raise NotJson("the desk's answer doesn't tell the new record's id (requests.create)")
        return str(found)

    async def _with_key(self, find: FindRequest, key: str) -> DeskRecord | None:
        """The one record with this key. Each candidate is read and looked at on our side."""
        pages = Pages(self._wire, find, self._paging if find.paged else PagingTable())
        candidates: list[str] = []
        async for page in pages.all({"key": key}):
            for item in page.items:
                with suppress(BadInput):  # an item that is no record is not ours
                    if self._may_hold(find, item, key):
                        candidates.append(self._wire.shape.row_id(item))
        if len(candidates) > _CANDIDATES:
            raise NeedsHuman(
                f"the desk answers a search by our key with {len(candidates)} records",
                field="requests.find.query",
                value=key,
                mend="see that the desk searches this field: some ignore what they don't know",
            )
        matching: dict[str, DeskRecord] = {}
        for record_id in candidates:
            with suppress(Gone):
                record, _ = await self._wire.read(record_id)
                if _key_in(find, record.raw) == key:
                    matching[record_id] = record
        if len(matching) > 1:
            raise NeedsHuman(
                f"{len(matching)} records have the same key: {', '.join(matching)[:200]}",
                field="requests.find.key",
                value=key,
                mend="merge them at the desk, or empty the field on all but one",
            )
        return next(iter(matching.values()), None)

    def _may_hold(self, find: FindRequest, item: object, key: str) -> bool:
        """Whether a list's item has our key, or doesn't tell, so that the record has to be read."""
        told = _key_in(find, item) if isinstance(item, Mapping) else ""
        return told == key or (told == "" and not self._whole)

    def _require_key(self, find: FindRequest, record: DeskRecord, key: str) -> None:
        if _key_in(find, record.raw) != key:
            raise NeedsHuman(
                "the desk doesn't keep our key, so a retry would make a second record",
                field="requests.find.key",
                value=f"record {record.external_id[:60]}",
                mend="name a text field that the account may read and write",
            )


def _key_in(find: FindRequest, raw: Mapping[str, object]) -> str:
    found = reader(find.key)(raw)
    return "" if found is None else str(found).strip()
