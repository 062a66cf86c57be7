"""What an object structure's schema says: which attributes it has, their types and lengths.

Used by `writes.py`: values go out as JSON numbers and booleans where Maximo has such, and a record
is only created where our key has its place. `fields` implements ports/schema.py for `client.py`.
Source: IBM Maximo REST API Guide, "JSON Schema"; statuses by the object structure
MXAPISYNONYMDOMAIN, since the schema names no domains.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from dragoman.config.paths import key
from dragoman.desks.maximo.fields import Raw
from dragoman.desks.maximo.rest import Rest
from dragoman.desks.maximo.settings import MaximoSettings
from dragoman.domain.errors import NeedsHuman, Permanent
from dragoman.ports.schema import DeskField

STATUS_DOMAINS = {"WORKORDER": "WOSTATUS", "SR": "SRSTATUS", "INCIDENT": "INCIDENTSTATUS"}
"""The domain of the status, by the main object of a structure."""

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Schema:
    """The schema of one object structure, asked for when it is needed first."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._known: Mapping[str, Raw] | None = None

    async def attributes(self) -> Mapping[str, Raw]:
        """Attribute → its part of the schema. Raises as a call does."""
        if self._known is None:
            self._known = _properties(await self._rest.schema())
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


async def fields(rest: Rest, settings: MaximoSettings) -> Sequence[DeskField]:
    """See `Schema` in ports/schema.py. Statuses are left out where we may not see their domain."""
    told = await rest.schema()
    listed = told.get("required")
    needed = {str(name).lower() for name in listed} if isinstance(listed, list) else set()
    needed -= {*settings.fixed, settings.correlation_field, "status"}
    statuses: Mapping[str, str] = {}
    domain = STATUS_DOMAINS.get(str(told.get("title", "")).upper())
    if domain is not None:
        with suppress(Permanent, NeedsHuman):  # MXAPISYNONYMDOMAIN isn't ours to see
            statuses = await rest.synonyms(domain)
    related = [
        DeskField(name=name, type="of a related object", path=name, writable=False)
        for name in settings.fields
        if "." in name
    ]
    own = [
        DeskField(
            name=name,
            label=str(about.get("title") or ""),
            type=str(about.get("subType") or about.get("type") or ""),
            path=key(name),
            mandatory=name in needed and "default" not in about,
            writable="subType" in about,  # what Maximo adds to a record has none
            choices=statuses if name == "status" else {},
        )
        for name, about in _properties(told).items()
    ]
    return [*own, *related]


def _properties(told: Raw) -> Mapping[str, Raw]:
    found = told.get("properties")
    items = found.items() if isinstance(found, Mapping) else ()
    return {name.lower(): one for name, one in items if isinstance(one, Mapping)}


def _json(text: str, kind: object) -> object:
    if text == "":
        return None
    if kind == "boolean" and text.lower() in _FLAGS:
        return _FLAGS[text.lower()]
    if kind in ("integer", "number") and text.lstrip("-").isdecimal():
        return int(text)
    return text
