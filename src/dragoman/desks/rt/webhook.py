"""What a scrip of Request Tracker posts to us: `{"ticket": 17, "txn": 230, "type": "Status"}`.

Called by the web layer with a body whose signature was checked. It is only a hint: the ticket is
read afresh. The scrip is in docs/howto/connect-rt.md.
"""

from collections.abc import Mapping
from typing import Any

from dragoman.desks.rt.settings import RtSettings
from dragoman.domain.errors import BadInput
from dragoman.plugins import Notice


def notice(body: Mapping[str, Any], _settings: RtSettings) -> Notice:
    """Raises BadInput naming the JSON path of what doesn't fit."""
    ticket = body.get("ticket")
    number = str(ticket) if isinstance(ticket, int | str) and not isinstance(ticket, bool) else ""
    if not number.isascii() or not number.isdecimal() or len(number) > 18 or int(number) == 0:
        raise BadInput(
            "the webhook doesn't fit",
            field="$.ticket",
            value=repr(ticket)[:80],
            mend="send the ticket's number",
        )
    return Notice(external_id=str(int(number)))
