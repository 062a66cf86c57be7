"""What the desk posts when a ticket changes: `{"ticket": ID}`. A hint; the ticket is read afresh.

Called by the gateway with a body whose signature was checked.
"""

from collections.abc import Mapping
from typing import Any

from dragoman.domain.errors import BadInput
from dragoman.plugins import Notice
from dragoman.testing.example_desk.settings import ExampleSettings


def notice(body: Mapping[str, Any], settings: ExampleSettings) -> Notice:  # noqa: ARG001 - see DeskPlugin
    """Raises BadInput naming the JSON path of what doesn't fit."""
    found = body.get("ticket")
    if isinstance(found, bool) or not isinstance(found, str | int) or not str(found):
        raise BadInput(
            "the webhook doesn't fit",
            field="$.ticket",
            value=repr(found)[:80],
            mend="send the ticket's id",
        )
    return Notice(external_id=str(found))
