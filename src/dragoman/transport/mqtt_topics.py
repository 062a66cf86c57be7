"""Topic filters: are they valid, what do they match, and whose handlers does a topic go to.

Pure, used by `mqtt.py`. MQTT 3.1.1 section 4.7.
"""

from collections.abc import Callable
from dataclasses import dataclass

from dragoman.domain.errors import NeedsHuman

_CACHED_TOPICS = 65_536


@dataclass(frozen=True, slots=True)
class Message:
    """One message that came in. retain: it is the broker's stored one, maybe old, and not one
    that was just published."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


Handler = Callable[[Message], None]
Route = tuple[str, tuple[Handler, ...]]


def check_topic(topic: str) -> None:
    """Raise NeedsHuman unless one can publish to `topic`."""
    if "+" in topic or "#" in topic:
        raise _bad(topic, "give a topic without the wildcards + and #")
    _check_name(topic)


def check_filter(topic_filter: str) -> None:
    """Raise NeedsHuman unless one can subscribe to `topic_filter`."""
    _check_name(topic_filter)
    if topic_filter.startswith("$share/"):
        raise _bad(topic_filter, "give a filter that isn't shared: every gateway reads it all")
    levels = topic_filter.split("/")
    for position, level in enumerate(levels):
        if "#" in level and (level != "#" or position != len(levels) - 1):
            raise _bad(topic_filter, "put # alone on the last level")
        if "+" in level and level != "+":
            raise _bad(topic_filter, "put + alone on its level")


def _check_name(name: str) -> None:
    if not name or "\0" in name or len(name.encode(errors="surrogatepass")) > 65_535:
        raise _bad(name, "give 1 to 65535 bytes of text without NUL")


def _bad(value: str, mend: str) -> NeedsHuman:
    return NeedsHuman("an MQTT topic is wrong", field="topic", value=value, mend=mend)


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a subscription to `topic_filter` gets messages of `topic`."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )


class Router:
    """The handlers for a topic, in the order in which they were added.

    A topic is matched once and then found in a dict, so that a message costs one look-up
    however many filters there are. Keys are bytes as on the wire: decoded once, too.
    """

    def __init__(self) -> None:
        self._handlers: list[tuple[str, Handler]] = []
        self._routes: dict[bytes, Route] = {}

    def add(self, topic_filter: str, handler: Handler) -> None:
        """Send what matches to `handler`, after those added before."""
        self._handlers.append((topic_filter, handler))
        self._routes.clear()

    def route(self, topic: bytes) -> Route:
        """The topic as text and its handlers. Raises UnicodeDecodeError."""
        found = self._routes.get(topic)
        if found is None:
            name = topic.decode()
            found = (name, tuple(h for wanted, h in self._handlers if matches(wanted, name)))
            if len(self._routes) >= _CACHED_TOPICS:
                self._routes.clear()
            self._routes[topic] = found
        return found
