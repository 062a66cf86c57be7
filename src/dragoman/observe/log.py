"""The gateway's log: JSON lines in the OpenTelemetry log data model, or readable on a terminal.

Set up once by `dragoman up`. A log call is a sentence and a stable `action`; all else
becomes Attributes. Source: OpenTelemetry specification, Logs Data Model 1.0 (Timestamp,
SeverityText, SeverityNumber, Body, TraceId, SpanId, Resource, Attributes). What other libraries
log by the standard library comes out the same way.
"""

import logging
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SEVERITY = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
_NAMES = {"warning": "WARN", "critical": "FATAL"}
_SECRETIVE = re.compile(r"passw|secret|token|authorization|credential|api_?key|cookie", re.I)
_QUIET = ("asyncio", "uvicorn.error", "uvicorn.access", "gmqtt", "aiohttp")


def configure(
    level: str, file: Path | None = None, *, resource: Mapping[str, str] | None = None
) -> None:
    """Log to a file, or to stderr. level: debug, info, warning or error.

    resource: what logs here, by OpenTelemetry's names (service.name …). Raises OSError if the file
    can't be opened.
    """
    out = sys.stderr if file is None else file.open("a", encoding="utf-8", buffering=1)
    number = getattr(logging, level.upper())
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        hide_secrets,
    ]
    last: Processor
    if out.isatty():
        before.append(structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False))
        last = structlog.dev.ConsoleRenderer()
    else:
        last = Renderer(resource or {})
    structlog.configure(
        processors=[*before, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _take_over(out, number, before, last)


def hide_secrets(_: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Blank what stands under a secret's name, whoever put it there (G7)."""
    for key in event:
        if _SECRETIVE.search(key):
            event[key] = "hidden"
    return event


class Renderer:
    """An event as one line of JSON in the OpenTelemetry log data model."""

    def __init__(self, resource: Mapping[str, str]) -> None:
        self._resource = dict(resource)

    def __call__(self, _: WrappedLogger, name: str, event: EventDict) -> str:
        """The line, without its end."""
        level = str(event.pop("level", name))
        at = time.time_ns()
        line: dict[str, Any] = {
            "Timestamp": _rfc3339(at),
            "SeverityText": _NAMES.get(level, level.upper()),
            "SeverityNumber": _SEVERITY.get(level, 9),
            "Body": str(event.pop("event", "")),
        }
        for key, ours in (("trace_id", "TraceId"), ("span_id", "SpanId")):
            if value := event.pop(key, ""):
                line[ours] = value
        if self._resource:
            line["Resource"] = self._resource
        line["Attributes"] = _attributes(event)
        return msgspec.json.encode(line, enc_hook=str).decode()


def _attributes(event: EventDict) -> dict[str, Any]:
    """All else, an exception by OpenTelemetry's names."""
    found = event.pop("exc_info", None)
    attributes = dict(event)
    if found:
        error = found if isinstance(found, BaseException) else sys.exc_info()[1]
        if isinstance(found, tuple):
            error = found[1]
        if error is not None:
            attributes["exception.type"] = type(error).__name__
            attributes["exception.message"] = str(error)
            attributes["exception.stacktrace"] = "".join(_trace(error))
    return attributes


def _trace(error: BaseException) -> list[str]:
    """The stack without local variables, which may hold secrets."""
    from traceback import format_exception  # noqa: PLC0415 - only when something went wrong

    return format_exception(error)


def _rfc3339(at_ns: int) -> str:
    moment = datetime.fromtimestamp(at_ns // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ns % 10**9:09d}Z"


def _take_over(out: TextIO, level: int, before: list[Processor], last: Processor) -> None:
    """Send what the standard library's loggers say the same way."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder(), _named],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _named(_: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Every line has an action; that of a library is its logger's name."""
    event.setdefault("action", f"library.{event['_record'].name}")
    return event
