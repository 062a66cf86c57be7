"""Writing to a record so that one key has one effect and nothing is ignored in silence.

Used by `client.py`. Attributes and entries of the work log go in one patch, which Maximo applies as
a whole; so an entry with our mark proves that the attributes went through too. The status is
changed after it, by an action of its own, for a closed record takes no patch any more. Attributes
that Maximo doesn't know, or that the object structure keeps from inbound changes, it passes over
with a 204; hence everything is compared with what the record holds afterwards. A precondition is
made firm by the record's `_rowstamp` in the patch (412 if somebody was faster).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches

from dragoman.desks.maximo.errors import DuplicateKey, Stale, StatusRefused
from dragoman.desks.maximo.fields import Raw, entry, marked, record_of, same, text_of
from dragoman.desks.maximo.rest import Rest
from dragoman.desks.maximo.schema import Schema
from dragoman.desks.maximo.settings import MaximoSettings
from dragoman.domain.errors import Conflict, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import DeskRecord, DeskWrite

STATUS = "status"
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Todo:
    """What is left of a write. patched: attributes of the patch. log: entries that go with it.
    status: whether the status has to be changed by its action. ours: attributes that an earlier
    attempt has set.
    """

    patched: Mapping[str, str]
    log: Sequence[Mapping[str, object]] = ()
    status: bool = False
    ours: frozenset[str] = frozenset()


class Writes:
    """Updates and creations in one object structure."""

    def __init__(self, rest: Rest, settings: MaximoSettings) -> None:
        self._rest = rest
        self._settings = settings
        self._schema = Schema(rest)

    async def update(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See `Desk.write`."""
        for _ in range(_TRIES):
            before = await self._rest.record(external_id, written=True)
            todo = self._todo(before, write)
            self._meets(before, write, todo)
            try:
                after = await self._apply(before, write, todo)
            except Stale:
                continue  # somebody was faster: look again whether the precondition holds
            except StatusRefused as error:
                wanted, mend = write.fields.get(STATUS, ""), await self._allowed(before)
                raise StatusRefused(error.text, field=STATUS, value=wanted, mend=mend) from error
            await self._took(after, write, todo)
            return record_of(after, self._rest.uid)
        raise RetryLater(f"{self._rest.structure} {external_id} is being changed all the time")

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See `Desk.create`. The look-up comes first in any case: it is cheap, a double is not."""
        if not write.key:
            raise Permanent("a record can't be created without a key", field="key")
        await self._schema.require_place(self._settings.correlation_field, write.key)
        number = await self._created(write.key)
        if number is None:
            number = await self._make(write)
        # what the creation couldn't say, and what an earlier attempt didn't come to
        rest = DeskWrite(
            key=write.key,
            fields={name: text for name, text in write.fields.items() if name == STATUS},
            comment=write.comment,
            note=write.note,
            retried=True,
        )
        return await self.update(number, rest)

    async def _make(self, write: DeskWrite) -> str:
        """Make the record with its work log; returns its number."""
        field = self._settings.correlation_field
        values = {name: text for name, text in write.fields.items() if name != STATUS}
        body: dict[str, object] = {**self._settings.fixed, **await self._schema.typed(values)}
        body |= {field: write.key}
        log = self._log(write)
        if log:
            body[self._settings.log] = log
        try:
            made = await self._rest.create(body)
        except DuplicateKey:
            made = None
        number = await self._created(write.key)
        if number is None:
            raise Permanent(  # not NeedsHuman, which would be tried again and make another
                f"{self._rest.structure} doesn't keep our key: there is a new record without it",
                field=field,
                value=write.key,
                mend="let the object structure take this attribute in, and delete the new record",
            )
        after = made or await self._rest.record(number, written=True)
        await self._took(after, write, _Todo(patched=values))
        return number

    def _todo(self, before: Raw, write: DeskWrite) -> _Todo:
        """What is left of a write, seen from the record before it."""
        held = {name for name, text in write.fields.items() if same(text, before, name)}
        log = self._log(write)
        said = bool(log) and write.retried and self._is_said(before, write)
        by_action = self._settings.status_by == "action"
        # an entry of ours proves the patch; without one, only the attributes themselves can
        ours = held if write.retried and (said or not log) else set()
        status = STATUS in write.fields and STATUS not in held
        patched = {} if said else dict(write.fields)
        if by_action or not status:
            patched.pop(STATUS, None)
        if write.retried and held == set(write.fields) and not log:
            patched = {}
        return _Todo(
            patched=patched,
            log=[] if said else log,
            status=status and by_action,
            ours=frozenset(ours),
        )

    async def _apply(self, before: Raw, write: DeskWrite, todo: _Todo) -> Raw:
        """Patch, then change the status; the record after it."""
        after: Raw | None = before
        if todo.patched or todo.log:
            body: dict[str, object] = dict(await self._schema.typed(todo.patched))
            body |= {self._settings.log: todo.log} if todo.log else {}
            body |= {"_rowstamp": before["_rowstamp"]} if write.expect else {}
            after = await self._rest.patch(before, body)
        if todo.status:
            await self._rest.change_status(before, write.fields[STATUS])
            after = None
        return after or await self._rest.record(text_of(before, self._rest.uid), written=True)

    async def _allowed(self, raw: Raw) -> str:
        """A hint with the statuses that may follow, as far as Maximo tells them."""
        pairs: Sequence[tuple[str, str]] = ()
        with suppress(Permanent, NeedsHuman, RetryLater):  # the refusal itself is told anyway
            pairs = await self._rest.statuses(raw)
        if not pairs:
            return f"no status may follow {text_of(raw, STATUS)}, as far as we may see"
        return "allowed are " + ", ".join(f"{value} ({text})" for value, text in pairs[:20])

    async def _created(self, key: str) -> str | None:
        """The number of the one record with this key, looked at again on our side."""
        field, uid = self._settings.correlation_field, self._rest.uid
        rows = await self._rest.with_value(field, key)
        found = {
            text_of(row, uid): row
            for row in rows
            if isinstance(row, Mapping) and row.get(field) == key
        }
        if len(found) > 1:
            raise NeedsHuman(
                f"{len(found)} records of {self._rest.structure} have the same key",
                field=field,
                value=key,
                mend="empty the attribute on all but one",
            )
        return next(iter(found), None)

    def _log(self, write: DeskWrite) -> list[dict[str, object]]:
        """The entries of the work log, each marked with the key."""
        settings, mark = self._settings, self._mark(write.key)
        entries = []
        if write.comment:
            entries.append(entry(write.comment, mark, settings.comment_logtype, viewable=True))
        if write.note:
            entries.append(entry(write.note, mark, settings.note_logtype, viewable=False))
        return entries

    def _mark(self, key: str) -> str:
        return self._settings.ref.replace("{key}", key)

    def _is_said(self, raw: Raw, write: DeskWrite) -> bool:
        return bool(marked(raw, self._settings.log, self._mark(write.key)))

    def _meets(self, before: Raw, write: DeskWrite, todo: _Todo) -> None:
        """Raises Conflict unless the record is as the write expects it, or is done already."""
        if not (todo.patched or todo.log or todo.status) and write.retried:
            return
        for field, allowed in write.expect.items():
            if field in todo.ours or any(same(value, before, field) for value in allowed):
                continue
            held = text_of(before, field)
            raise Conflict(
                f"the record changed at the desk: {field} is {held!r}",
                field=field,
                value=held,
                mend=f"the write expects {' or '.join(map(repr, allowed))}",
            )

    async def _took(self, after: Raw, write: DeskWrite, todo: _Todo) -> None:
        """Raises Permanent for the first thing that Maximo ignored or altered."""
        for field in (*todo.patched, *([STATUS] if todo.status else [])):
            if same(write.fields[field], after, field):
                continue
            held = text_of(after, field)
            raise Permanent(
                f"Maximo took the write, but {field} is {held!r} now",
                field=field,
                value=write.fields[field],
                mend=await self._why(after, field),
            )
        if todo.log and not self._is_said(after, write):
            raise Permanent(
                f"Maximo took the write, but {self._settings.log} has no entry of ours",
                field=self._settings.log,
                value=(write.comment or write.note)[:80],
                mend="add WORKLOG to the object structure as a child of the main object, or set "
                "log to the child's name",
            )

    async def _why(self, after: Raw, field: str) -> str:
        """How to mend an attribute that didn't take its value."""
        if field == STATUS:
            return await self._allowed(after)
        with suppress(Permanent, NeedsHuman, RetryLater):  # the refusal itself is told anyway
            known = await self._schema.attributes()
            if field not in known:
                near = get_close_matches(field, known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                return f"{self._rest.structure} has no such attribute{hint}"
        return "check the object structure's inbound restrictions, and the user's data restrictions"
