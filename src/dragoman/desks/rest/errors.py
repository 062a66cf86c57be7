"""Refusals of a desk, told as errors of ours by its status and in its own words.

Used by wire.py. Statuses mean what transport/http_errors.py says, unless `errors.statuses` of the
configuration says otherwise.
"""

from collections.abc import Mapping
from typing import Any

from dragoman.config.jmes import reader
from dragoman.desks.rest.settings import ErrorsTable
from dragoman.domain.errors import (
    BadInput,
    Conflict,
    DragomanError,
    NeedsHuman,
    NotFound,
    Permanent,
)
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson, RateLimited


class Gone(NotFound):
    """The record doesn't exist, or not for our account."""


class Stale(Conflict):
    """The record changed since it was read (If-Match, or the version in the body)."""


KINDS: Mapping[str, type[DragomanError]] = {
    "permanent": Permanent,
    "human": NeedsHuman,
    "conflict": Stale,
    "gone": Gone,
}


class Refusals:
    """Tells what a refusal means."""

    def __init__(self, table: ErrorsTable) -> None:
        self._message = reader(table.message)
        self._statuses = table.statuses

    def words(self, answer: HttpAnswer) -> str:
        """The desk's own words, "" if they can't be found."""
        try:
            found: Any = self._message(answer.json())
        except (BadInput, NotJson):
            return ""
        if isinstance(found, list):
            found = "; ".join(str(one) for one in found[:10])
        return "" if found is None else " ".join(str(found).split())[:300]

    def error(
        self, answer: HttpAnswer, client: HttpClient, doing: str, *, of_one: bool
    ) -> DragomanError:
        """of_one: the request concerns one record, so that a 403 or 404 is about that record."""
        words, status = self.words(answer), answer.status
        text = f"{answer.where} refused {doing} (HTTP {status})" + (f": {words}" if words else "")
        told = self._statuses.get(str(status))
        if told == "retry":
            error = client.error_for(answer)
            delay = getattr(error, "delay_s", None)
            return RateLimited(text, delay_s=delay)
        if told is not None:
            return KINDS[told](text)
        if of_one and status in (403, 404, 410):
            return Gone(text, mend="it was deleted or moved, or the account may not do this to it")
        if status in (409, 412):
            return Stale(text)
        if status == 428:
            return Permanent(text, mend="set if_match = true for this request")
        return client.error_for(answer, f"{doing}: {words}" if words else doing)
