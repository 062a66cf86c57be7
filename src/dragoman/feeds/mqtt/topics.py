"""The topics of an event: templates of the configuration filled with levels that are safe.

Pure, used by settings.py (to check the templates) and client.py (for every event). MQTT 3.1.1
section 4.7; what nats-server refuses beyond that (spaces) or reads as its own wildcards (* and >)
is escaped, too.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from dragoman.domain.cloudevent import site_of
from dragoman.domain.template import Template, parse

VALUES = (
    *("site", "case", "number", "external_id", "desk", "status", "state", "robot", "order"),
    *("kind", "priority", "location", "asset"),
)
"""The placeholders of a topic, beside `field.NAME`: members of the event's data, and the asset."""

EMPTY_LEVEL = "-"
_LONGEST_LEVEL = 120


def template(text: str) -> Template:
    """A topic's template. Raises BadInput naming the placeholder that there isn't."""
    return parse(text, VALUES)


def level(value: str) -> str:
    """A value as a part of a topic level: letters, digits and - . _ ~ stay, all else is %XX.

    So `/`, `+`, `#`, `$`, spaces and control characters can't change the topic, and `unquote`
    gives the value back. A very long one is cut and ends in a hash of the whole.
    """
    escaped = quote(value, safe="", errors="surrogatepass")
    if len(escaped) <= _LONGEST_LEVEL:
        return escaped
    digest = sha256(value.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{escaped[: _LONGEST_LEVEL - 17]}~{digest}"


def values_of(event: Mapping[str, object], asset_field: str) -> dict[str, str]:
    """The values for templates, escaped; empty ones stay empty. asset_field: where the asset is."""
    found = event.get("data")
    data: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    fields: Mapping[str, Any] = data.get("fields") or {}
    values = {name: level(_text(data.get(name))) for name in VALUES}
    values.update({f"field.{name}": level(_text(value)) for name, value in fields.items()})
    values["site"] = site_of(event)  # escaped by its maker
    values["asset"] = level(_text(fields.get(asset_field)))
    return values


def topic_of(event_topic: Template, values: Mapping[str, str]) -> str:
    """The topic; a value that is empty becomes the level `-`."""
    return event_topic.fill({name: values.get(name) or EMPTY_LEVEL for name in event_topic.names})


def whole_topic_of(event_topic: Template, values: Mapping[str, str]) -> str | None:
    """The topic, None if one of its values is empty: for what is kept under a name."""
    if not all(values.get(name) for name in event_topic.names):
        return None
    return topic_of(event_topic, values)


def may_match(topic_filter: str, event_topic: str) -> bool:
    """Whether a subscription could get what is published to a template's topics."""
    wanted, levels = topic_filter.split("/"), event_topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        want in ("+", one) or "{" in one for want, one in zip(wanted, levels, strict=True)
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
