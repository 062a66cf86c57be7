"""Which fields a case has, by sObject Describe: implements ports/schema.py.

Used by `client.py`, and by `writes.py` for the values that a picklist allows. Source: REST API
Developer Guide, "sObject Describe"; Object Reference, "Field" (nillable, defaultedOnCreate).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dragoman.desks.salesforce.rest import Rest
from dragoman.ports.schema import DeskField


async def fields(rest: Rest) -> Sequence[DeskField]:
    """See `Schema.fields`. A record shows those that the desk's settings choose."""
    return [_field(about) for about in await rest.described()]


async def choices(rest: Rest, field: str) -> Sequence[str]:
    """The active values of a picklist; empty for other fields."""
    for about in await rest.described():
        if about.get("name") == field:
            return list(_choices(about))
    return ()


def _field(about: Mapping[str, Any]) -> DeskField:
    name = str(about.get("name"))
    related = about.get("relationshipName")
    creatable = bool(about.get("createable"))
    filled = bool(about.get("nillable", True)) or bool(about.get("defaultedOnCreate"))
    return DeskField(
        name=name,
        label=str(about.get("label") or ""),
        type=str(about.get("type") or ""),
        path=name,
        mandatory=creatable and not filled,
        writable=creatable or bool(about.get("updateable")),
        choices=_choices(about),
        also=(related,) if isinstance(related, str) else (),
    )


def _choices(about: Mapping[str, Any]) -> Mapping[str, str]:
    values = about.get("picklistValues")
    return {
        str(one.get("value")): str(one.get("label") or "")
        for one in (values if isinstance(values, list) else ())
        if isinstance(one, Mapping) and one.get("active")
    }
