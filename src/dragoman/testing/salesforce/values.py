"""Values of the emulated org: from JSON into Python's, and back into JSON.

Used by `rules` (in) and `select` (out). Times have whole seconds and show three zeros behind them,
as Salesforce's do: 2026-01-31T12:00:00.000+0000.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from dragoman.testing.salesforce.errors import Refused
from dragoman.testing.salesforce.ids import long_id
from dragoman.testing.salesforce.schema import Field, Value


def stamp(moment: datetime) -> str:
    """A time as JSON shows it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def shown(value: Value) -> object:
    """A value as JSON shows it."""
    return stamp(value) if isinstance(value, datetime) else value


def taken(field: Field, sent: object) -> Value:
    """A value from the JSON of a write. Raises Refused for one of the wrong kind."""
    if sent is None or sent == "":
        return False if field.type == "boolean" else None
    convert = _CONVERT.get(field.type, _text)
    try:
        return convert(field, sent)
    except (ValueError, TypeError, OverflowError) as error:
        kind = "VALUE_STRING" if isinstance(sent, str) else type(sent).__name__
        raise Refused(
            "JSON_PARSER_ERROR",
            f"Cannot deserialize instance of {field.type} from {kind} value {str(sent)[:80]} or "
            "request may be missing a required field",
            [field.name],
        ) from error


def _text(field: Field, sent: object) -> Value:
    if isinstance(sent, bool | int | float):
        return str(sent).lower()
    if not isinstance(sent, str):
        raise TypeError
    text = sent.strip() if field.type != "textarea" else sent
    size = len(text.encode()) if field.type == "textarea" else len(text)
    if size > field.length:
        raise Refused(
            "STRING_TOO_LONG",
            f"{field.name}: data value too large: {text[:80]} (max length={field.length})",
            [field.name],
        )
    return text or None


def _boolean(_: Field, sent: object) -> Value:
    words = {"true": True, "false": False, "1": True, "0": False}
    if isinstance(sent, bool):
        return sent
    if not isinstance(sent, str) or sent.lower() not in words:
        raise ValueError
    return words[sent.lower()]


def _double(_: Field, sent: object) -> Value:
    if isinstance(sent, bool) or not isinstance(sent, str | int | float):
        raise TypeError
    number = float(sent)
    if not math.isfinite(number):
        raise ValueError
    return number


def _datetime(_: Field, sent: object) -> Value:
    if not isinstance(sent, str):
        raise TypeError
    moment = datetime.fromisoformat(sent)
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).replace(microsecond=0)


def _reference(field: Field, sent: object) -> Value:
    try:
        return long_id(str(sent))
    except ValueError as error:
        raise Refused(
            "MALFORMED_ID", f"{field.name}: id value of incorrect type: {sent}", [field.name]
        ) from error


def _picklist(field: Field, sent: object) -> Value:
    if not isinstance(sent, str):
        raise TypeError
    for value in field.values:
        if value.casefold() == sent.strip().casefold():
            return value
    if field.restricted:
        raise Refused(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{field.name}: bad value for restricted picklist field: {sent}",
            [field.name],
        )
    return _text(field, sent)


_CONVERT: Mapping[str, Callable[[Field, object], Value]] = {
    "boolean": _boolean,
    "double": _double,
    "datetime": _datetime,
    "reference": _reference,
    "id": _reference,
    "picklist": _picklist,
}
