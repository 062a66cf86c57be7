"""Fetching whole issues by id, so that one which can't be read hides no other.

Used by `changes.py` and `survey.py`, which search ids and times only.
"""

from collections.abc import Mapping, Sequence

import msgspec

from dragoman.desks.jira.fields import value_of
from dragoman.desks.jira.rest import Rest
from dragoman.domain.errors import DragomanError
from dragoman.transport.http_errors import BodyTooLarge, NotJson, ServerFailed

_OF_ONE = (BodyTooLarge, NotJson, ServerFailed)
"""Failures that one issue among many can cause."""


async def lot(rest: Rest, ids: Sequence[str]) -> tuple[list[object], dict[str, DragomanError]]:
    """Whole issues by id; one by one if the lot fails, so that one can't hide the others.

    Raises the failure if it hits every single one: then it is the desk's.
    """
    try:
        return list(await rest.whole(ids)), {}
    except _OF_ONE as error:
        if len(ids) == 1 and not isinstance(error, BodyTooLarge):
            raise
    found: list[object] = []
    failed: dict[str, DragomanError] = {}
    for number in ids:
        try:
            found += await rest.whole([number])
        except _OF_ONE as error:
            failed[number] = error
            if len(failed) > 2 and not found and not isinstance(error, BodyTooLarge):
                raise
    if not found and not any(isinstance(e, BodyTooLarge) for e in failed.values()):
        raise next(iter(failed.values()))
    return found, failed


def is_of(raw: Mapping[str, object], project: str) -> bool:
    """Whether an issue is still in a project; one that doesn't tell is taken for it."""
    told = value_of(raw, "project")
    key = told.get("key") if isinstance(told, Mapping) else None
    return not isinstance(key, str) or key == project


def as_text(raw: object) -> str:
    """A raw item as a dead letter keeps it."""
    return msgspec.json.encode(raw).decode()[:65_536]
