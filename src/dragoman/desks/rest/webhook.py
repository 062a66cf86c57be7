"""What any desk posts to us: JSON in which the path `hook_id` finds the record's id.

Called by the web layer with a body whose signature was checked. It is only a hint: the record is
read afresh.
"""

from collections.abc import Mapping
from typing import Any

from dragoman.config.jmes import reader
from dragoman.desks.rest.fields import MAX_ID
from dragoman.desks.rest.settings import RestSettings
from dragoman.domain.errors import BadInput
from dragoman.plugins import Notice


def notice(body: Mapping[str, Any], settings: RestSettings) -> Notice:
    """Raises BadInput naming the path of what doesn't fit."""
    found = reader(settings.hook_id)(body)
    usable = isinstance(found, str | int) and not isinstance(found, bool)
    if not usable or not 0 < len(str(found)) <= MAX_ID or not str(found).isprintable():
        raise BadInput(
            "the webhook doesn't tell which record it is about",
            field=settings.hook_id,
            value=repr(found)[:80],
            mend="set hook_id to the path of the record's id in the body",
        )
    return Notice(external_id=str(found))
