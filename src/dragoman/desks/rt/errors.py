"""Request Tracker's refusals, told as errors of ours.

Used by `rest.py`. An error is `{"message": "…"}`. Beware: an update that is refused for its content
answers 200 with sentences all the same; `writes.py` sees that by reading back.
Source: answers recorded from 5.0.3.
"""

from collections.abc import Mapping
from typing import Any

from dragoman.domain.errors import Conflict, DragomanError, NeedsHuman, NotFound, Permanent
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson


class Gone(NotFound):
    """The ticket doesn't exist, or no longer where our account may see it."""


class Stale(Conflict):
    """The ticket changed since it was read (If-Match)."""


def said(body: object) -> str:
    """Request Tracker's own words."""
    found = body.get("message") if isinstance(body, Mapping) else None
    return found.strip() if isinstance(found, str) else ""


def translate(
    answer: HttpAnswer, words: str, client: HttpClient, doing: str, *, one_ticket: bool
) -> DragomanError:
    """The error for a status of 300 and more. one_ticket: the call concerns a single ticket."""
    text = f"{answer.where} refused {doing} (HTTP {answer.status}): {words[:300]}"
    if one_ticket and answer.status in (403, 404):
        return Gone(text, mend="it was deleted or moved, or the account may not see its queue")
    if one_ticket and "permission denied" in words.casefold():
        return Permanent(text, mend="give the account the right to do this in the queue")
    if answer.status == 412:
        return Stale(text)
    if answer.status == 403:
        return NeedsHuman(text, field="auth", mend="give the account its rights on the queue")
    return client.error_for(answer, f"{doing}: {words}" if words else doing)


def json_of(answer: HttpAnswer, client: HttpClient, doing: str, *, one_ticket: bool) -> Any:
    """The decoded body of a success. Raises as `translate`, or NotJson."""
    if answer.status >= 300:
        try:
            words = said(answer.json())
        except NotJson:
            words = ""
        raise translate(answer, words, client, doing, one_ticket=one_ticket)
    return answer.json()
