"""What an object structure's schema says: which attributes it has, their types and lengths.

Used by `writes.py`: values go out as JSON numbers and booleans where Maximo has such, and a record
is only created where our key has its place. Source: IBM Maximo REST API Guide, "JSON Schema".
"""

from collections.abc import Mapping
from contextlib import suppress

from dragoman.desks.maximo.fields import Raw
from dragoman.desks.maximo.rest import Rest
from dragoman.domain.errors import NeedsHuman, Permanent

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Schema:
    """The schema of one object structure, asked for when it is needed first."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._known: Mapping[str, Raw] | None = None

    async def attributes(self) -> Mapping[str, Raw]:
        """Attribute → its part of the schema. Raises as a call does."""
        if self._known is None:
            self._known = await self._rest.attributes()
        return self._known

    async def typed(self, fields: Mapping[str, str]) -> Mapping[str, object]:
        """Values as JSON has them: numbers and booleans by the schema, null for an empty text."""
        known: Mapping[str, Raw] = {}
        if any(text.lstrip("-").isdecimal() or text.lower() in _FLAGS for text in fields.values()):
            with suppress(Permanent, NeedsHuman):  # not ours to see: then texts will have to do
                known = await self.attributes()
        return {name: _json(text, known.get(name, {}).get("type")) for name, text in fields.items()}

    async def require_place(self, field: str, key: str) -> None:
        """Raises NeedsHuman if an attribute can't keep our key: a retry would make another record.

        Raises Permanent for a key that a search would take for a pattern.
        """
        known = await self.attributes()
        longest = known.get(field, {}).get("maxLength")
        if any(sign in key for sign in '"%\\'):
            raise Permanent("this key can't be searched for", field="key", value=key)
        if field not in known:
            problem = f"{self._rest.structure} has no attribute {field}"
        elif isinstance(longest, int) and longest < len(key):
            problem = f"{field} holds {longest} characters, and our keys have {len(key)}"
        else:
            return
        raise NeedsHuman(
            problem,
            field="correlation_field",
            value=field,
            mend="name a text attribute (ALN) of 40 characters, or add one in the application "
            "Database Configuration; it has to be part of the object structure",
        )


def _json(text: str, kind: object) -> object:
    if text == "":
        return None
    if kind == "boolean" and text.lower() in _FLAGS:
        return _FLAGS[text.lower()]
    if kind in ("integer", "number") and text.lstrip("-").isdecimal():
        return int(text)
    return text
