"""Salesforce's refusals, told as errors of ours by their error codes.

Used by `rest.py`. An error is a list of `{"errorCode", "message", "fields"}`; `fields` is often
missing, and then the message names the field. Within a composite's answer each part has its own.
Source: REST API Developer Guide ("Status Codes and Error Responses"), SOAP API Developer Guide
("StatusCode", "ExceptionCode").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dragoman.domain.errors import (
    Conflict,
    DragomanError,
    NeedsHuman,
    NotFound,
    Permanent,
    RetryLater,
)
from dragoman.transport.http_errors import RateLimited, ServerFailed, of_status


class Gone(NotFound):
    """The record doesn't exist, or not where our account may see it."""


class Stale(Conflict):
    """The record changed since it was read (If-Unmodified-Since)."""


class DuplicateKey(Conflict):
    """A unique field of a new record has this value already."""


class BadChoice(Permanent):
    """The value is none of those that the picklist allows."""


class KeyField(NeedsHuman):
    """Several records have the external id, or there is no such external id field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refused call, or a refused part of one.

    doing: what was asked, for the text. one: whether it concerned a single record, so that a wrong
    field is that record's trouble and not the configuration's. delay_s: its Retry-After.
    """

    status: int
    body: object
    where: str
    doing: str
    one: bool
    delay_s: float | None = None

    def first(self) -> Mapping[str, object]:
        """The first error of the body; empty if it isn't Salesforce's."""
        found = self.body[0] if isinstance(self.body, list) and self.body else None
        return found if isinstance(found, Mapping) else {}

    @property
    def code(self) -> str:
        """Salesforce's error code."""
        return str(self.first().get("errorCode") or "")

    @property
    def message(self) -> str:
        """Salesforce's own words, on one line."""
        return " ".join(str(self.first().get("message") or "").split())

    @property
    def field(self) -> str:
        """The field that it concerns, by the list or by the words; "" if none is named."""
        listed = self.first().get("fields")
        if isinstance(listed, list) and listed:
            return str(listed[0])
        found = re.search(
            r"No such column '([^']+)'|create/update fields: (\w+)|relationship '([^']+)'"
            r"|criterion for field '([^']+)'",
            self.message,
        )
        return next((name for name in found.groups() if name), "") if found else ""


_RIGHTS = "check the account's permission set: object, field and record access"
CODES: Mapping[str, tuple[type[DragomanError], str]] = {
    "UNABLE_TO_LOCK_ROW": (RetryLater, ""),
    "SERVER_UNAVAILABLE": (ServerFailed, ""),
    "REQUEST_RUNNING_TOO_LONG": (ServerFailed, ""),
    "QUERY_TIMEOUT": (ServerFailed, ""),
    "UNKNOWN_EXCEPTION": (ServerFailed, ""),
    "REQUEST_LIMIT_EXCEEDED": (RateLimited, ""),
    "ENTITY_IS_DELETED": (Gone, "it was deleted at the desk"),
    "NOT_FOUND": (Gone, "it was deleted, or the account may not see it"),
    "MALFORMED_ID": (Permanent, "give an id of the right object"),
    "INVALID_CROSS_REFERENCE_KEY": (Permanent, "the record that it refers to isn't there"),
    "DUPLICATE_VALUE": (DuplicateKey, "a record with this key is there already"),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": (BadChoice, "use a value of the picklist"),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": (Permanent, "a validation rule of the org forbids it"),
    "REQUIRED_FIELD_MISSING": (Permanent, "give the named fields in the mapping"),
    "STRING_TOO_LONG": (Permanent, "shorten the text"),
    "JSON_PARSER_ERROR": (Permanent, "give a value of the field's type"),
    "INVALID_FIELD": (Permanent, "correct the field's name, or the account's field-level security"),
    "INVALID_FIELD_FOR_INSERT_UPDATE": (Permanent, "the field is read-only for the account"),
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": (Permanent, "a trigger of the org forbids it"),
    "CANNOT_EXECUTE_FLOW_TRIGGER": (Permanent, "a Flow of the org failed on it"),
    "INSUFFICIENT_ACCESS_OR_READONLY": (Permanent, _RIGHTS),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": (Permanent, _RIGHTS),
    "INVALID_TYPE": (NeedsHuman, _RIGHTS),
    "API_DISABLED_FOR_ORG": (NeedsHuman, "give the account the right API Enabled"),
    "API_CURRENTLY_DISABLED": (NeedsHuman, "give the account the right API Enabled"),
    "MALFORMED_QUERY": (NeedsHuman, "correct `query`"),
    "INVALID_QUERY_FILTER_OPERATOR": (NeedsHuman, "correct `query`"),
    "STORAGE_LIMIT_EXCEEDED": (NeedsHuman, "the org is full"),
}
"""Error code → what it becomes, and how to mend it."""

_CONCURRENT_S, _DAILY_S = 5.0, 60.0


def translate(refusal: Refusal) -> DragomanError:
    """The error for a refusal."""
    said = f"{refusal.code}: {refusal.message}"[:400] if refusal.code else ""
    text = f"{refusal.where} refused {refusal.doing} (HTTP {refusal.status}): {said}"
    if refusal.status == 412:
        return Stale(f"{refusal.where}: the record changed meanwhile")
    if refusal.status == 300:
        return KeyField(f"several records match {refusal.doing}", mend="merge them at the desk")
    # a trigger that waited for a lock in vain tells it in its own message
    locked = "UNABLE_TO_LOCK_ROW" in refusal.message
    kind, mend = CODES.get("UNABLE_TO_LOCK_ROW" if locked else refusal.code, (None, ""))
    if kind is None:
        detail = f"{refusal.doing}: {said}" if said else refusal.doing
        return of_status(refusal.status, refusal.where, detail, refusal.delay_s)
    if kind is RateLimited:
        # the day's quota comes back little by little; too many long calls at once end soon
        default = _CONCURRENT_S if "Concurrent" in refusal.message else _DAILY_S
        return RateLimited(text, delay_s=default if refusal.delay_s is None else refusal.delay_s)
    if issubclass(kind, RetryLater):
        return kind(text, delay_s=refusal.delay_s)
    if refusal.code == "INVALID_FIELD" and not refusal.one:
        return NeedsHuman(text, field=refusal.field or "fields", mend=mend)
    field = "query" if kind is NeedsHuman and "QUERY" in refusal.code else refusal.field
    return kind(text, field=field, mend=mend)
