"""Writing to a record so that one key has one effect and nothing is ignored in silence.

Used by `client.py`. Fields and journal entries go in one PATCH, which ServiceNow applies as a
whole; so a journal entry with our mark in it proves that the fields went through too. What the
desk ignores (an unknown field, a value that is no choice) it answers with 200 all the same; hence
each field is compared with what comes back.
"""

import re
from collections.abc import Mapping, Sequence

from dragoman.desks.servicenow.errors import DuplicateKey
from dragoman.desks.servicenow.fields import display_of, record_of, value_of
from dragoman.desks.servicenow.settings import ServiceNowSettings
from dragoman.desks.servicenow.table import Table
from dragoman.domain.errors import Conflict, NeedsHuman, Permanent
from dragoman.ports.desk import DeskRecord, DeskWrite

Raw = Mapping[str, object]
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


class Writes:
    """Updates and creations in one table."""

    def __init__(self, table: Table, settings: ServiceNowSettings) -> None:
        self._table = table
        self._settings = settings

    async def update(self, sys_id: str, write: DeskWrite) -> DeskRecord:
        """See `Desk.write`."""
        said = self._said(write)
        if write.expect or write.retried:
            before = await self._table.read(sys_id, (*write.expect, *write.fields, *said))
            if write.retried and self._is_done(before, write, said):
                return record_of(before)
            self._meets(before, write)
        if not write.fields and not said:
            return record_of(await self._table.read(sys_id))
        values = {**write.fields, **said}
        after = await self._table.update(sys_id, values, self._settings.input_display_value)
        await self._took(after, write.fields)
        return record_of(after)

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See `Desk.create`. The look-up comes first in any case: it is cheap, a double is not."""
        if not write.key:
            raise Permanent("a record can't be created without a key", field="key")
        field = self._settings.correlation_field
        found = await self._created(write.key)
        if found is not None:
            return found
        values = {**write.fields, **self._said(write), field: write.key}
        try:
            after = await self._table.insert(values, self._settings.input_display_value)
        except DuplicateKey:
            found = await self._created(write.key)
            if found is None:
                raise
            return found
        if value_of(after, field) != write.key:
            raise self._keyless(field)
        await self._took(after, write.fields)
        return record_of(after)

    async def _created(self, key: str) -> DeskRecord | None:
        """The one record with this key. An unknown field would match all, so it is looked at."""
        field = self._settings.correlation_field
        found = await self._table.find(f"{field}={key}^ORDERBYsys_created_on", 3, (field,))
        rows = [raw for raw in found if isinstance(raw, Mapping)]
        # a wrong field name is left out of query and answer by the desk: any record would match
        if any(field not in raw for raw in rows):
            raise self._keyless(field)
        matching = [raw for raw in rows if value_of(raw, field) == key]
        if len(matching) > 1:
            raise NeedsHuman(
                f"{len(matching)} records of {self._table.name} have the same key",
                field=field,
                value=key,
                mend="merge them at the desk, or empty the field on all but one",
            )
        return record_of(matching[0]) if matching else None

    def _keyless(self, field: str) -> NeedsHuman:
        return NeedsHuman(
            f"{self._table.name} doesn't keep our key, so a retry would make a second record",
            field=field,
            mend="name a text field of 40 characters that the account may read and write",
        )

    def _said(self, write: DeskWrite) -> dict[str, str]:
        """The journal entries, each marked with the key. A mapping may name them as fields too."""
        comment, note = self._settings.comment_field, self._settings.note_field
        texts = {
            comment: write.comment or write.fields.get(comment, ""),
            note: write.note or write.fields.get(note, ""),
        }
        mark = self._mark(write.key)
        return {field: f"{text}\n{mark}" for field, text in texts.items() if text}

    def _mark(self, key: str) -> str:
        return self._settings.ref.replace("{key}", key)

    def _is_done(self, before: Raw, write: DeskWrite, said: Mapping[str, str]) -> bool:
        """Whether an earlier attempt of this write went through."""
        if said:
            mark = self._mark(write.key)
            return any(mark in (display_of(before, field) or "") for field in said)
        return all(same(value, before, field) for field, value in write.fields.items())

    def _meets(self, before: Raw, write: DeskWrite) -> None:
        """Raises Conflict unless the record is as the write expects it."""
        for field, allowed in write.expect.items():
            if not any(same(value, before, field) for value in allowed):
                raise Conflict(
                    f"the record changed at the desk: {field} is {_shown(before, field)!r}",
                    field=field,
                    value=_shown(before, field),
                    mend=f"the write expects {' or '.join(map(repr, allowed))}",
                )

    async def _took(self, after: Raw, fields: Mapping[str, str]) -> None:
        """Raises Permanent for the first field that the desk ignored or altered."""
        journals = (self._settings.comment_field, self._settings.note_field)
        for field, value in fields.items():
            if field in journals or same(value, after, field):
                continue
            if field not in after:
                raise Permanent(
                    f"{self._table.name} has no field {field} that the account may write",
                    field=field,
                    value=value,
                    mend="correct the mapping's field name, or the account's rights",
                )
            got = _shown(after, field)
            if got and value.startswith(got):
                mend = f"the column holds {len(got)} characters: shorten the text"
            else:
                mend = await self._allowed(field)
            raise Permanent(
                f"the desk took the write, but {field} is {got!r} now",
                field=field,
                value=value,
                mend=mend,
            )

    async def _allowed(self, field: str) -> str:
        """A hint with the allowed values, as far as the account may read them."""
        try:
            pairs = await self._table.choices(field)
        except (Permanent, NeedsHuman):  # the hint is lost, the refusal itself is told
            pairs = []
        if not pairs:
            return "use a value that the desk accepts in this state"
        return "allowed are " + ", ".join(f"{value} ({label})" for value, label in pairs[:20])


def held(raw: Raw, field: str) -> str | None:
    """A field with its label, `2 (In Progress)`; None if the record shows no such field."""
    if field not in raw:
        return None
    value, display = value_of(raw, field), display_of(raw, field)
    return f"{value} ({display})" if value and display and value != display else display or value


def _shown(raw: Raw, field: str) -> str:
    value, display = value_of(raw, field), display_of(raw, field)
    return (display if value is None else value) or ""


def same(wanted: str, raw: Raw, field: str) -> bool:
    """Whether a field has a value, given raw or as people see it."""
    held = {text for text in (value_of(raw, field), display_of(raw, field)) if text is not None}
    return any(_equal(wanted, text) for text in held)


def _equal(wanted: str, held: str) -> bool:
    left, right = wanted.replace("\r\n", "\n").strip(), held.replace("\r\n", "\n").strip()
    if left.casefold() == right.casefold():
        return True
    low = left.lower(), right.lower()
    if all(text in _TRUE for text in low) or all(text in _FALSE for text in low):
        return True
    numbers: Sequence[str] = (left, right)
    if all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in numbers):
        return float(left) == float(right)
    return False
