"""What the emulated Request Tracker knows: its queue, custom fields, users, tickets and history.

The server calls it for each request; tests call it to act as a person at the desk. Every change
goes through a method that also writes the history, as in Request Tracker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # how Request Tracker writes "not set"
ACTIVE = ("new", "open", "stalled")
INACTIVE = ("resolved", "rejected", "deleted")

# A new ticket gets groups for its roles first, and their making is numbered as history too.
_GROUPS_OF_A_TICKET = 4
_FIRST_TRANSACTION = 46


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account; `sees` names the queues in which it has rights."""

    id: int
    name: str
    sees: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A queue or a custom field."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The text of a comment, a reply or a new ticket."""

    id: int
    content: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """What a ticket is opened with; `fields` has custom fields by name."""

    subject: str
    queue: str = ""
    text: str = ""
    priority: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a line of history tells. `field` is a name, or the number of a custom field."""

    type: str
    field: str = ""
    old: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction(Change):
    """One line of a ticket's history."""

    id: int
    ticket_id: int
    creator: User
    created: datetime
    attachment: Attachment | None = None
    object_type: str = "RT::Ticket"

    @property
    def hidden(self) -> bool:
        """Whether accounts with ordinary rights don't see it: mails sent, groups made."""
        return self.type == "EmailRecord" or self.object_type != "RT::Ticket"


@dataclass(slots=True, kw_only=True)
class Ticket:
    """A ticket as it is now; `values` has custom fields by number."""

    id: int
    queue: Named
    subject: str
    creator: User
    owner: User
    created: datetime
    last_updated: datetime
    last_updated_by: User
    status: str = "new"
    priority: int = 0
    started: datetime = EPOCH
    resolved: datetime = EPOCH
    values: dict[int, str] = field(default_factory=dict)
    history: list[Transaction] = field(default_factory=list)

    @property
    def newest(self) -> Transaction:
        """The last line of its history that is not hidden."""
        return next(line for line in reversed(self.history) if not line.hidden)


