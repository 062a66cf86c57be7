"""The desk's refusals, told as errors that say what helps: later, never, or a person.

Used by client.py. 401, 429 and 5xx are raised by the HTTP client itself already.
"""

from typing import Any

from dragoman.domain.errors import Conflict, NotFound
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson


class Stale(Conflict):
    """The record changed since it was read (If-Match)."""


def json_of(answer: HttpAnswer, client: HttpClient, doing: str) -> Any:
    """The decoded body of a success. Raises the error that a refusal means, or NotJson."""
    if answer.status < 300:
        return answer.json()
    words = _words(answer)
    text = f"{answer.where} refused {doing} (HTTP {answer.status}): {words[:300]}"
    if answer.status == 404:
        raise NotFound(text, mend="it was deleted, or the account may not see it")
    if answer.status == 412:
        raise Stale(text)
    raise client.error_for(answer, f"{doing}: {words}" if words else doing)


def _words(answer: HttpAnswer) -> str:
    """What the desk says of a refusal: `{"error": "…"}`."""
    try:
        body = answer.json()
    except NotJson:
        return ""
    return str(body.get("error", "")) if isinstance(body, dict) else ""
