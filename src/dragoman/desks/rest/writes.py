"""Writing to a record so that one key has one effect and nothing is ignored in silence.

Used by client.py. A write is fields, then what is said, then a change of state, each a request of
its own. Before a retry each part is looked for: fields by reading the record, comments by our mark
in them. Afterwards the record is read back, since many desks answer 2xx to what they ignore.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dragoman.config.jmes import reader
from dragoman.desks.rest.compose import Composer, Said, needs_fresh
from dragoman.desks.rest.errors import Stale
from dragoman.desks.rest.fields import Fields
from dragoman.desks.rest.pages import Pages
from dragoman.desks.rest.requests import Call, Request
from dragoman.desks.rest.settings import PagingTable, RestSettings
from dragoman.desks.rest.wire import Told, Wire
from dragoman.domain.errors import BadInput, Conflict, NeedsHuman, Permanent
from dragoman.domain.mapping import Reader
from dragoman.ports.desk import DeskRecord, DeskWrite

_TRIES = 3
Reading = tuple[DeskRecord, str]
"""A record and its ETag."""


class Writes:
    """Updates of records."""

    def __init__(
        self, wire: Wire, settings: RestSettings, composer: Composer, fields: Fields
    ) -> None:
        self._wire = wire
        self._comments = settings.requests.comments
        self._paging = settings.paging
        self._composer = composer
        self._fields = fields

    async def update(self, record_id: str, write: DeskWrite) -> DeskRecord:
        """See `Desk.write`."""
        parts = self._composer.parts(write)
        before = await self._wire.read(record_id)
        said = await self._already_said(record_id, parts.said) if write.retried else {}
        wanted = parts.fields or ({parts.state_field: parts.state} if parts.state else {})
        went = write.retried and bool(wanted) and self._fields.has(before[0], wanted)
        reading: Reading | None = before
        sent: dict[str, str] = {}
        if not said and not went:
            self._fields.meets(before[0], write.expect)
            if parts.fields:
                await self._put(before, parts.fields, write)
                reading, sent = None, dict(parts.fields)
        for one in parts.said:
            if one.mark not in said or one.request.then is not None:
                await self._say(record_id, reading, one, said.get(one.mark))
                reading = None
        if parts.state and await self._move(record_id, reading, parts.state, write.key):
            reading, sent = None, {**sent, parts.state_field: parts.state}
        if reading is not None:
            return reading[0]
        after, _ = await self._wire.read(record_id)
        self._fields.took(after, sent)
        return after

    async def _put(self, reading: Reading, fields: Mapping[str, str], write: DeskWrite) -> None:
        record_id = reading[0].external_id

        def render(record: DeskRecord, etag: str) -> Call:
            self._fields.meets(record, write.expect)
            return self._composer.update(record, etag, fields, write.key)

        request = self._composer.update_request
        doing = f"a change of record {record_id[:60]}"
        try:
            await self._send(record_id, request, render, doing, reading)
        except Permanent as error:
            raise _named(error, fields) from error

    async def _say(
        self, record_id: str, reading: Reading | None, one: Said, known: str | None
    ) -> None:
        """Say it, unless it is said; then attach it, which may be done twice without harm."""
        doing = f"a comment on record {record_id[:60]}"
        made = known or ""
        if known is None:

            def render(record: DeskRecord, etag: str) -> Call:
                return self._composer.comment(record, etag, one)

            told = await self._send(record_id, one.request, render, doing, reading)
            made = _made(one, told)
        then = one.request.then
        if then is None:
            return
        if not made:
            raise NeedsHuman(
                f"{doing} was made, but no answer tells its id, so it can't be attached",
                field="requests.comment.made",
                mend="set made in requests.comment and in requests.comments",
            )
        attach = made

        def attached(record: DeskRecord, etag: str) -> Call:
            return self._composer.then(record, etag, one, attach)

        await self._send(record_id, then, attached, doing, None)

    async def _move(self, record_id: str, reading: Reading | None, state: str, key: str) -> bool:
        """Change the state, unless it is so already."""
        request = self._composer.transition_request
        current = reading or await self._wire.read(record_id)
        if self._fields.same(state, current[0].raw, request.field):
            return False

        def render(record: DeskRecord, etag: str) -> Call:
            return self._composer.transition(record, etag, state, key)

        doing = f"a transition of record {record_id[:60]}"
        try:
            await self._send(record_id, request, render, doing, current)
        except Permanent as error:
            raise _named(error, {request.field: state}) from error
        return True

    async def _send(
        self,
        record_id: str,
        request: Request,
        render: Callable[[DeskRecord, str], Call],
        doing: str,
        reading: Reading | None,
    ) -> Told:
        """Send what is rendered from a reading; again on a fresh one if somebody was faster."""
        for attempt in range(_TRIES):
            if reading is None:
                reading = await self._wire.read(record_id)
            try:
                return await self._wire.send(render(*reading), doing, of_one=True)
            except Conflict as error:
                stale = isinstance(error, Stale) or request.uses("version")
                if not (needs_fresh(request) and stale) or attempt == _TRIES - 1:
                    raise
                reading = None
        raise AssertionError("the last attempt returns or raises")

    async def _already_said(self, record_id: str, texts: Sequence[Said]) -> dict[str, str]:
        """Marks that stand in the record's comments → the comment's id, "" where none is told.

        Anywhere in a text, for some desks wrap it in HTML.
        """
        request = self._comments
        if request is None or not texts:
            return {}
        pages = Pages(self._wire, request, self._paging if request.paged else PagingTable())
        text_of, by_mark = reader(request.text), request.uses("mark") or request.uses("key")
        made = None if request.made is None else reader(request.made)
        marks = {one.mark for one in texts}
        found: dict[str, str] = {}
        for one in texts if by_mark else texts[:1]:
            values = {"id": record_id, "key": one.key, "mark": one.mark}
            async for page in pages.all(values):
                for item in page.items:
                    text = str(_quiet(text_of, item))
                    for mark in (mark for mark in marks if mark in text):
                        found.setdefault(mark, "" if made is None else str(_quiet(made, item)))
        return found


def _quiet(read: Reader, item: Any) -> object:
    """A value of an item, "" if it has none: some items of a history say nothing."""
    try:
        found = read(item)
    except BadInput:
        return ""
    return "" if found is None else found


def _made(one: Said, told: Told) -> str:
    if one.request.made is None:
        return ""
    return str(_quiet(reader(one.request.made), told.body))


def _named(error: Permanent, fields: Mapping[str, str]) -> Permanent:
    """The refusal with the field that the desk's words name, where they name one."""
    named = [name for name in fields if name in error.text]
    if isinstance(error, Conflict) or error.field or len(named) != 1:
        return error
    return type(error)(error.text, field=named[0], value=fields[named[0]], mend=error.mend)
