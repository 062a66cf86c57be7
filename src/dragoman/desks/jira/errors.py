"""Jira's refusals, told as errors of ours.

Used by `rest.py`. An error is `{"errorMessages": […], "errors": {field: text}}`. Beware: after a
failed log-in Jira may answer as to a stranger (404, or 400 that the project doesn't exist); only a
header tells. Source: Jira Cloud REST API, "Status codes" and the 4xx of each operation.
"""

from collections.abc import Mapping
from typing import Any

from dragoman.domain.errors import DragomanError, NeedsHuman, NotFound, Permanent, RetryLater
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson

_NO_LOGIN = frozenset({"AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"})


class Gone(NotFound):
    """The issue doesn't exist, or no longer where our account may see it."""


class BadQuery(NeedsHuman):
    """Jira refuses a search: a misspelt project, field or value, or a page token that expired."""


class FieldsRefused(Permanent):
    """Jira refuses fields of a write. reasons: field → its words."""

    def __init__(self, text: str, reasons: Mapping[str, str]) -> None:
        super().__init__(text, field=next(iter(reasons)))
        self.reasons = reasons


def said(body: object) -> tuple[str, Mapping[str, str]]:
    """(Jira's own words, the words about single fields)."""
    if not isinstance(body, Mapping):
        return "", {}
    messages, errors = body.get("errorMessages"), body.get("errors")
    parts = [str(one) for one in messages] if isinstance(messages, list) else []
    if isinstance(body.get("message"), str):
        parts.append(str(body["message"]))
    fields = {str(k): str(v) for k, v in errors.items()} if isinstance(errors, Mapping) else {}
    return " ".join([*parts, *(f"{name}: {text}" for name, text in fields.items())]), fields


def translate(
    answer: HttpAnswer, client: HttpClient, doing: str, *, one_issue: bool
) -> DragomanError:
    """The error for a status of 300 and more. one_issue: the call concerns a single issue."""
    try:
        words, fields = said(answer.json())
    except NotJson:
        words, fields = "", {}
    text = f"{answer.where} refused {doing} (HTTP {answer.status}): {words[:300]}"
    if answer.status == 400 and fields:
        return FieldsRefused(text, fields)
    if answer.status == 403:
        return NeedsHuman(text, field="auth", mend="give the account its rights in the project")
    if answer.status == 404 and one_issue:
        return Gone(text, mend="it was deleted or moved, or the account may not see it")
    if answer.status == 404:
        return NeedsHuman(text, field="url", mend="check the address, and the cloud id in it")
    if answer.status == 409:
        return RetryLater(f"{text}; somebody else is changing it")
    return client.error_for(answer, f"{doing}: {words}" if words else doing)


def json_of(answer: HttpAnswer, client: HttpClient, doing: str, *, one_issue: bool) -> Any:
    """The decoded body of a success, None for 204. Raises as `translate`, or NotJson.

    Also a success doesn't count if we were taken for a stranger: it would lack issues.
    """
    if answer.headers.get("x-seraph-loginreason", "").upper() in _NO_LOGIN:
        raise NeedsHuman(
            f"{answer.where} doesn't accept our credentials, and takes us for a stranger",
            field="auth",
            mend="check the account's address and its API token",
        )
    if answer.status >= 300:
        raise translate(answer, client, doing, one_issue=one_issue)
    return None if answer.status == 204 else answer.json()
