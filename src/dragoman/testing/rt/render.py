"""The JSON in which the emulated Request Tracker answers. Source: recorded answers of 5.0.3.

Numbers are text but for the `id` of a record read alone; a date that is not set is 1970; lists
have `pages` and `total` for tickets and null in their place for transactions.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from dragoman.testing.rt.store import EPOCH, Attachment, Named, Store, Ticket, Transaction, User

Json = dict[str, Any]
_STEPS = {
    # status → the next ones that a user is offered: (status, label, kind of message)
    "new": (
        ("open", "Open It", "Respond"),
        ("resolved", "Resolve", "Comment"),
        ("rejected", "Reject", "Respond"),
    ),
    "open": (
        ("stalled", "Stall", "Comment"),
        ("resolved", "Resolve", "Comment"),
        ("rejected", "Reject", "Respond"),
    ),
    "stalled": (("open", "Open It", ""),),
    **dict.fromkeys(("resolved", "rejected"), (("open", "Re-open", "Comment"),)),
}


def when(moment: datetime) -> str:
    """Write a time as REST 2.0 does: `2026-01-31T23:59:59Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _data(line: Transaction) -> str:
    """Tell a message's subject as the mail's header has it, with the end of its line."""
    if line.type not in ("Comment", "Correspond"):
        return ""
    subject = line.attachment.subject if line.attachment else ""
    return f"{subject}\n" if subject else "No Subject"


class Renderer:
    """Writes records; `base` is the address of REST 2.0 that links start with."""

    def __init__(self, store: Store, base: str) -> None:
        self._store = store
        self._base = base

    def reference(self, kind: str, key: object) -> Json:
        """Write a link to a record."""
        return {"type": kind, "id": str(key), "_url": f"{self._base}/{kind}/{key}"}

    def ticket(self, ticket: Ticket) -> Json:
        """Write a ticket read alone."""
        names = (
            "AdminCc Cc Created Creator CustomFields Due EffectiveId FinalPriority InitialPriority"
            " LastUpdated LastUpdatedBy Owner Priority Queue Requestor Resolved Started Starts"
            " Status Subject TimeEstimated TimeLeft TimeWorked Type"
        )
        told = {name: self.ticket_field(ticket, name) for name in names.split()}
        return {**told, "id": ticket.id, "_hyperlinks": self._ticket_links(ticket)}

    def ticket_field(self, ticket: Ticket, name: str) -> Any:
        """Write one field of a ticket; "" for a name that Request Tracker doesn't know."""
        simple: Mapping[str, Any] = {
            "id": str(ticket.id),
            "Status": ticket.status,
            "Subject": ticket.subject,
            "Priority": str(ticket.priority),
            "Created": when(ticket.created),
            "LastUpdated": when(ticket.last_updated),
            "Started": when(ticket.started),
            "Resolved": when(ticket.resolved),
            "Creator": self.user(ticket.creator),
            "LastUpdatedBy": self.user(ticket.last_updated_by),
            "Owner": self.user(ticket.owner),
            "Queue": self.reference("queue", ticket.queue.id),
            "EffectiveId": self.reference("ticket", ticket.id),
            "Type": "ticket",
            "CustomFields": self._custom_fields(ticket),
        }
        if name in simple:
            return simple[name]
        if name in ("Requestor", "Cc", "AdminCc"):
            return []
        if name in ("Due", "Starts", "Told"):
            return when(EPOCH)
        zeros = ("InitialPriority", "FinalPriority", "TimeEstimated", "TimeLeft", "TimeWorked")
        return "0" if name in zeros else ""

    def user(self, user: User) -> Json:
        """Write a link to an account."""
        return self.reference("user", user.name)

    def transaction(self, line: Transaction) -> Json:
        """Write a line of history read alone; what is empty is left out."""
        told: Json = {
            "id": line.id,
            "Type": line.type,
            "Creator": self.user(line.creator),
            "Created": when(line.created),
            "Object": self.reference("ticket", line.ticket_id),
            "TimeTaken": "0",
            "_hyperlinks": self._transaction_links(line),
        }
        if data := _data(line):
            told["Data"] = data
        pairs = {"Field": line.field, "OldValue": line.old, "NewValue": line.new}
        return told | {name: value for name, value in pairs.items() if value}

    def transaction_field(self, line: Transaction, name: str) -> Any:
        """Write one field of a line of history."""
        known: Mapping[str, Any] = {
            "id": str(line.id),
            "Type": line.type,
            "Creator": self.user(line.creator),
            "Created": when(line.created),
            "ObjectType": line.object_type,
            "ObjectId": str(line.ticket_id),
            "Field": line.field,
            "OldValue": line.old,
            "NewValue": line.new,
            "Data": _data(line),
            "_hyperlinks": self._transaction_links(line),
        }
        return known.get(name, "")

    def attachment(self, attachment: Attachment, line: Transaction) -> Json:
        """Write a text with its content in base64."""
        return {
            "id": attachment.id,
            "Content": base64.encodebytes(attachment.content.encode()).decode(),
            "ContentType": "text/plain",
            "Subject": attachment.subject,
            "Created": when(line.created),
            "Creator": self.user(line.creator),
            "TransactionId": self.reference("transaction", line.id),
            "_hyperlinks": [],
        }

    def attachment_item(self, line: Transaction, names: Sequence[str]) -> Json:
        """Write a text as a list does: its content is plain there, in base64 when read alone."""
        attachment = line.attachment
        assert attachment is not None, "only lines with a text are listed"
        known: Mapping[str, Any] = {
            "Content": attachment.content,
            "ContentType": "text/plain",
            "TransactionId": str(line.id),
        }
        told = {name: known.get(name, "") for name in names}
        return {**told, **self.reference("attachment", attachment.id)}

    def queue(self) -> Json:
        """Write the queue read alone."""
        store = self._store
        link = self.reference("queue", store.queue.id)
        system = self.user(store.user("RT_System"))
        return {
            "AdminCc": [],
            "Cc": [],
            "CustomFields": [],
            "CommentAddress": "",
            "CorrespondAddress": "",
            "TicketTransactionCustomFields": [],
            "Created": when(store.created),
            "Creator": system,
            "Description": "Cases for robots",
            "Disabled": "0",
            "LastUpdated": when(store.created),
            "LastUpdatedBy": system,
            "Lifecycle": "default",
            "Name": store.queue.name,
            "SLADisabled": "1",
            "SortOrder": "0",
            "TicketCustomFields": self._custom_field_links(),
            "id": store.queue.id,
            "_hyperlinks": [
                {**link, "id": store.queue.id, "ref": "self"},
                {"_url": link["_url"] + "/history", "ref": "history"},
                {
                    "_url": f"{self._base}/ticket?Queue={store.queue.id}",
                    "ref": "create",
                    "type": "ticket",
                },
            ],
        }

    def page(
        self,
        path: str,
        parameters: Mapping[str, str],
        rows: Sequence[Any],
        write: Callable[[Any], Json | None],
    ) -> Json:
        """Write one page of a list of tickets or of transactions.

        Request Tracker counts tickets, but of transactions it takes the page first and then drops
        what the reader may not see (`write` returns None): such a page may be short, even empty,
        with more to come, and has no total.
        """
        counted = path == "/tickets"
        asked = parameters.get("per_page", "")
        per_page = min(int(asked), 100) if asked.isdigit() and int(asked) else 20
        number = parameters.get("page", "")
        page = int(number) if number.isdigit() and int(number) else 1
        shown = rows[(page - 1) * per_page : page * per_page]
        items = [told for row in shown if (told := write(row)) is not None]
        pages = math.ceil(len(rows) / per_page) if counted else None
        result: Json = {
            "count": len(items),
            "total": len(rows) if counted else None,
            "per_page": per_page,
            "page": page,
            "pages": pages,
            "items": items,
        }
        others = {key: value for key, value in parameters.items() if key != "page"}
        if pages and page < pages:
            query = urlencode({**others, "page": page + 1})
            result["next_page"] = f"{self._base}{path}?{query}"
        if pages and page > 1:
            query = urlencode({**others, "page": min(page - 1, pages)})
            result["prev_page"] = f"{self._base}{path}?{query}"
        return result

    def _custom_fields(self, ticket: Ticket) -> list[Json]:
        return [
            {
                **self.reference("customfield", known.id),
                "name": known.name,
                "values": [ticket.values[known.id]] if known.id in ticket.values else [],
            }
            for known in self._store.custom_fields
        ]

    def _custom_field_links(self) -> list[Json]:
        return [
            {**self.reference("customfield", known.id), "ref": "customfield", "name": known.name}
            for known in self._store.custom_fields
        ]

    def _ticket_links(self, ticket: Ticket) -> list[Json]:
        me = self.reference("ticket", ticket.id)
        links: list[Json] = [{**me, "id": ticket.id, "ref": "self"}, *self._custom_field_links()]
        links += [
            {"ref": name, "_url": f"{me['_url']}/{name}"}
            for name in ("history", "correspond", "comment")
        ]
        for status, label, update in _STEPS.get(ticket.status, ()):
            path = {"Respond": "/correspond", "Comment": "/comment"}.get(update, "")
            links.append(
                {
                    "ref": "lifecycle",
                    "from": ticket.status,
                    "to": status,
                    "label": label,
                    "update": update,
                    "_url": me["_url"] + path,
                }
            )
        return links

    def _transaction_links(self, line: Transaction) -> list[Json]:
        links: list[Json] = [
            {**self.reference("transaction", line.id), "id": line.id, "ref": "self"}
        ]
        if line.attachment:
            url = f"{self._base}/attachment/{line.attachment.id}"
            links.append({"ref": "attachment", "_url": url})
        return links


def custom_field(writer: Renderer, store: Store, field: Named) -> Json:
    """Write a custom field read alone. Only one with values to choose from tells `Values`."""
    values = store.choices.get(field.name, ())
    system = writer.user(store.user("RT_System"))
    return {
        "Created": when(store.created),
        "Creator": system,
        "Description": "",
        "Disabled": "0",
        "LastUpdated": when(store.created),
        "LastUpdatedBy": system,
        "EntryHint": "Enter one value",
        "LookupType": "RT::Queue-RT::Ticket",
        "MaxValues": "1",
        "Name": field.name,
        "Pattern": "(?#Mandatory)." if field.name in store.mandatory else "",
        "SortOrder": "0",
        "Type": "Select" if values else "Freeform",
        "UniqueValues": "0",
        **({"Values": list(values)} if values else {}),
        "id": field.id,
    }
