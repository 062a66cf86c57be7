"""Writing to a ticket so that one key has one effect and nothing is refused in silence.

Used by `client.py`. Request Tracker answers 200 to an update that it refuses for its content, and
ignores names that it doesn't know; hence the ticket is read back and compared. An update of
several parts (fields, note, reply) is several requests; each part is looked for before a retry.
A reply comes last and carries the status with it, for a reply reopens a resolved ticket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dragoman.desks.rt.changes import Changes
from dragoman.desks.rt.errors import Stale
from dragoman.desks.rt.fields import allowed_statuses, body_of, custom_fields, same, value_of
from dragoman.desks.rt.rest import Rest
from dragoman.desks.rt.settings import RtSettings
from dragoman.domain.errors import Conflict, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import DeskRecord, DeskWrite

_PAGES_OF_TEXTS = 10
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """One thing to say. kind: comment (staff) or correspond (reply). fields: set along with it."""

    kind: str
    text: str
    mark: str
    fields: Mapping[str, str]


class Writes:
    """Updates and creations in one queue."""

    def __init__(self, rest: Rest, changes: Changes, settings: RtSettings) -> None:
        self._rest = rest
        self._changes = changes
        self._settings = settings
        self._has_key_field = False
        self._asked_name = False

    async def update(self, ticket: str, write: DeskWrite) -> DeskRecord:
        """See `Desk.write`."""
        messages = self._messages(write)
        along = messages[-1].fields if messages else {}
        first = {name: value for name, value in write.fields.items() if name not in along}
        if write.retried and messages:
            said = await self._said(ticket, [message.mark for message in messages])
            if messages[-1].mark in said:  # the last part went through, so all did
                return (await self._rest.ticket(ticket)).record
            messages = [message for message in messages if message.mark not in said]
        told = await self._put(ticket, first, write)
        for message in messages:
            path = await self._rest.say(ticket, message.kind, message.text, message.fields)
            await self._learn_name(path)
        after = (await self._rest.ticket(ticket)).record
        self._check(after.raw, write.fields, told)
        self._changes.read_back.add(ticket, after.version)
        return after

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See `Desk.create`. The look-up comes first in any case: it is cheap, a double is not."""
        if not write.key:
            raise Permanent("a ticket can't be created without a key", field="key")
        await self._require_key_field()
        found = await self._created(write.key)
        if found is None:
            fields = {**write.fields, self._settings.correlation_field: write.key}
            content = {"Content": write.comment, "ContentType": "text/plain"}
            body = body_of(fields) | (content if write.comment else {})
            number = await self._rest.create(body)
            found = (await self._rest.ticket(number)).record
            self._check(found.raw, fields, ())
            self._changes.read_back.add(number, found.version)
        if not write.note:
            return found
        note = DeskWrite(key=write.key, note=write.note, retried=True)
        return await self.update(found.external_id, note)

    async def _put(self, ticket: str, fields: Mapping[str, str], write: DeskWrite) -> Sequence[str]:
        """Set fields under the precondition; returns Request Tracker's sentences."""
        if not write.expect and not write.retried:
            return await self._rest.put(ticket, fields, "") if fields else ()
        for _ in range(_TRIES):
            before = (await self._rest.ticket(ticket)).record
            done = all(same(value, before.raw, name) for name, value in fields.items())
            if write.retried and fields and done:
                return ()
            _meets(before.raw, write.expect)
            if not fields:
                return ()
            try:
                return await self._rest.put(ticket, fields, before.version)
            except Stale:
                continue  # somebody was faster: look again whether the precondition holds
        raise RetryLater(f"ticket {ticket} is being changed all the time")

    def _messages(self, write: DeskWrite) -> list[_Message]:
        """What to say, in order, each marked with the key and its place."""
        note, reply = write.note, write.comment
        if not self._settings.answer_comments:
            note, reply = "\n\n".join(filter(None, (note, reply))), ""
        messages = []
        if note:
            key = f"note.{write.key}" if reply else write.key  # each needs a mark of its own
            messages.append(self._message("comment", note, key, {}))
        if reply:
            status = {name: value for name, value in write.fields.items() if name == "Status"}
            messages.append(self._message("correspond", reply, write.key, status))
        return messages

    def _message(self, kind: str, text: str, key: str, fields: Mapping[str, str]) -> _Message:
        mark = self._settings.ref.replace("{key}", key)
        return _Message(kind=kind, text=f"{text}\n{mark}", mark=mark, fields=fields)

    async def _said(self, ticket: str, marks: Sequence[str]) -> set[str]:
        """Those of the marks that are lines of the ticket's comments and replies."""
        found: set[str] = set()
        for page in range(1, _PAGES_OF_TEXTS + 1):
            texts = await self._rest.texts(ticket, page)
            lines = {line.strip() for text in texts for line in text.splitlines()}
            found |= lines.intersection(marks)
            if not texts or len(found) == len(marks):
                break
        return found

    async def _learn_name(self, path: str) -> None:
        if not self._asked_name:
            self._asked_name = True
            self._changes.own_name = await self._rest.creator_of(path)

    async def _created(self, key: str) -> DeskRecord | None:
        """The one ticket with this key, looked at again on our side."""
        field = self._settings.correlation_field
        numbers = await self._rest.with_value(field, key)
        records = [(await self._rest.ticket(number)).record for number in numbers]
        matching = [one for one in records if key in custom_fields(one.raw).get(field, ())]
        if len(matching) > 1:
            raise NeedsHuman(
                f"{len(matching)} tickets of {self._rest.queue} have the same key",
                field=field,
                value=key,
                mend="merge them at the desk, or empty the field on all but one",
            )
        return matching[0] if matching else None

    async def _require_key_field(self) -> None:
        """Without this field a retry would find nothing and make a second ticket."""
        if self._has_key_field:
            return
        field = self._settings.correlation_field
        if field not in await self._rest.custom_fields_of_queue():
            raise NeedsHuman(
                f"queue {self._rest.queue} has no custom field {field} that we may see",
                field="correlation_field",
                value=field,
                mend="add it to the queue, and give the account SeeCustomField, ModifyCustomField",
            )
        self._has_key_field = True

    def _check(
        self, after: Mapping[str, object], fields: Mapping[str, str], told: Sequence[str]
    ) -> None:
        """Raises Permanent for the first field that Request Tracker ignored or refused."""
        for name, value in fields.items():
            if name == "Queue" or same(value, after, name):
                continue  # a queue is told by number only; a wrong one shows in the sentences
            got = value_of(after, name)
            said = " ".join(told)
            if got is None:
                text, mend = (
                    f"tickets of {self._rest.queue} have no field {name}",
                    ("correct the name, or add the custom field to the queue"),
                )
            else:
                text = f"Request Tracker didn't take {name}, which is {got!r} now"
                mend = "use a value that it accepts, and check the account's rights"
            if name == "Status":
                mend = f"from here it allows {', '.join(allowed_statuses(after)) or 'no other'}"
            if said:
                text += f" ({said[:300]})"
            raise Permanent(text, field=name, value=value, mend=mend)
        refused = [one for one in told if "ermission" in one or "not " in one]
        if "Queue" in fields and refused:
            raise Permanent(
                f"Request Tracker didn't move the ticket ({' '.join(refused)[:300]})",
                field="Queue",
                value=fields["Queue"],
                mend="check the queue's name and the account's rights there",
            )


def _meets(raw: Mapping[str, object], expect: Mapping[str, Sequence[str]]) -> None:
    """Raises Conflict unless the ticket is as the write expects it."""
    for field, allowed in expect.items():
        if not any(same(value, raw, field) for value in allowed):
            held = value_of(raw, field) or ""
            raise Conflict(
                f"the ticket changed at the desk: {field} is {held!r}",
                field=field,
                value=held,
                mend=f"the write expects {' or '.join(map(repr, allowed))}",
            )
