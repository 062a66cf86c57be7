"""What an Apex callout or a relay of change events posts to us, as a hint.

Called by the web layer with a body whose signature was checked. The case is read afresh. Either
`{"id": "500…"}`, or a change event as Salesforce publishes it, with one record in its header;
gap events tell only the id anyway, and an overflow event none: polling finds what it stands for.
The Apex class is in docs/howto/connect-salesforce.md. Source: Change Data Capture Developer Guide.
"""

from collections.abc import Mapping
from typing import Any

from dragoman.desks.salesforce.fields import long_id
from dragoman.desks.salesforce.settings import SalesforceSettings
from dragoman.domain.errors import BadInput
from dragoman.plugins import Notice

_PREFIX = "500"


def notice(body: Mapping[str, Any], _settings: SalesforceSettings) -> Notice:
    """Raises BadInput naming the JSON path of what doesn't fit."""
    event = body.get("ChangeEventHeader", body)
    if event is body:
        return Notice(external_id=_case(body.get("id"), "$.id"))
    path = "$.ChangeEventHeader"
    if not isinstance(event, Mapping):
        raise BadInput("the webhook doesn't fit", field=path, value=repr(event)[:80])
    if event.get("entityName") != "Case":
        raise BadInput(
            "this desk handles Case",
            field=f"{path}.entityName",
            value=repr(event.get("entityName"))[:80],
            mend="subscribe to CaseChangeEvent only",
        )
    ids = event.get("recordIds")
    if not isinstance(ids, list) or len(ids) != 1:
        raise BadInput(
            "the change event is not about one record",
            field=f"{path}.recordIds",
            value=repr(ids)[:80],
            mend="send one message for each record; leave overflow events to polling",
        )
    return Notice(external_id=_case(ids[0], f"{path}.recordIds[0]"))


def _case(text: object, path: str) -> str:
    found = long_id(text, path)
    if not found.startswith(_PREFIX):
        raise BadInput(
            "this is no id of a case", field=path, value=found, mend="send the case's Id"
        )
    return found
