"""Times as desks write them: ISO 8601, seconds or milliseconds since 1970, or a pattern.

Used by fields.py to read and by changes.py to ask.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dragoman.domain.errors import BadInput


def parsed(value: object, time_format: str, zone: str, field: str) -> datetime:
    """A time of a record in UTC. zone: of one without an offset. Raises BadInput."""
    found = None
    with suppress(ValueError, OverflowError, OSError, TypeError):
        found = _read(value, time_format)
        if found is not None and found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(zone))
        if found is not None:
            return found.astimezone(UTC)
    raise BadInput(
        "this is not a time" if value is not None else "the record tells no time of its update",
        field=field,
        value="" if value is None else str(value)[:60],
        mend=f"set record.updated_at, record.time_format (now {time_format!r}) and record.zone",
    )


def _read(value: object, time_format: str) -> datetime | None:
    if time_format in ("epoch", "epoch_ms"):
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        seconds = float(value) / (1000 if time_format == "epoch_ms" else 1)
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, str):
        return None
    if time_format == "iso":
        return datetime.fromisoformat(value)
    return datetime.strptime(value, time_format)  # noqa: DTZ007 - `parsed` adds the zone


def written(moment: datetime, time_format: str, zone: str) -> str:
    """A time as the desk's filter takes it."""
    if time_format == "epoch":
        return str(int(moment.timestamp()))
    if time_format == "epoch_ms":
        return str(int(moment.timestamp() * 1000))
    local = moment.astimezone(ZoneInfo(zone))
    if time_format == "iso":
        fine = "milliseconds" if local.microsecond else "seconds"
        return local.isoformat(timespec=fine).replace("+00:00", "Z")
    return local.strftime(time_format)


def floored(moment: datetime, granularity_s: float) -> datetime:
    """The start of the desk's own unit of time in which a moment lies."""
    unit = timedelta(seconds=granularity_s)
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return start + (moment - start) // unit * unit
