"""Writing to an issue so that one key has one effect and nothing is refused in silence.

Used by `client.py`. Fields, the transition and each comment are requests of their own; each is
looked for before a retry, by direct reads, which are never stale. The status is a field to the
mapping; here it is the target of a transition, chosen among those that the workflow offers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dragoman.desks.jira.catalogue import Catalogue
from dragoman.desks.jira.errors import FieldsRefused
from dragoman.desks.jira.fields import STATUS, same, shown
from dragoman.desks.jira.rest import Rest, Transition
from dragoman.desks.jira.settings import JiraSettings
from dragoman.domain.errors import Conflict, Permanent
from dragoman.ports.desk import DeskRecord, DeskWrite

Raw = Mapping[str, object]
_PAGES_OF_TEXTS = 10
_RESOLUTION = "resolution"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """One comment to make. mark: its last line."""

    text: str
    mark: str
    internal: bool


class Writes:
    """Updates in one project."""

    def __init__(self, rest: Rest, catalogue: Catalogue, settings: JiraSettings) -> None:
        self._rest = rest
        self._catalogue = catalogue
        self._settings = settings

    async def update(self, issue: str, write: DeskWrite) -> DeskRecord:
        """See `Desk.write`."""
        messages = self._messages(write)
        expected: Mapping[str, str] = {}
        said: set[str] = set()
        if write.retried and messages:
            said = await self._said(issue, [message.mark for message in messages])
        if not said:  # comments come last: if one was made, the fields were written before it
            expected = await self._set(issue, write)
        for message in messages:
            if message.mark not in said:
                await self._rest.say(issue, message.text, internal=message.internal)
        after = await self._rest.read(issue, expected)
        check(after.raw, expected)
        return after

    async def _set(self, issue: str, write: DeskWrite) -> Mapping[str, str]:
        """Write fields and status under the precondition; returns what they have to be now."""
        fields = {name: value for name, value in write.fields.items() if name != STATUS}
        encoded = await self._catalogue.encoded(fields)
        before = (await self._rest.read(issue, (*write.fields, *write.expect))).raw
        left = {n: v for n, v in write.fields.items() if not same(v, before, n)}
        if write.retried and write.fields and not left:
            return write.fields
        self._meets(before, write)
        move, along = None, frozenset[str]()
        if STATUS in left:
            move = await self._transition(issue, left, shown(before, STATUS))
            along = move.fields
        plain = {name: encoded[name] for name in left if name != STATUS and name not in along}
        try:
            if plain:
                await self._rest.edit(issue, plain)
            if move is not None:
                await self._rest.move(issue, move.id, await self._along(move, left))
        except FieldsRefused as error:
            raise await self._explained(issue, error, write.fields) from error
        return {**write.fields, STATUS: move.target} if move is not None else write.fields

    async def _transition(self, issue: str, left: Mapping[str, str], now: str) -> Transition:
        """The transition to the wanted status, or of that name. Raises Permanent."""
        wanted = left[STATUS]
        offered = await self._rest.transitions(issue)
        fitting = [
            one for one in offered if _alike(wanted, one.target) or wanted == one.target_id
        ] or [one for one in offered if _alike(wanted, one.name)]
        given = {*left, _RESOLUTION}
        for one in fitting:
            if not one.required - given:
                return one
        if fitting:
            missing = sorted(fitting[0].required - given)
            raise Permanent(
                f"the transition {fitting[0].name!r} asks for {', '.join(missing)}",
                field=missing[0],
                mend="give it in the mapping, beside the status",
            )
        ways = "; ".join(f"{one.target} (by {one.name!r})" for one in offered)
        raise Permanent(
            f"the workflow has no way from {now!r} to {wanted!r}",
            field=STATUS,
            value=wanted,
            mend=f"from here it allows {ways}"
            if ways
            else "it allows nothing from here, or the account may not transition issues",
        )

    async def _along(self, move: Transition, left: Mapping[str, str]) -> Mapping[str, object]:
        """The fields that go with a transition; a resolution if its screen asks for one."""
        values = {name: value for name, value in left.items() if name in move.fields}
        if _RESOLUTION in move.fields:
            values.setdefault(_RESOLUTION, self._settings.resolution)
        return await self._catalogue.encoded(values)

    async def _explained(
        self, issue: str, error: FieldsRefused, values: Mapping[str, str]
    ) -> Permanent:
        """The refusal of a field with what is allowed there."""
        name, words = next(iter(error.reasons.items()))
        screen = await self._rest.edit_screen(issue)
        if name not in screen and "cannot be set" in words:
            return self._catalogue.unknown(name, values.get(name, ""), screen)
        meta = screen.get(name)
        allowed = meta.get("allowedValues") if isinstance(meta, Mapping) else None
        shown_ = [
            str(one.get("value") or one.get("name") or one.get("id"))
            for one in allowed or ()
            if isinstance(one, Mapping)
        ]
        return Permanent(
            f"Jira refused {name}: {words[:300]}",
            field=name,
            value=values.get(name, ""),
            mend="allowed are " + ", ".join(shown_[:20]) if shown_ else "correct it in the mapping",
        )

    def _messages(self, write: DeskWrite) -> list[_Message]:
        """What to say, in order, each marked with the key and its place."""
        messages = []
        for text, key, internal in (
            (write.note, f"note.{write.key}" if write.comment else write.key, True),
            (write.comment, write.key, not self._settings.answer_comments),
        ):
            if text:
                mark = self._settings.ref.replace("{key}", key)
                messages.append(_Message(text=f"{text}\n{mark}", mark=mark, internal=internal))
        return messages

    async def _said(self, issue: str, marks: Sequence[str]) -> set[str]:
        """Those of the marks that are lines of the issue's comments."""
        found: set[str] = set()
        for page in range(_PAGES_OF_TEXTS):
            texts = await self._rest.texts(issue, 100 * page)
            lines = {line.strip() for text in texts for line in text.splitlines()}
            found |= lines.intersection(marks)
            if not texts or len(found) == len(marks):
                break
        return found

    def _meets(self, before: Raw, write: DeskWrite) -> None:
        """Raises Conflict unless the issue is as the write expects it."""
        for field, allowed in write.expect.items():
            ours = (
                write.retried and field in write.fields and same(write.fields[field], before, field)
            )
            if not ours and not any(same(value, before, field) for value in allowed):
                held = shown(before, field)
                raise Conflict(
                    f"the issue changed at the desk: {field} is {held!r}",
                    field=field,
                    value=held,
                    mend=f"the write expects {' or '.join(map(repr, allowed))}",
                )


def _alike(left: str, right: str) -> bool:
    return left.strip().casefold() == right.strip().casefold()


def check(after: Raw, fields: Mapping[str, str]) -> None:
    """Raises Permanent for the first field that isn't as it was written."""
    for name, value in fields.items():
        if not same(value, after, name):
            raise Permanent(
                f"Jira took the write, but {name} is {shown(after, name)!r} now",
                field=name,
                value=value,
                mend="see which rule or post function of the project alters it",
            )
