"""Request Tracker's REST 2.0, as far as a gateway needs it. No policy, only the wire.

Used by `changes.py` and `writes.py`. Source: RT 5 REST 2.0 documentation, answers of 5.0.3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from dragoman.desks.rt.errors import Gone, json_of
from dragoman.desks.rt.fields import body_of, id_of, record_of
from dragoman.domain.errors import Permanent
from dragoman.ports.desk import DeskRecord
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson, http_date

# Lines of the history that accounts without administrative rights don't see.
_MAILS = "Type != 'EmailRecord' AND Type != 'CommentEmailRecord'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A ticket and the desk's time when it was read."""

    record: DeskRecord
    at: datetime | None


class Rest:
    """The calls on one queue."""

    def __init__(self, http: HttpClient, queue: str) -> None:
        self.http = http
        self.queue = queue

    async def transactions(self, after: int, limit: int, *, newest: bool = False) -> Sequence[Any]:
        """Lines of the histories of the queue's tickets with a number above `after`."""
        answer = await self.http.request(
            "GET",
            "/transactions",
            params={
                "query": f"ObjectType = 'RT::Ticket' AND TicketQueue = '{self.queue}' "
                f"AND id > {after} AND {_MAILS}",
                "fields": "ObjectId,Created,Creator",
                "orderby": "id",
                "order": "DESC" if newest else "ASC",
                "per_page": str(limit),
            },
        )
        return self._items(answer, "a list of transactions")

    async def ticket(self, ticket: str) -> Reading:
        """One ticket. Raises Gone, also for one that was merged into another."""
        if not ticket.isdecimal() or len(ticket) > 18:
            raise Gone("no number of a ticket", field="external_id", value=ticket)
        answer = await self.http.request("GET", f"/ticket/{ticket}")
        doing = f"a read of ticket {ticket}"
        raw = json_of(answer, self.http, doing, one_ticket=True)
        if not isinstance(raw, Mapping):
            raise NotJson(f"{answer.where} answered {doing} with something that isn't a ticket")
        record = record_of(raw, answer.headers.get("etag", "").strip('"'))
        if record.external_id != ticket:
            raise Gone(f"ticket {ticket} was merged into {record.external_id}")
        return Reading(record=record, at=http_date(answer.headers.get("date")))

    async def put(self, ticket: str, fields: Mapping[str, str], etag: str) -> Sequence[str]:
        """Change fields; returns what Request Tracker says about each. etag: "" for any.

        Raises Stale if the ticket has another ETag by now.
        """
        answer = await self.http.request(
            "PUT",
            f"/ticket/{ticket}",
            json=body_of(fields),
            headers={"If-Match": etag} if etag else None,
        )
        return _sentences(
            json_of(answer, self.http, f"a change of ticket {ticket}", one_ticket=True)
        )

    async def say(self, ticket: str, kind: str, text: str, fields: Mapping[str, str]) -> str:
        """Add a comment or a reply (kind: comment, correspond), then set Status and custom fields.

        One request, in this order, so that a reply can't reopen what it resolves. Returns the
        path of the transaction that it made, "" if the answer doesn't tell.
        """
        answer = await self.http.request(
            "POST",
            f"/ticket/{ticket}/{kind}",
            json={"Content": text, "ContentType": "text/plain", **body_of(fields)},
        )
        json_of(answer, self.http, f"a {kind} on ticket {ticket}", one_ticket=True)
        return answer.headers.get("location", "")

    async def texts(self, ticket: str, page: int) -> Sequence[str]:
        """Texts of comments and replies, newest first, a page of a hundred at a time."""
        answer = await self.http.request(
            "GET",
            f"/ticket/{ticket}/attachments",
            params={
                "fields": "Content",
                "orderby": "id",
                "order": "DESC",
                "per_page": "100",
                "page": str(page),
            },
        )
        items = self._items(answer, f"the texts of ticket {ticket}", one_ticket=True)
        return [str(item.get("Content", "")) for item in items if isinstance(item, Mapping)]

    async def create(self, body: Mapping[str, object]) -> str:
        """Open a ticket; returns its number."""
        answer = await self.http.request("POST", "/ticket", json={"Queue": self.queue, **body})
        told = json_of(answer, self.http, "a new ticket", one_ticket=False)
        number = id_of(told)
        if not number:
            raise NotJson(f"{answer.where} doesn't tell the number of the new ticket")
        return number

    async def with_value(self, field: str, value: str) -> Sequence[str]:
        """Numbers of the queue's tickets whose custom field has a value; at most ten."""
        answer = await self.http.request(
            "GET",
            "/tickets",
            params={
                "query": f"Queue = '{self.queue}' AND CF.{{{field}}} = '{_quoted(value)}'",
                "orderby": "id",
                "per_page": "10",
            },
        )
        return [id_of(item) for item in self._items(answer, "a search by our key")]

    async def active(self, after: int, limit: int) -> Sequence[str]:
        """Numbers of the queue's tickets that aren't at an end, above `after`, in order."""
        answer = await self.http.request(
            "GET",
            "/tickets",
            params={
                "query": f"Queue = '{self.queue}' AND Status = '__Active__' AND id > {after}",
                "orderby": "id",
                "order": "ASC",
                "per_page": str(limit),
            },
        )
        return [id_of(item) for item in self._items(answer, "a list of open tickets")]

    async def of_queue(self, numbers: Sequence[str]) -> Sequence[str]:
        """Those of these tickets that are in the queue now, whatever their status."""
        wanted = " OR ".join(f"id = {number}" for number in numbers if number.isdecimal())
        if not wanted:
            return ()
        answer = await self.http.request(
            "GET",
            "/tickets",
            params={
                "query": f"Queue = '{self.queue}' AND ({wanted})",
                "orderby": "id",
                "per_page": str(len(numbers)),
            },
        )
        return [id_of(item) for item in self._items(answer, "a look for tickets in the queue")]

    async def custom_fields_of_queue(self) -> Sequence[str]:
        """Names of the custom fields that the queue's tickets have, as far as we see them."""
        return [str(item.get("name", "")) for item in await self.custom_field_links()]

    async def custom_field_links(self) -> Sequence[Mapping[str, object]]:
        """The same as links, with `id` and `name`."""
        answer = await self.http.request("GET", f"/queue/{quote(self.queue, safe='')}")
        raw = json_of(answer, self.http, f"a read of queue {self.queue}", one_ticket=False)
        listed = raw.get("TicketCustomFields") if isinstance(raw, Mapping) else None
        items = listed if isinstance(listed, list) else []
        return [item for item in items if isinstance(item, Mapping)]

    async def custom_field(self, number: str) -> Mapping[str, object]:
        """One custom field: Name, Type, Pattern, Values … Raises Gone if we may not see it."""
        answer = await self.http.request("GET", f"/customfield/{quote(number, safe='')}")
        raw = json_of(answer, self.http, f"a read of custom field {number}", one_ticket=True)
        return raw if isinstance(raw, Mapping) else {}

    async def creator_of(self, path: str) -> str:
        """Who made a transaction, by the path that `say` returned; "" if we may not see it."""
        number = path.rpartition("/")[2]
        if not number.isdecimal():
            return ""
        answer = await self.http.request("GET", f"/transaction/{number}")
        try:
            raw = json_of(answer, self.http, "a read of our own comment", one_ticket=True)
        except Permanent:  # not allowed to see it: then we don't learn our name
            return ""
        return id_of(raw.get("Creator")) if isinstance(raw, Mapping) else ""

    def _items(self, answer: HttpAnswer, doing: str, *, one_ticket: bool = False) -> Sequence[Any]:
        body = json_of(answer, self.http, doing, one_ticket=one_ticket)
        items = body.get("items") if isinstance(body, Mapping) else None
        if not isinstance(items, list):
            raise NotJson(f"{answer.where} answered {doing} with something that isn't a list")
        return items


def _sentences(told: object) -> Sequence[str]:
    return [str(one) for one in told] if isinstance(told, list) else [str(told)]


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
