"""Which fields the queue's tickets have: implements ports/schema.py.

Used by `client.py`. Request Tracker's own are the same everywhere; custom fields are those of the
queue, each read by itself: that takes SeeCustomField on the custom field or everywhere, for on the
queue it isn't enough (seen with 5.0.3); where we lack it, the name is all that is told. REST 2.0
doesn't tell the statuses of a lifecycle, so `Status` comes without choices.
Source: RT 5 REST 2.0 documentation, "Queues", "Custom Fields"; RT::CustomField (types, and
`(?#Mandatory).` as the pattern of a mandatory one).
"""

import asyncio
from collections.abc import Mapping, Sequence

from dragoman.config.paths import literal
from dragoman.desks.rt.errors import Gone
from dragoman.desks.rt.fields import CORE, DATES, LISTS, id_of
from dragoman.desks.rt.rest import Rest
from dragoman.desks.rt.settings import RtSettings
from dragoman.ports.schema import DeskField

_TOLD = ("id", "Created", "Creator", "LastUpdated", "LastUpdatedBy", "Resolved", "Told")
"""Fields that tickets show and nobody writes."""
_LINKS = frozenset({"Owner", "Queue", "Creator", "LastUpdatedBy"})
_MANDATORY = "(?#Mandatory)"


async def fields(rest: Rest, settings: RtSettings) -> Sequence[DeskField]:
    """See `Schema.fields`."""
    links = await rest.custom_field_links()
    limit = asyncio.Semaphore(settings.parallel)

    async def read(link: Mapping[str, object]) -> Mapping[str, object]:
        async with limit:
            try:
                return await rest.custom_field(id_of(link))
            except Gone:  # listed, and not ours to see: its name has to do
                return {}

    told = await asyncio.gather(*map(read, links))
    custom = [
        _custom(str(link.get("name", "")), about, settings.correlation_field)
        for link, about in zip(links, told, strict=True)
    ]
    return [*(_core(name) for name in (*sorted(CORE), *_TOLD)), *custom]


def _core(name: str) -> DeskField:
    if name in DATES or name in ("Created", "LastUpdated", "Resolved", "Told"):
        kind = "date"
    elif name in LISTS:
        kind = "list of people"
    else:
        kind = "link" if name in _LINKS else "text"
    return DeskField(
        name=name,
        label=name,
        type=kind,
        path=f"{name}.id" if name in _LINKS else name,
        writable=name not in _TOLD,
        also=(name,) if name in _LINKS else (),
    )


def _custom(name: str, about: Mapping[str, object], keyed: str) -> DeskField:
    values = about.get("Values")
    choices = {str(one): str(one) for one in values} if isinstance(values, list) else {}
    return DeskField(
        name=name,
        label=str(about.get("Description") or name),
        type=str(about.get("Type") or "custom field"),
        path=f"CustomFields[?name=={literal(name)}].values[] | [0]",
        mandatory=_MANDATORY in str(about.get("Pattern") or "") and name != keyed,
        choices=choices,
        aliases=[
            f"{before}{told}"
            for before in ("CF.", "CustomField.")
            for told in (name, f"{{{name}}}")
        ],
    )
