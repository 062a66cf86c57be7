"""Writing to a case so that one key has one effect and nothing is altered in silence.

Used by `client.py`. Fields and comments go in one composite call that is made whole or not at
all; so a comment with our mark proves that the fields went through too. With a precondition the
case is read, compared, and changed only if it is as it was read (If-Unmodified-Since, in seconds).
A Flow or trigger may alter what we wrote; hence the case is read back and compared.
"""

from collections.abc import Iterable, Mapping

from dragoman.desks.salesforce.errors import BadChoice, DuplicateKey, Gone, KeyField, Stale
from dragoman.desks.salesforce.fields import Shape, body_of, long_id, quoted, same, text_of
from dragoman.desks.salesforce.rest import Rest, Step, case_path, key_path
from dragoman.desks.salesforce.schema import choices
from dragoman.desks.salesforce.settings import SalesforceSettings
from dragoman.domain.errors import Conflict, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import DeskRecord, DeskWrite

_TRIES = 3
_COMMENTS = 500


class Writes:
    """Reads, updates and creations of cases."""

    def __init__(self, rest: Rest, shape: Shape, settings: SalesforceSettings) -> None:
        self._rest = rest
        self._shape = shape
        self._settings = settings

    async def read(self, case_id: str, also: Iterable[str] = ()) -> DeskRecord:
        """See `Desk.read`. also: fields to ask for besides the chosen ones."""
        wanted = long_id(case_id, "external_id")
        soql = f"SELECT {self._shape.select(also)} FROM Case WHERE Id = {quoted(wanted)}"  # noqa: S608 - SOQL, quoted
        try:
            found = await self._rest.query(soql, f"a read of case {wanted}", one=True)
        except Permanent as error:
            if error.field and error.field in self._shape.names:  # not this case's trouble
                raise NeedsHuman(error.text, field=error.field, mend=error.mend) from error
            raise
        if not found.rows:
            raise Gone(
                f"there is no case {wanted}",
                field="external_id",
                value=wanted,
                mend="it was deleted, or the account may not see it",
            )
        return self._shape.record(found.rows[0])

    async def update(self, case_id: str, write: DeskWrite) -> DeskRecord:
        """See `Desk.write`."""
        case_id = long_id(case_id, "external_id")
        comments = self._comments(write, case_id)
        also = (*write.expect, *write.fields)
        if write.retried and comments and await self._said(case_id, write.key):
            return await self.read(case_id)
        for _ in range(_TRIES):
            before = None
            if write.expect or write.retried:
                before = await self.read(case_id, also)
                if write.retried and not comments and _holds(before.raw, write.fields):
                    return before
                _meets(before.raw, write.expect)
            steps = [*self._change(case_id, write, before), *comments]
            if not steps:
                return before or await self.read(case_id)
            try:
                await self._send(steps, f"a change of case {case_id}")
            except Stale:
                continue  # somebody was faster: look again whether the precondition holds
            after = await self.read(case_id, also)
            self._took(after.raw, write.fields)
            return after
        raise RetryLater(f"case {case_id} is being changed all the time")

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See `Desk.create`. The look-up comes first: an upsert alone would write a second time."""
        if not write.key:
            raise Permanent("a case can't be created without a key", field="key")
        found = await self._created(write.key)
        if found is not None:
            return found
        field = self._settings.key_field
        path = key_path(field, write.key)
        steps = [
            Step(name="case", method="PATCH", path=path, body=body_of(write.fields)),
            *self._comments(write, "@{case.id}"),
        ]
        try:
            case_id = await self._send(steps, f"a new case with the key {write.key}")
        except (Gone, KeyField) as error:
            raise KeyField(
                f"no case can be kept by our key: {error.text}",
                field=field,
                mend="make it an external id, unique, that the account may read and write",
            ) from error
        except DuplicateKey:
            found = await self._created(write.key)
            if found is None:
                raise
            return found
        if not case_id:
            found = await self._created(write.key)
            case_id = found.external_id if found else ""
        after = await self.read(case_id, write.fields)
        self._took(after.raw, write.fields)
        return after

    async def _created(self, key: str) -> DeskRecord | None:
        """The one case with this key. SOQL may not mind letter case, so it is looked at again."""
        field = self._settings.key_field
        having = f"{field} = {quoted(key)} LIMIT 3"
        soql = f"SELECT {self._shape.select((field,))} FROM Case WHERE {having}"  # noqa: S608 - SOQL, quoted
        found = await self._rest.query(soql, "a search by our key", one=False)
        records = [self._shape.record(raw) for raw in found.rows]
        matching = [record for record in records if text_of(record.raw, field) == key]
        if len(matching) > 1:
            raise NeedsHuman(
                f"{len(matching)} cases have the same key",
                field=field,
                value=key,
                mend="merge them at the desk, or empty the field on all but one",
            )
        if records and not matching:  # an upsert would overwrite it
            raise NeedsHuman(
                f"case {records[0].external_id} has a key that differs in letter case only",
                field=field,
                value=key,
                mend='let the field treat "ABC" and "abc" as different values',
            )
        return matching[0] if matching else None

    async def _send(self, steps: list[Step], doing: str) -> str:
        try:
            return await self._rest.write(steps, doing)
        except BadChoice as error:
            raise BadChoice(
                error.text, field=error.field, value=error.value, mend=await self._allowed(error)
            ) from error

    async def _allowed(self, error: BadChoice) -> str:
        """A hint with the allowed values, as far as the account may read them."""
        try:
            values = await choices(self._rest, error.field)
        except (Permanent, NeedsHuman):  # the hint is lost, the refusal itself is told
            values = ()
        return f"allowed are {', '.join(values[:30])}" if values else error.mend

    def _change(self, case_id: str, write: DeskWrite, before: DeskRecord | None) -> list[Step]:
        if not write.fields:
            return []
        return [
            Step(
                name="case",
                method="PATCH",
                path=case_path(case_id),
                body=body_of(write.fields),
                unmodified_since=before.updated_at if before and write.expect else None,
            )
        ]

    def _comments(self, write: DeskWrite, case_id: str) -> list[Step]:
        """The comments, each with the mark of the key as its last line."""
        mark = self._mark(write.key)
        texts = (
            ("note", write.note, False),
            ("comment", write.comment, self._settings.publish_comments),
        )
        return [
            Step(
                name=name,
                method="POST",
                path="/sobjects/CaseComment",
                body={"ParentId": case_id, "CommentBody": f"{text}\n{mark}", "IsPublished": public},
            )
            for name, text, public in texts
            if text
        ]

    def _mark(self, key: str) -> str:
        return self._settings.ref.replace("{key}", key)

    async def _said(self, case_id: str, key: str) -> bool:
        """Whether the mark is a line of one of the case's newest comments."""
        rows = await self._rest.query_all(
            f"SELECT CommentBody FROM CaseComment WHERE ParentId = {quoted(case_id)} "  # noqa: S608 - SOQL, quoted
            f"ORDER BY CreatedDate DESC, Id DESC LIMIT {_COMMENTS}",
            f"the comments of case {case_id}",
            one=True,
        )
        mark = self._mark(key)
        texts = (text_of(row, "CommentBody") for row in rows if isinstance(row, Mapping))
        return any(mark == line.strip() for text in texts for line in text.splitlines())

    def _took(self, after: Mapping[str, object], fields: Mapping[str, str]) -> None:
        """Raises Permanent for the first field that the org altered."""
        for field, value in fields.items():
            if not same(value, after, field):
                raise Permanent(
                    f"the org took the write, but {field} is {text_of(after, field)[:200]!r} now",
                    field=field,
                    value=value,
                    mend="see which Flow, trigger or rule of the org changes it",
                )


def _holds(raw: Mapping[str, object], fields: Mapping[str, str]) -> bool:
    return bool(fields) and all(same(value, raw, field) for field, value in fields.items())


def _meets(raw: Mapping[str, object], expect: Mapping[str, Iterable[str]]) -> None:
    """Raises Conflict unless the case is as the write expects it."""
    for field, allowed in expect.items():
        if not any(same(value, raw, field) for value in allowed):
            held = text_of(raw, field)
            raise Conflict(
                f"the case changed at the desk: {field} is {held!r}",
                field=field,
                value=held,
                mend=f"the write expects {' or '.join(map(repr, allowed))}",
            )
