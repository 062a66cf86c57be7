"""What an automation script of Maximo posts: `{"structure": "mxapiwo", "id": 536549}`.

Called by the web layer with a body whose signature was checked. It is only a hint: the record is
read afresh. The script is in docs/howto/connect-maximo.md.
"""

from collections.abc import Mapping
from typing import Any

from dragoman.desks.maximo.settings import MaximoSettings
from dragoman.domain.errors import BadInput
from dragoman.plugins import Notice


def notice(body: Mapping[str, Any], settings: MaximoSettings) -> Notice:
    """Raises BadInput naming the JSON path of what doesn't fit."""
    structure = body.get("structure")
    if not isinstance(structure, str) or structure.lower() != settings.object_structure:
        raise BadInput(
            f"this desk handles {settings.object_structure}",
            field="$.structure",
            value=repr(structure)[:80],
            mend="post it to the desk of this object structure, or correct the script",
        )
    found = body.get("id")
    number = str(found) if isinstance(found, int | str) and not isinstance(found, bool) else ""
    if not number.isascii() or not number.isdecimal() or len(number) > 18 or int(number) == 0:
        raise BadInput(
            "the webhook doesn't fit",
            field="$.id",
            value=repr(found)[:80],
            mend="send the record's unique number, mbo.getUniqueIDValue()",
        )
    return Notice(external_id=str(int(number)))