class Store:
    """All of it. Times are cut to whole seconds, as Request Tracker keeps them."""

    def __init__(
        self,
        *,
        queue: str,
        hidden_queue: str,
        custom_fields: Iterable[str],
        now: Callable[[], datetime],
    ) -> None:
        # Request Tracker keeps whole seconds.
        self._second: Callable[[], datetime] = lambda: now().astimezone(UTC).replace(microsecond=0)
        self.queue = Named(id=3, name=queue)
        self.hidden_queue = Named(id=4, name=hidden_queue)
        self.custom_fields = [Named(id=2 + i, name=name) for i, name in enumerate(custom_fields)]
        self.shown: set[str] = set()
        """Custom fields that the accounts may read alone; a right on the queue isn't enough."""
        self.choices: dict[str, Sequence[str]] = {}
        """Custom field → what may be selected; others take any text."""
        self.mandatory: set[str] = set()
        """Custom fields that the web pages don't leave empty."""
        both, one = frozenset({queue, hidden_queue}), frozenset({queue})
        self.users = [
            User(id=1, name="RT_System", sees=both),
            User(id=6, name="Nobody", sees=frozenset()),
            User(id=39, name="svc-gateway", sees=one),
            User(id=42, name="pat-requester", sees=one),
        ]
        self.tickets: dict[int, Ticket] = {}
        self.created = self._second()
        self._groups: list[Transaction] = []
        self._next_transaction = _FIRST_TRANSACTION
        self._next_attachment = 1
        hidden = NewTicket(subject="Not for the gateway", queue=hidden_queue)
        self.create(self.user("RT_System"), hidden)

    def user(self, name: str) -> User:
        """Return an account by its name; KeyError if there is none."""
        for user in self.users:
            if user.name == name:
                return user
        raise KeyError(name)

    def custom_field(self, name: str) -> Named | None:
        """Return a custom field by its name or its number."""
        return next((f for f in self.custom_fields if name in (f.name, str(f.id))), None)

    def value(self, ticket: Ticket, name: str) -> str:
        """Return the value of a custom field by its name, "" when it is not set."""
        found = self.custom_field(name)
        return ticket.values.get(found.id, "") if found else ""

    def transactions(self) -> list[Transaction]:
        """Return the history of everything by number, hidden lines too."""
        lines = [line for ticket in self.tickets.values() for line in ticket.history]
        return sorted(lines + self._groups, key=lambda line: line.id)

    def create(self, actor: User, new: NewTicket) -> Ticket:
        """Open a ticket; custom fields that don't exist are ignored, as Request Tracker does."""
        now = self._second()
        ticket = Ticket(
            id=len(self.tickets) + 1,
            queue=self.hidden_queue if new.queue == self.hidden_queue.name else self.queue,
            subject=new.subject,
            creator=actor,
            owner=self.user("Nobody"),
            created=now,
            last_updated=now,
            last_updated_by=actor,
            priority=new.priority,
        )
        for name, value in new.fields.items():
            if (known := self.custom_field(name)) and value:
                ticket.values[known.id] = value
        self.tickets[ticket.id] = ticket
        for _ in range(_GROUPS_OF_A_TICKET):
            line = self._line(ticket, self.user("RT_System"), Change(type="Create"))
            self._groups.append(replace(line, object_type="RT::Group"))
        self._write(ticket, actor, Change(type="Create"), self._attach(new.text, new.subject))
        return ticket

    def set_status(self, ticket: Ticket, actor: User, status: str) -> str:
        """Change the status. Return what Request Tracker says about it, "" for no change."""
        if status == ticket.status:
            return ""
        if status not in ACTIVE + INACTIVE:
            return f"Status '{status}' isn't a valid status for this ticket."
        old, ticket.status = ticket.status, status
        now = self._second()
        if status in ACTIVE and status != "new" and ticket.started == EPOCH:
            ticket.started = now
        if status in INACTIVE:
            ticket.resolved = now
        self._write(ticket, actor, Change(type="Status", field="Status", old=old, new=status))
        return f"Status changed from '{old}' to '{status}'"

    def set_value(self, ticket: Ticket, actor: User, name: str, value: str) -> str:
        """Set a custom field ("" clears it). Return what Request Tracker says about it."""
        known = self.custom_field(name)
        if known is None:
            return ""
        old = ticket.values.get(known.id, "")
        if old == value:
            return ""
        if value:
            ticket.values[known.id] = value
        else:
            del ticket.values[known.id]
        change = Change(type="CustomField", field=str(known.id), old=old, new=value)
        self._write(ticket, actor, change)
        if not value:
            return f"{known.name} {old} deleted"
        return f"{known.name} {old} changed to {value}" if old else f"{known.name} {value} added"

    def set_owner(self, ticket: Ticket, actor: User, name: str) -> str:
        """Give the ticket to someone. Return what Request Tracker says about it."""
        try:
            owner = self.user(name)
        except KeyError:
            return "That user does not exist"
        if owner == ticket.owner:
            return ""
        old, ticket.owner = ticket.owner, owner
        for kind in ("Set", "SetWatcher"):
            change = Change(type=kind, field="Owner", old=str(old.id), new=str(owner.id))
            self._write(ticket, actor, change)
        return f"Owner changed from {old.name} to {owner.name}"

    def set_subject(self, ticket: Ticket, actor: User, subject: str) -> str:
        """Change the subject. Return what Request Tracker says about it."""
        if subject == ticket.subject:
            return ""
        old, ticket.subject = ticket.subject, subject
        self._write(ticket, actor, Change(type="Set", field="Subject", old=old, new=subject))
        return f"Subject changed from '{old}' to '{subject}'"

    def set_priority(self, ticket: Ticket, actor: User, priority: int) -> str:
        """Change the priority. Return what Request Tracker says about it."""
        if priority == ticket.priority:
            return ""
        old, ticket.priority = ticket.priority, priority
        change = Change(type="Set", field="Priority", old=str(old), new=str(priority))
        self._write(ticket, actor, change)
        return f"Priority changed from '{_priority_name(old)}' to '{_priority_name(priority)}'"

    def add_message(
        self, ticket: Ticket, actor: User, kind: str, text: str, subject: str = ""
    ) -> Transaction:
        """Add a "comment" (for staff) or "correspond" (a reply, which opens the ticket)."""
        attachment = self._attach(text, subject)
        line = self._write(ticket, actor, Change(type=kind.capitalize()), attachment)
        if kind == "correspond":
            if ticket.owner.name not in ("Nobody", actor.name):
                ticket.history.append(self._line(ticket, actor, Change(type="EmailRecord")))
            if ticket.status == "new" or ticket.status in INACTIVE:
                self.set_status(ticket, self.user("RT_System"), "open")
                ticket.last_updated_by = actor  # the system opens it, but isn't told as the one
        return line

    def _write(
        self, ticket: Ticket, actor: User, change: Change, attachment: Attachment | None = None
    ) -> Transaction:
        line = replace(self._line(ticket, actor, change), attachment=attachment)
        ticket.history.append(line)
        ticket.last_updated, ticket.last_updated_by = line.created, actor
        return line

    def _line(self, ticket: Ticket, actor: User, change: Change) -> Transaction:
        self._next_transaction += 1
        return Transaction(
            id=self._next_transaction - 1,
            ticket_id=ticket.id,
            creator=actor,
            created=self._second(),
            type=change.type,
            field=change.field,
            old=change.old,
            new=change.new,
        )

    def _attach(self, text: str, subject: str) -> Attachment | None:
        if not text:
            return None
        attachment = Attachment(id=self._next_attachment, content=text, subject=subject)
        self._next_attachment += 1
        return attachment


def _priority_name(priority: int) -> str:
    return "High" if priority >= 100 else "Medium" if priority >= 50 else "Low"
