"""What a business rule posts: `{"delivery", "event", "table", "sys_id", "record"}`.

Called by the web layer with a body whose signature was checked. The record is optional: without
it the body is only a hint, and the record is read afresh. The script of the business rule is in
docs/howto/connect-servicenow.md.
"""

import re
from collections.abc import Mapping
from typing import Any

from dragoman.desks.servicenow.fields import record_of
from dragoman.desks.servicenow.settings import ServiceNowSettings
from dragoman.domain.errors import BadInput
from dragoman.plugins import Notice

_SYS_ID = re.compile(r"[0-9a-zA-Z_-]{1,64}")


def notice(body: Mapping[str, Any], settings: ServiceNowSettings) -> Notice:
    """Raises BadInput naming the JSON path of what doesn't fit."""
    table = _text(body, "table")
    if table != settings.table:
        raise BadInput(
            f"this desk handles {settings.table}",
            field="$.table",
            value=table,
            mend="post it to the desk of this table, or limit the business rule",
        )
    sys_id = _text(body, "sys_id")
    if not _SYS_ID.fullmatch(sys_id):
        raise BadInput("no sys_id", field="$.sys_id", value=sys_id, mend="send current.sys_id")
    raw = body.get("record")
    if raw is None:
        return Notice(external_id=sys_id)
    if not isinstance(raw, Mapping):
        raise _wrong("$.record", raw, "an object of fields, or leave it out")
    if all(isinstance(cell, str) for cell in raw.values()):
        return Notice(external_id=sys_id)  # raw values only: the mapping needs display values too
    for name, cell in raw.items():
        if not isinstance(cell, Mapping) or "value" not in cell or "display_value" not in cell:
            raise _wrong(f"$.record.{name}", cell, "an object with value and display_value")
    try:
        record = record_of(raw)
    except BadInput as error:
        field = f"$.record.{error.field}"
        raise BadInput(error.text, field=field, value=error.value, mend=error.mend) from error
    if record.external_id != sys_id:
        raise BadInput(
            "the record is another one",
            field="$.record.sys_id",
            value=record.external_id,
            mend="send the record of sys_id",
        )
    return Notice(external_id=sys_id, record=record)


def _text(body: Mapping[str, Any], name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise _wrong(f"$.{name}", found, "a text that isn't empty")
    return found


def _wrong(path: str, found: object, wanted: str) -> BadInput:
    return BadInput("the webhook doesn't fit", field=path, value=repr(found)[:80], mend=wanted)
