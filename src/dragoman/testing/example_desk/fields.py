"""Reading the desk's values: tickets into records, times, comparisons."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dragoman.domain.errors import BadInput, Conflict, Permanent
from dragoman.ports.desk import DeskRecord


def moment(text: object) -> datetime:
    """A time of the desk, which has an offset. Raises BadInput."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadInput("this is no time", field="updated_at", value=repr(text)[:60])
    return found.astimezone(UTC)


def record_of(raw: object) -> DeskRecord:
    """A record of the port. Raises BadInput naming what it lacks."""
    if not isinstance(raw, Mapping):
        raise BadInput("this is no ticket but " + type(raw).__name__)
    number, version = raw.get("id"), raw.get("version")
    if not isinstance(number, str) or not number:
        raise BadInput("the ticket has no id", field="id", value=repr(number)[:60])
    if not isinstance(version, int):
        raise BadInput("the ticket has no version", field="version", value=repr(version)[:60])
    return DeskRecord(
        external_id=number,
        version=str(version),
        updated_at=moment(raw.get("updated_at")),
        updated_by=str(raw.get("updated_by") or ""),
        raw=raw,
    )


def same(wanted: str, raw: Mapping[str, object], field: str) -> bool:
    """Whether a field has a value, whatever the way it is written."""
    held = raw.get(field)
    return field in raw and wanted.strip() == ("" if held is None else str(held)).strip()


def meets(raw: Mapping[str, object], expect: Mapping[str, Sequence[str]]) -> None:
    """Raises Conflict unless the record is as a write expects it."""
    for field, allowed in expect.items():
        if not any(same(value, raw, field) for value in allowed):
            raise Conflict(
                f"the record changed at the desk: {field} is {raw.get(field)!r}",
                field=field,
                value=str(raw.get(field)),
                mend=f"the write expects {' or '.join(map(repr, allowed))}",
            )


def took(raw: Mapping[str, object], fields: Mapping[str, str]) -> None:
    """Raises Permanent for the first field that the desk ignored or altered."""
    for field, value in fields.items():
        if not same(value, raw, field):
            raise Permanent(
                f"the desk took the write, but {field} is {raw.get(field)!r} now",
                field=field,
                value=value,
                mend="correct the mapping, or the account's rights",
            )
