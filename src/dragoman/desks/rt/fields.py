"""Reading and writing Request Tracker's values: tickets, custom fields, times, comparisons.

Used by the rest of this adapter. A ticket is read alone (`/ticket/N`), in one shape: links to
users and queues are objects with an id, custom fields a list of `{"name", "values"}`.
Source: RT 5 REST 2.0 documentation; answers recorded from 5.0.3 (tests/adapters/rt/recorded).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dragoman.domain.errors import BadInput
from dragoman.ports.desk import DeskRecord

CORE = frozenset(
    {
        *("Subject", "Status", "Priority", "InitialPriority", "FinalPriority", "Owner", "Queue"),
        *("Requestor", "Cc", "AdminCc", "Starts", "Started", "Due", "Type", "SLA"),
        *("TimeWorked", "TimeLeft", "TimeEstimated"),
    }
)
"""Ticket fields of Request Tracker itself; every other name is a custom field."""

DATES = frozenset({"Starts", "Started", "Due"})
LISTS = frozenset({"Requestor", "Cc", "AdminCc"})


def moment(text: object, field: str) -> datetime:
    """A time of an answer, always in UTC (`2026-01-31T23:59:59Z`). Raises BadInput."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadInput("no time of Request Tracker", field=field, value=str(text)[:60])
    return found.astimezone(UTC)


def id_of(link: object) -> str:
    """The id of a link to a user, queue or ticket; "" if this is none."""
    found = link.get("id") if isinstance(link, Mapping) else None
    return str(found) if isinstance(found, str | int) else ""


def custom_fields(raw: Mapping[str, object]) -> dict[str, Sequence[object]]:
    """Custom fields by name, each with its values. Raises BadInput."""
    listed = raw.get("CustomFields", [])
    # a queue without any has {} in place of []
    if not listed:
        return {}
    if not isinstance(listed, list):
        raise BadInput("no list of custom fields", field="CustomFields", value=repr(listed)[:60])
    found: dict[str, Sequence[object]] = {}
    for item in listed:
        if isinstance(item, Mapping) and isinstance(item.get("name"), str):
            values = item.get("values")
            found[item["name"]] = values if isinstance(values, list) else []
    return found


def custom_name(field: str) -> str:
    """The custom field that a field of the mapping means: `RobotID` or `CF.{RobotID}`."""
    name = field.removeprefix("CF.").removeprefix("CustomField.")
    return name[1:-1] if name != field and name[:1] == "{" and name[-1:] == "}" else field


def value_of(raw: Mapping[str, object], field: str) -> str | None:
    """One field as text, lists joined by ", "; None if the ticket has no such field."""
    if field not in CORE:
        values = custom_fields(raw).get(custom_name(field))
        return None if values is None else ", ".join(str(value) for value in values)
    found = raw.get(field)
    if isinstance(found, list):
        return ", ".join(id_of(item) for item in found)
    if isinstance(found, Mapping):
        return id_of(found)
    return None if found is None else str(found)


def same(wanted: str, raw: Mapping[str, object], field: str) -> bool:
    """Whether a field has a value, whatever the way it is written."""
    held = value_of(raw, field)
    if held is None:
        return False
    left, right = wanted.replace("\r\n", "\n").strip(), held.replace("\r\n", "\n").strip()
    if field in LISTS:
        return _members(left) == _members(right)
    if field in DATES:
        return _instant(left) == _instant(right)
    if left.isdecimal() and right.isdecimal():
        return int(left) == int(right)
    return left.casefold() == right.casefold()


def _members(text: str) -> frozenset[str]:
    return frozenset(part.strip().casefold() for part in text.split(",") if part.strip())


def _instant(text: str) -> datetime | str:
    """A date for comparison; unset is 1970. One without a zone is taken as UTC."""
    try:
        found = datetime.fromisoformat(text or "1970-01-01")
    except ValueError:
        return text
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def body_of(fields: Mapping[str, str]) -> dict[str, object]:
    """The JSON that writes these fields."""
    body: dict[str, object] = {}
    custom: dict[str, str | None] = {}
    for name, value in fields.items():
        if name not in CORE:
            custom[custom_name(name)] = value or None  # null empties a custom field
        elif name in LISTS:
            body[name] = [part.strip() for part in value.split(",") if part.strip()]
        else:
            body[name] = value
    if custom:
        body["CustomFields"] = custom
    return body


def record_of(raw: Mapping[str, object], etag: str) -> DeskRecord:
    """A record of the port. etag: the number of the ticket's last transaction. BadInput."""
    ticket = raw.get("id")
    if not isinstance(ticket, int | str) or not str(ticket).isdecimal():
        raise BadInput("the ticket has no number", field="id", value=repr(ticket)[:60])
    updated = raw.get("LastUpdated")
    return DeskRecord(
        external_id=str(ticket),
        version=etag or str(updated),
        updated_at=moment(updated, "LastUpdated"),
        updated_by=id_of(raw.get("LastUpdatedBy")),
        raw=raw,
    )


def allowed_statuses(raw: Mapping[str, object]) -> Sequence[str]:
    """The statuses that Request Tracker offers from the present one."""
    links = raw.get("_hyperlinks")
    if not isinstance(links, list):
        return ()
    return tuple(
        str(link.get("to"))
        for link in links
        if isinstance(link, Mapping) and link.get("ref") == "lifecycle"
    )
