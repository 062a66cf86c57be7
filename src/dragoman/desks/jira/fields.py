"""Reading Jira's values: issues into records, times, comparisons.

Used by the rest of this adapter. An issue has no version and no last author of its own: the time
of the last update (milliseconds) serves as the version, and the author is that of the newest entry
of changelog and comments, if it is as new as the issue.
Source: Jira Cloud REST API version 3, the schemas of issue, changelog, comment and field.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from dragoman.desks.jira.adf import is_document, plain
from dragoman.domain.errors import BadInput
from dragoman.ports.desk import DeskRecord

BASE = ("updated", "created", "creator", "project", "status", "comment")
"""Fields that every whole issue must come with."""

BESIDE = ("id", "key", "self", "expand", "changelog")
"""What an issue has beside its fields, whichever are asked for."""

STATUS, CATEGORY = "status", "statusCategory"
_NAMES = ("name", "value", "key", "accountId", "emailAddress", "displayName", "id")
"""Where an object may carry what people call it."""
_CLOSE = timedelta(seconds=2)


def moment(text: object, field: str) -> datetime:
    """A time of an answer (`2026-01-31T23:59:59.123+0800`), in UTC. Raises BadInput."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadInput(
        "no time of Jira",
        field=field,
        value=str(text)[:60],
        mend="a time has milliseconds and zone",
    )


def version_of(updated: datetime) -> str:
    """The version for a time of update. Later ones sort behind earlier ones."""
    return updated.isoformat(timespec="milliseconds")


def id_of(raw: object) -> str:
    """The id of an issue or a row of a search. Raises BadInput."""
    if not isinstance(raw, Mapping):
        raise BadInput("this is no issue but " + type(raw).__name__, value=repr(raw)[:60])
    found = raw.get("id")
    if not isinstance(found, str) or not found.isascii() or not found.isdecimal():
        raise BadInput("the issue has no id", field="id", value=repr(found)[:60])
    return found


def fields_of(raw: Mapping[str, object]) -> Mapping[str, object]:
    """The `fields` of an issue. Raises BadInput."""
    found = raw.get("fields")
    if not isinstance(found, Mapping):
        raise BadInput("the issue has no fields", field="fields", value=repr(found)[:60])
    return found


def record_of(raw: object) -> DeskRecord:
    """A record of the port. Raises BadInput.

    Its raw JSON is the issue without the changelog, and with `text` beside `fields`: the documents
    among the fields as plain text, so that a mapping can read them.
    """
    number = id_of(raw)
    if not isinstance(raw, Mapping):  # id_of has checked it
        raise BadInput("this is no issue")
    fields = fields_of(raw)
    updated = moment(fields.get("updated"), "updated")
    text = {name: plain(value) for name, value in fields.items() if is_document(value)}
    kept = {name: value for name, value in raw.items() if name != "changelog"}
    return DeskRecord(
        external_id=number,
        version=version_of(updated),
        updated_at=updated,
        updated_by=_author(raw, fields, updated),
        raw={**kept, "text": text},
    )


def _author(raw: Mapping[str, object], fields: Mapping[str, object], updated: datetime) -> str:
    """The account id of who wrote last, "" if that can't be told."""
    newest = max(_authored(raw, fields), default=None)
    return newest[1] if newest is not None and newest[0] >= updated - _CLOSE else ""


def _authored(
    raw: Mapping[str, object], fields: Mapping[str, object]
) -> Iterator[tuple[datetime, str]]:
    changelog, comment = raw.get("changelog"), fields.get("comment")
    sources = (
        (_list(changelog, "histories"), "created", "author"),
        (_list(comment, "comments"), "updated", "updateAuthor"),
        ([fields], "created", "creator"),
    )
    for entries, time, author in sources:
        for entry in entries:
            account = entry.get(author)
            if isinstance(account, Mapping) and isinstance(account.get("accountId"), str):
                try:
                    yield moment(entry.get(time), time), account["accountId"]
                except BadInput:  # then this entry can't tell
                    continue


def _list(page: object, name: str) -> Sequence[Mapping[str, object]]:
    found = page.get(name) if isinstance(page, Mapping) else None
    entries = found if isinstance(found, list) else []
    return [entry for entry in entries if isinstance(entry, Mapping)]


def value_of(raw: Mapping[str, object], field: str) -> object:
    """The value of a field; `statusCategory` is that of the status."""
    found = fields_of(raw)
    if field == CATEGORY and CATEGORY not in found:
        status = found.get(STATUS)
        return status.get(CATEGORY) if isinstance(status, Mapping) else None
    return found.get(field)


def shown(raw: Mapping[str, object], field: str) -> str:
    """A field as people see it, for messages."""
    return _shown(value_of(raw, field))


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value)
    if is_document(value):
        return plain(value)
    if isinstance(value, Mapping):
        return next((str(value[name]) for name in _NAMES if name in value), "")
    return "" if value is None else str(value)


def raw_value(raw: Mapping[str, object], field: str) -> str | None:
    """A field as a text that is equal for equal values, in any language and zone of the account.

    None if the issue doesn't show the field.
    """
    found = fields_of(raw)
    if field not in found and field != CATEGORY:
        return None
    return _raw(value_of(raw, field))


def _raw(value: object) -> str:
    if isinstance(value, list):
        return ",".join(sorted(_raw(one) for one in value))
    if is_document(value):
        return plain(value)
    if isinstance(value, Mapping):
        names = ("accountId", "id", "key", "value", "name")
        return next((str(value[name]) for name in names if name in value), "")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str) and "T" in value:
        with suppress(BadInput):  # then it is any other text
            return version_of(moment(value, ""))
    return "" if value is None else str(value)


def same(wanted: str, raw: Mapping[str, object], field: str) -> bool:
    """Whether a field has a value, whatever the way it is written."""
    return _same(wanted, value_of(raw, field))


def _same(wanted: str, held: object) -> bool:
    if isinstance(held, list):
        given = [part.strip() for part in wanted.split(",") if part.strip()]
        return len(given) == len(held) and all(
            any(_same(part, one) for part in given) for one in held
        )
    if is_document(held):
        return _lines(wanted) == _lines(plain(held))
    if isinstance(held, Mapping):
        names = (str(held[name]) for name in _NAMES if name in held)
        return any(_lines(wanted).casefold() == name.casefold() for name in names)
    if held is None:
        return not wanted.strip()
    left, right = _lines(wanted), _lines(str(held))
    if left.casefold() == right.casefold():
        return True
    return _equal_number(left, held) or _equal_time(left, right)


def _lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()


def _equal_number(left: str, held: object) -> bool:
    if isinstance(held, bool) or not isinstance(held, int | float):
        return False
    try:
        return float(left) == held
    except ValueError:
        return False


def _equal_time(left: str, right: str) -> bool:
    try:
        return moment(left, "") == moment(right, "")
    except BadInput:
        return False
