"""Gives each message that came in to its handlers, and shields the connection from them.

Used by `mqtt.py`; `Inbox.deliver` is what a connection calls for each message.
"""

from collections import Counter
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from dragoman.domain.errors import BadInput
from dragoman.transport.mqtt_errors import PayloadTooLong
from dragoman.transport.mqtt_topics import Handler, Message, Router

_LOG_EVERY = 1_000
_KINDS = 1_000  # of errors told apart


class Inbox:
    """on_error: told topic (or filter) and error; without it the log is told, the first time
    for each kind of error and topic and then every thousandth."""

    def __init__(
        self, on_error: Callable[[str, Exception], None] | None, log: FilteringBoundLogger
    ) -> None:
        self._router = Router()
        self._on_error = on_error
        self._log = log
        self._seen: Counter[tuple[str, str]] = Counter()

    def add(self, topic_filter: str, handler: Handler) -> None:
        """Send what matches to `handler`, after those added before."""
        self._router.add(topic_filter, handler)

    def deliver(self, topic: bytes, payload: bytes | int, qos: int, retain: bool) -> None:
        """Call the handlers; a payload over the limit comes as its size and is reported."""
        try:
            name, handlers = self._router.route(topic)
        except UnicodeDecodeError:
            text = "an MQTT message came with a topic that isn't UTF-8"
            self.report("", BadInput(text, field="topic", value=repr(topic[:100])))
            return
        if isinstance(payload, int):
            text = f"an MQTT message of {payload} bytes was dropped"
            self.report(name, PayloadTooLong(text, field="topic", value=name))
            return
        message = Message(name, payload, qos, retain)
        for handler in handlers:
            try:
                handler(message)
            except Exception as error:  # noqa: BLE001  # a handler's fault isn't the connection's
                self.report(name, error)

    def report(self, subject: str, error: Exception) -> None:
        """Tell what went wrong with a topic or a subscription."""
        if self._on_error is not None:
            try:
                self._on_error(subject, error)
            except Exception as second:  # noqa: BLE001  # then at least the log has both
                self._write(subject, second)
            else:
                return
        self._write(subject, error)

    def _write(self, subject: str, error: Exception) -> None:
        kind = (subject, type(error).__name__)
        if len(self._seen) >= _KINDS and kind not in self._seen:
            kind = ("", "any other")
        self._seen[kind] += 1
        if self._seen[kind] % _LOG_EVERY == 1:
            self._log.error(
                f"MQTT: {error}",
                action="mqtt.message_failed",
                topic=subject,
                count=self._seen[kind],
                exc_info=error,
            )
