"""Reading and writing Salesforce's values: ids, times, SOQL literals, records, comparisons.

Used by the rest of this adapter. A record is JSON as a query shows it: `attributes` beside the
fields, other records within it under the name of their relationship.
Source: REST API Developer Guide, SOQL and SOSL Reference, Object Reference ("ID Field Type").
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from dragoman.domain.errors import BadInput
from dragoman.ports.desk import DeskRecord

BASE = ("Id", "SystemModstamp", "LastModifiedById", "IsDeleted")
"""Fields that every answer must hold."""

_ID = re.compile(r"[0-9A-Za-z]{15}([0-9A-Za-z]{3})?")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


def long_id(text: object, field: str) -> str:
    """The 18-character form of a record's id; the last three check the others. Raises BadInput."""
    found = text if isinstance(text, str) else ""
    if _ID.fullmatch(found):
        suffix = ""
        for start in (0, 5, 10):
            capitals = (char.isupper() for char in found[start : start + 5])
            suffix += _SUFFIX[sum(1 << place for place, capital in enumerate(capitals) if capital)]
        if found[15:] in ("", suffix):
            return found[:15] + suffix
    raise BadInput(
        "this is no id of a Salesforce record",
        field=field,
        value=repr(text)[:60],
        mend="15 or 18 letters and digits, letter case as Salesforce gives it",
    )


def quoted(text: str) -> str:
    """A text as a literal of SOQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r") + "'"


def stamp(moment: datetime) -> str:
    """A time as a literal of SOQL: UTC, in seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: object, field: str) -> datetime:
    """A time of an answer (`2026-01-31T12:00:00.000+0000`). Raises BadInput."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadInput("no time of Salesforce", field=field, value=repr(text)[:60])
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise BadInput("no time of Salesforce", field=field, value=repr(text)[:60]) from error


def at_path(raw: Mapping[str, object], path: str) -> object:
    """What stands at a path such as `Owner.Name`; None if there is nothing."""
    found: object = raw
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def text_of(raw: Mapping[str, object], path: str) -> str:
    """A value as text: `true` and `false` for booleans, "" for none."""
    found = at_path(raw, path)
    if isinstance(found, bool):
        return "true" if found else "false"
    return "" if found is None else str(found)


class Shape:
    """Which fields make a record, for queries and for its version.

    SystemModstamp has whole seconds, and a case may change twice within one; so the version is
    the time with a digest of the fields that we read.
    """

    def __init__(self, fields: Iterable[str]) -> None:
        self.paths = tuple(dict.fromkeys((*BASE, *fields)))
        self.names = frozenset(name for path in self.paths for name in path.split("."))
        """Every field and relationship in the paths, as Salesforce's errors name them."""

    def select(self, also: Iterable[str] = ()) -> str:
        """The list of fields in a query. also: more than those of the shape."""
        return ", ".join(dict.fromkeys((*self.paths, *also)))

    def record(self, raw: object) -> DeskRecord:
        """A record of the port. Raises BadInput if this isn't a record."""
        if not isinstance(raw, Mapping):
            raise BadInput("this is no record but " + type(raw).__name__, value=repr(raw)[:60])
        missing = next((path for path in BASE if raw.get(path) is None), None)
        if missing is not None:
            raise BadInput(f"the record has no {missing}", field=missing)
        at = moment(raw["SystemModstamp"], "SystemModstamp")
        held = msgspec.json.encode([at_path(raw, path) for path in self.paths])
        digest = hashlib.blake2s(held, digest_size=6).hexdigest()
        return DeskRecord(
            external_id=long_id(raw["Id"], "Id"),
            version=f"{stamp(at)}-{digest}",
            updated_at=at,
            updated_by=long_id(raw["LastModifiedById"], "LastModifiedById"),
            raw=raw,
        )


def body_of(fields: Mapping[str, str]) -> dict[str, str | None]:
    """The JSON that writes these fields: null empties one of any type."""
    return {name: value or None for name, value in fields.items()}


def same(wanted: str, raw: Mapping[str, object], field: str) -> bool:
    """Whether a field has a value, whatever the way it is written."""
    left, right = plain(wanted), plain(text_of(raw, field))
    if left.casefold() == right.casefold():
        return True
    low: Sequence[str] = (left.lower(), right.lower())
    if all(text in _TRUE for text in low) or all(text in _FALSE for text in low):
        return True
    if all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in low):
        return float(left) == float(right)
    if (
        len({len(left), len(right)} & {15, 18}) == 2
        and _ID.fullmatch(left)
        and _ID.fullmatch(right)
    ):
        return left[:15] == right[:15]
    return _instant(left) is not None and _instant(left) == _instant(right)


def plain(text: str) -> str:
    """A text without what Salesforce changes about it: line ends, space around it."""
    return text.replace("\r\n", "\n").strip()


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
