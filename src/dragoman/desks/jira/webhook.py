"""What a Jira webhook posts: `{"webhookEvent", "timestamp", "issue": {"id", "key", "fields"}, …}`.

Called by the web layer with a body whose signature was checked. It is only a hint: the issue is in
the shape of another version of the API there, and is read afresh.
Source: Jira Cloud "Webhooks", issue and comment events.
"""

from collections.abc import Mapping
from typing import Any

from dragoman.desks.jira.settings import JiraSettings
from dragoman.domain.errors import BadInput
from dragoman.plugins import Notice


def notice(body: Mapping[str, Any], settings: JiraSettings) -> Notice:
    """Raises BadInput naming the JSON path of what doesn't fit."""
    issue = body.get("issue")
    if not isinstance(issue, Mapping):
        raise _wrong("$.issue", issue, "subscribe to events of issues and comments only")
    number = issue.get("id")
    text = str(number) if isinstance(number, int | str) and not isinstance(number, bool) else ""
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise _wrong("$.issue.id", number, "send the issue's id")
    fields = issue.get("fields")
    project = fields.get("project") if isinstance(fields, Mapping) else None
    key = project.get("key") if isinstance(project, Mapping) else None
    if isinstance(key, str) and key != settings.project:
        raise BadInput(
            f"this desk handles {settings.project}",
            field="$.issue.fields.project.key",
            value=key,
            mend=f"limit the webhook by JQL: project = {settings.project}",
        )
    return Notice(external_id=text)


def _wrong(path: str, found: object, mend: str) -> BadInput:
    return BadInput("the webhook doesn't fit", field=path, value=repr(found)[:80], mend=mend)
