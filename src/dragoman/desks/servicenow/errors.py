"""ServiceNow's refusals, told as errors of ours by the words in their bodies.

Used by `table.py`. The body of an error is `{"error": {"message", "detail"}, "status": "failure"}`;
it may also come with 200, below a half-filled result, when a transaction quota struck.
Source: Table API reference, and the texts that instances answer with.
"""

import re
from collections.abc import Mapping
from typing import Any

from dragoman.domain.errors import Conflict, DragomanError, NeedsHuman, NotFound, Permanent
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson, ServerFailed


class DuplicateKey(Conflict):
    """A unique field of a new record has this value already."""


WORDS: tuple[tuple[str, type[DragomanError], str], ...] = (
    (r"transaction cancelled|maximum execution time", ServerFailed, ""),
    (r"unique key violation", DuplicateKey, "the desk has a record with this key"),
    (r"data policy exception", Permanent, "give the named fields in the mapping"),
    (r"aborted by business rule", Permanent, "a rule of the desk forbids it from this state"),
    (r"acl exception", Permanent, "the account's roles don't allow it on this record"),
    (r"invalid table", NeedsHuman, "check `table`"),
    (r"no record found", NotFound, "it was deleted, or the account may not see it"),
    (r"insufficient rights|user not authorized|security constraints", NeedsHuman, "check roles"),
    (r"user not authenticated|required to provide auth", NeedsHuman, "check the account"),
)
"""(words in message or detail, class, how to mend it); the first that fits."""


def said(body: object) -> str:
    """The desk's own words in an error body, "" if it isn't one."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, str):
        return error
    if not isinstance(error, Mapping):
        return ""
    parts = (error.get("message"), error.get("detail"))
    return ": ".join(str(part) for part in parts if part)


def translate(answer: HttpAnswer, body: object, client: HttpClient, doing: str) -> DragomanError:
    """The error for a refusal. doing: what was asked, for the text."""
    words = said(body)
    for pattern, kind, mend in WORDS:
        if re.search(pattern, words, re.IGNORECASE):
            text = f"{answer.where} refused {doing} (HTTP {answer.status}): {words[:400]}"
            if kind is ServerFailed:
                return ServerFailed(text)
            return kind(text, mend=mend)
    if answer.status < 300:
        return ServerFailed(f"{answer.where} answered {doing} with an error: {words[:400]}")
    return client.error_for(answer, f"{doing}: {words}" if words else doing)


def result_of(answer: HttpAnswer, client: HttpClient, doing: str) -> Any:
    """The `result` of an answer. Raises as `translate`, or NotJson where there is none."""
    if answer.status >= 300:
        try:
            body = answer.json()
        except NotJson:
            body = None
        raise translate(answer, body, client, doing)
    body = answer.json()
    if isinstance(body, Mapping) and body.get("error"):
        raise translate(answer, body, client, doing)
    if not isinstance(body, Mapping) or "result" not in body:
        raise NotJson(f"{answer.where} answered {doing} without a result")
    return body["result"]
