"""Maximo's refusals, told as errors of ours by their message ids.

Used by `rest.py`. The body of an error is `{"Error": {"reasonCode", "message", "statusCode"}}`; a
failed status change names its own reason on a second line of the message. What the table doesn't
know is judged by the HTTP status. Beware of the statuses: missing rights on an object structure and
(in some versions) an invalid API key are a 400.
Source: IBM Maximo REST API Guide, "REST API errors"; IBM support pages on the ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dragoman.domain.errors import Conflict, DragomanError, NeedsHuman, NotFound, Permanent
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson, ServerFailed


class Gone(NotFound):
    """The record doesn't exist, or no longer where our user may see it."""


class Stale(Conflict):
    """The record changed since it was read."""


class StatusRefused(Permanent):
    """The status can't be set from the present one."""


class DuplicateKey(Conflict):
    """A record with this key exists already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What helps. field: the setting or attribute at fault, if it is always the same."""

    kind: type[DragomanError]
    mend: str = ""
    field: str = ""


_LOGIN = Recovery(kind=NeedsHuman, field="auth", mend="make a new API key for the gateway's user")
_VALUE = Recovery(kind=Permanent, mend="correct the value in the mapping")
_BUSY = Recovery(kind=ServerFailed)

CODES: Mapping[str, Recovery] = {
    # credentials and rights: nothing goes through until a person acts
    "BMXAA0021E": _LOGIN,
    "BMXAA7901E": _LOGIN,
    "BMXAA9549E": _LOGIN,
    "BMXAA9051E": Recovery(kind=NeedsHuman, field="auth", mend="give the user the right"),
    "BMXAA9301E": Recovery(
        kind=NeedsHuman,
        field="object_structure",
        mend="give the user's security group read, insert and save on the object structure",
    ),
    # our query can't be read: a setting names what isn't there
    "BMXAA8744E": Recovery(
        kind=NeedsHuman,
        field="where",
        mend="check the attributes in where, fields, uid_attribute and correlation_field",
    ),
    # one record
    "BMXAA8727E": Recovery(kind=Gone, mend="it was deleted, or the user may not see it"),
    "BMXAA8229W": Recovery(kind=Stale),
    "BMXAA4200E": Recovery(kind=Stale),
    "BMXAA4590E": Recovery(kind=StatusRefused, field="status"),
    "BMXAA0032E": Recovery(kind=StatusRefused, field="status"),
    "BMXAA4679E": Recovery(kind=StatusRefused, field="status"),
    "BMXAA0031E": Recovery(kind=Permanent, mend="it is closed, or a rule of Maximo locks it"),
    "BMXAA4017E": Recovery(kind=Permanent, mend="the user's data restrictions forbid it"),
    "BMXAA6002E": Recovery(kind=Permanent, mend="the user's data restrictions forbid it"),
    "BMXAA4129E": Recovery(kind=DuplicateKey),
    # one value
    "BMXAA4024E": _VALUE,
    "BMXAA4049E": Recovery(kind=Permanent, mend="shorten the text in the mapping"),
    "BMXAA4134E": _VALUE,
    "BMXAA4190E": _VALUE,
    "BMXAA4191E": _VALUE,
    "BMXAA4195E": Recovery(kind=Permanent, mend="give the named field in the mapping"),
    "BMXAA4198E": _VALUE,
    "BMXAA5401E": Recovery(kind=Permanent, mend="give the named field in the mapping"),
    "BMXAA0090E": _VALUE,
    "BMXAA2661E": _VALUE,
    # Maximo or its database for the moment
    "BMXAA4160E": _BUSY,
    "BMXAA4211E": _BUSY,
    "BMXAA4494E": _BUSY,
    "BMXAA6395E": _BUSY,
}
"""Message id → what helps."""


def said(body: object) -> tuple[str, str]:
    """(message id, Maximo's own words) of an error body; ("", "") if it isn't one."""
    error = body.get("Error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return "", ""
    code, words = error.get("reasonCode"), error.get("message")
    return (
        code if isinstance(code, str) else "",
        " ".join(words.split()) if isinstance(words, str) else "",
    )


def translate(answer: HttpAnswer, body: object, client: HttpClient, doing: str) -> DragomanError:
    """The error for a refusal. doing: what was asked, for the text."""
    code, words = said(body)
    known = CODES.get(code)
    text = f"{answer.where} refused {doing} (HTTP {answer.status}): {words[:400]}"
    if known is None:
        return client.error_for(answer, f"{doing}: {words}" if words else doing)
    if known.kind is ServerFailed:
        return ServerFailed(text)
    return known.kind(text, field=known.field, mend=known.mend)


def json_of(answer: HttpAnswer, client: HttpClient, doing: str) -> Any:
    """The decoded body of a success. Raises as `translate`, or NotJson.

    An error may also come with 200, so the body counts and not the status alone.
    """
    if answer.status >= 300:
        try:
            body = answer.json()
        except NotJson:
            body = None
        raise translate(answer, body, client, doing)
    body = answer.json()
    if said(body)[0]:
        raise translate(answer, body, client, doing)
    return body
