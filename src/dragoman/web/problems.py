"""Errors as problem details (RFC 9457): what is wrong with which field, and how to mend it.

Installed by app.py for everything that a route raises, so that no error has another shape.
"""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from dragoman.config.wording import sentence
from dragoman.domain.errors import (
    BadInput,
    Conflict,
    DragomanError,
    JournalUnavailable,
    NeedsHuman,
    NotFound,
    Permanent,
    RetryLater,
)

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """Problem details (RFC 9457). field, value, mend: what is wrong where, and how to mend it."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    value: str | None = None
    mend: str | None = None
    kept: str | None = None


class Refused(Exception):
    """A request that gets this status and these problem details. extra: more members of them."""

    def __init__(
        self,
        status: int,
        error: DragomanError,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def response(self) -> Response:
        """The answer."""
        return problem(self.status, self.error, headers=self.headers, extra=self.extra)


def problem(
    status: int,
    error: DragomanError,
    *,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> Response:
    """The answer for an error."""
    body = {
        "type": f"urn:dragoman:error:{type(error).__name__}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _writable(error.text),
    }
    for key in ("field", "value", "mend"):
        if value := getattr(error, key):
            body[key] = _writable(value[:500])
    sent = dict(headers or {})
    if isinstance(error, RetryLater):
        sent.setdefault("Retry-After", str(max(1, math.ceil(error.delay_s or 1.0))))
    return Response(
        msgspec.json.encode({**body, **(extra or {})}), status, sent, media_type=MEDIA_TYPE
    )


def _writable(text: str) -> str:
    """Without what UTF-8 can't hold, such as half a surrogate pair that came in as JSON."""
    return text.encode("utf-8", "backslashreplace").decode()


STATUS: tuple[tuple[type[DragomanError], int], ...] = (
    (NotFound, 404),
    (BadInput, 422),
    (Conflict, 409),
    (Permanent, 409),
    (JournalUnavailable, 503),
    (RetryLater, 503),
    (NeedsHuman, 503),
)
"""The status of an error by its class; the first that fits counts."""


def status_of(error: DragomanError) -> int:
    """The HTTP status for one of our errors."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def install(app: FastAPI) -> None:
    """Let every error leave as problem details."""

    async def refused(_: Request, error: Refused) -> Response:
        return error.response()

    async def ours(_: Request, error: DragomanError) -> Response:
        return problem(status_of(error), error)

    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        text, mend = sentence(cast("ErrorDetails", first))
        return problem(422, BadInput(text, field=path, value=_shown(first.get("input")), mend=mend))

    async def http(_: Request, error: HTTPException) -> Response:
        kind = NotFound if error.status_code == 404 else Permanent
        mend = "the routes are listed at /openapi.json" if error.status_code == 404 else ""
        return problem(error.status_code, kind(str(error.detail), mend=mend), headers=error.headers)

    async def defect(request: Request, error: Exception) -> Response:
        log.error(
            "A request failed in a way that nobody foresaw.",
            action="web.defect",
            path=request.url.path,
            exc_info=error,
        )
        return problem(500, Permanent("the gateway failed; its log tells more"))

    handlers: tuple[tuple[type[Exception], Any], ...] = (
        (Refused, refused),
        (DragomanError, ours),
        (RequestValidationError, invalid),
        (HTTPException, http),
        (Exception, defect),
    )
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)


def _shown(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) else ""


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for OpenAPI; 422 instead of FastAPI's own shape of it."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({422, *statuses})
    }
