"""What the emulated Request Tracker does with a body: create a ticket, update it, add a message.

Called by the routes. Each returns the sentences that Request Tracker answers with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dragoman.testing.rt.errors import Refused
from dragoman.testing.rt.store import NewTicket, Store, Ticket, Transaction, User


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; an empty body is an empty one. Raises Refused with 400."""
    if not body:
        return {}
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Refused(400, f"JSON parse error: {error}\n") from error
    if not isinstance(value, dict):
        raise Refused(400, "JSON object must be a HASH")
    return value


def create_ticket(store: Store, actor: User, body: Mapping[str, Any]) -> Ticket:
    """Create a ticket from a body. Raises Refused with 400 or 403."""
    queue = body.get("Queue")
    if not queue:
        raise Refused(400, "Could not create ticket. Queue not set")
    if str(queue) not in (store.queue.name, str(store.queue.id)) or not actor.sees:
        raise Refused(403, f"No permission to create tickets in the queue '{queue}'")
    new = NewTicket(
        subject=str(body.get("Subject", "")),
        text=str(body.get("Content") or ""),
        priority=int(body.get("Priority", 0)),
        fields={name: _text(value) for name, value in _custom_fields(body).items()},
    )
    return store.create(actor, new)


def apply_update(store: Store, ticket: Ticket, actor: User, body: Mapping[str, Any]) -> list[str]:
    """Apply what can be applied, basics first in Request Tracker's order, then custom fields."""
    told: list[str] = []
    if "Owner" in body:
        told.append(store.set_owner(ticket, actor, str(body["Owner"])))
    if "Priority" in body:
        told.append(store.set_priority(ticket, actor, int(body["Priority"])))
    if "Queue" in body and str(body["Queue"]) not in (ticket.queue.name, str(ticket.queue.id)):
        told.append("Permission Denied")
    if "Status" in body:
        told.append(store.set_status(ticket, actor, str(body["Status"])))
    if "Subject" in body:
        told.append(store.set_subject(ticket, actor, str(body["Subject"])))
    basics = [f"Ticket {ticket.id}: {sentence}" for sentence in told if sentence]
    return basics + _apply_custom_fields(store, ticket, actor, body)


def apply_message(
    store: Store, ticket: Ticket, actor: User, kind: str, body: Mapping[str, Any]
) -> tuple[Transaction, list[str]]:
    """Add a comment or a reply and apply the `CustomFields` and the `Status` beside it."""
    text = str(body.get("Content") or "")
    if text and not body.get("ContentType"):
        raise Refused(400, "ContentType is a required field for application/json")
    line = store.add_message(ticket, actor, kind, text, str(body.get("Subject") or ""))
    told = ["Comments added" if kind == "comment" else "Correspondence added"]
    told += _apply_custom_fields(store, ticket, actor, body)
    if body.get("Status"):
        told.append(store.set_status(ticket, actor, str(body["Status"])))
    return line, [sentence for sentence in told if sentence]


def _apply_custom_fields(
    store: Store, ticket: Ticket, actor: User, body: Mapping[str, Any]
) -> list[str]:
    told = (
        store.set_value(ticket, actor, name, _text(value))
        for name, value in _custom_fields(body).items()
        if store.custom_field(name)
    )
    return [sentence for sentence in told if sentence]


def _custom_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    found = body.get("CustomFields") or {}
    return dict(found) if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    """A field with one value takes the first of a list; an object makes the real server fail."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        raise Refused(500, "")
    return "" if value is None else str(value)
