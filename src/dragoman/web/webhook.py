"""`POST /hooks/{desk}`: a desk tells of a change, signed. Answered with 2xx only when it is kept.

The way: signature over the bytes as sent, then the id (a repetition has no effect), then JSON,
then the adapter's `notice`, then intake. What a desk that knows our secret sends and we can't read
is kept as a dead letter together with its id, so the desk's repetition is answered with 200 and
nothing repeats for ever. No change is computed before the last await and committed after it.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from fastapi import APIRouter, Request, Response

from dragoman.config.model import WebhookTable
from dragoman.domain.change import Change, merged
from dragoman.domain.errors import (
    BadInput,
    DragomanError,
    NeedsHuman,
    NotFound,
    Permanent,
    RetryLater,
)
from dragoman.flow.intake import Taken
from dragoman.plugins import Notice
from dragoman.runtime.parts import DeskParts
from dragoman.security.signatures import (
    BadSignature,
    StaleTimestamp,
    Verified,
    verify_hmac,
    verify_standard,
)
from dragoman.web.auth import public
from dragoman.web.problems import Refused, answers, status_of
from dragoman.web.state import Web, web_of

MAX_BYTES = 1024 * 1024
READ_S = 10.0
"""Seconds within which the whole body has to be here."""

QUIET_S = 60.0
"""Seconds between two lines of the log about refused signatures of one desk."""

log = structlog.get_logger(__name__)
router = APIRouter(tags=["webhooks"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A desk that may send webhooks."""

    web: Web
    desk: str
    table: WebhookTable
    parts: DeskParts


class HookAnswer(msgspec.Struct, frozen=True):
    """outcome: new, fetch, known, ignored, changed or seen."""

    outcome: str


class _Refused(Refused):
    """outcome: the label under which it is counted."""

    def __init__(self, status: int, outcome: str, error: DragomanError, **more: Any) -> None:
        super().__init__(status, error, **more)
        self.outcome = outcome


OUTCOMES = {
    "type": "object",
    "required": ["outcome"],
    "properties": {
        "outcome": {
            "type": "string",
            "enum": ["new", "changed", "fetch", "known", "ignored", "seen"],
        }
    },
}
_JSON_BODY = {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}
_TAKEN = {"content": {"application/json": {"schema": OUTCOMES}}}


@router.post(
    "/hooks/{desk}",
    summary="Tell of a change at a desk",
    dependencies=[public],
    responses={
        200: {"description": "Nothing to do: known, ignored or seen before.", **_TAKEN},
        202: {"description": "Kept durably: a new case, or a record to read again.", **_TAKEN},
        **answers(400, 401, 404, 408, 413, 422, 503),
    },
    openapi_extra={"requestBody": _JSON_BODY},
)
async def receive(desk: str, request: Request) -> Response:
    """Signed by the desk's scheme (docs/reference/api.md); at most 1 MiB."""
    started = time.monotonic()
    web = await web_of(request)
    known = desk in web.gateway.parts.desks
    try:
        outcome = await _receive(web, desk, request)
        status = 202 if outcome in {Taken.NEW, Taken.CHANGED, "fetch"} else 200
        answer = Response(
            msgspec.json.encode(HookAnswer(outcome)), status, media_type="application/json"
        )
    except _Refused as refused:
        outcome = refused.outcome
        answer = refused.response()
    web.metrics.webhooks.labels(desk if known else "unknown", outcome).inc()
    web.metrics.webhook_seconds.observe(time.monotonic() - started)
    return answer


async def _receive(web: Web, desk: str, request: Request) -> str:
    """The outcome. Raises _Refused."""
    hook = _hook(web, desk)
    body = await _body(request)
    verified = _verified(hook, request, body)
    try:
        return await _taken(hook, body, verified)
    except RetryLater as error:
        raise _Refused(503, "unavailable", error) from error


def _hook(web: Web, desk: str) -> Hook:
    parts = web.gateway.parts.desks.get(desk)
    table = web.config.desks[desk].webhook if parts is not None else None
    if parts is None or table is None:
        error = NotFound("no desk of this name takes webhooks", field="desk", value=desk[:100])
        raise _Refused(404, "unknown_desk", error)
    return Hook(web=web, desk=desk, table=table, parts=parts)


async def _body(request: Request) -> bytes:
    """The whole body; reading stops at the cap. Raises _Refused."""
    told = request.headers.get("content-length", "0")
    received = bytearray()
    if not told.isdecimal() or int(told) <= MAX_BYTES:
        try:
            async with asyncio.timeout(READ_S):
                async for chunk in request.stream():
                    received += chunk
                    if len(received) > MAX_BYTES:
                        break
                else:
                    return bytes(received)
        except TimeoutError as error:
            late = RetryLater(f"the body was not here within {READ_S:.0f} s")
            raise _Refused(408, "too_slow", late, headers={"Connection": "close"}) from error
    large = BadInput("the body is too large", mend=f"send at most {MAX_BYTES} bytes")
    raise _Refused(413, "too_large", large, headers={"Connection": "close"})


def _verified(hook: Hook, request: Request, body: bytes) -> Verified:
    """Raises _Refused unless a desk that knows a secret of ours signed these bytes just now."""
    table = hook.table
    try:
        secrets = [secret.reveal() for secret in table.secrets]
        if table.scheme == "hmac-sha256":
            return verify_hmac(request.headers, body, secrets, header=table.header)
        now = hook.web.gateway.kit.clock.now()
        return verify_standard(
            request.headers, body, secrets, now=now, tolerance_s=table.tolerance_s
        )
    except BadSignature as error:
        _told(hook, error)
        raise _Refused(401, "bad_signature", error) from error
    except StaleTimestamp as error:
        _told(hook, error)
        raise _Refused(401, "stale", error) from error
    except NeedsHuman as error:
        told = RetryLater("the secret of this webhook can't be looked up")
        raise _Refused(503, "unavailable", told) from error


def _told(hook: Hook, error: BadInput) -> None:
    """Log a refusal, once per desk and minute: whoever knows the address can cause them.

    Nothing of what was sent stands in the line, so no part of a signature or a secret.
    """
    now, told = time.monotonic(), hook.web.refusals_told
    if now - told.get(hook.desk, -QUIET_S) >= QUIET_S:
        told[hook.desk] = now
        log.warning(
            "A webhook was refused: its signature doesn't fit.",
            action="webhook.refused",
            desk=hook.desk,
            reason=error.text,
            mend=error.mend or "compare the secret at the desk with the one of the configuration",
        )


async def _taken(hook: Hook, body: bytes, verified: Verified) -> str:
    """Take a webhook that is genuine; what it was, once that is durable."""
    intake = hook.parts.intake
    if intake.seen(verified.delivery_id) is None:
        return await _seen(hook)
    try:
        notice = hook.parts.notice(_decoded(body))
    except BadInput as error:
        raise await _kept(hook, body, verified, error) from error
    known = hook.web.gateway.kit.site.case_of(hook.desk, notice.external_id)
    if notice.record is None or known is not None:
        return await _noticed(hook, notice, verified)
    taken, change = await intake.record(notice.record)
    # From here to the commit nothing is awaited: the change stands on the site as it is now.
    seen = intake.seen(verified.delivery_id)
    if seen is None:
        return await _seen(hook)
    try:
        await hook.web.gateway.kit.journal.commit(merged(change, seen))
    except Permanent as error:
        raise await _kept(hook, body, verified, BadInput(error.text)) from error
    if taken is Taken.UNREADABLE:
        letter = next((d for d in change.deliveries if d.reason), None)
        reason = BadInput(letter.reason if letter else "this was kept before")
        raise _Refused(422, "unreadable", reason, extra={"kept": letter.id if letter else ""})
    return taken


async def _noticed(hook: Hook, notice: Notice, verified: Verified) -> str:
    """Have a record read again, unless it says nothing new (our own write, mostly)."""
    kit, intake = hook.web.gateway.kit, hook.parts.intake
    known = kit.site.case_of(hook.desk, notice.external_id)
    same = known is not None and notice.record is not None
    if same and known is not None and notice.record and known.version == notice.record.version:
        fetch, outcome = Change(), str(Taken.KNOWN)
    else:
        fetch, outcome = intake.fetch(notice.external_id), "fetch"
    seen = intake.seen(verified.delivery_id) or Change()
    await kit.journal.commit(merged(fetch, seen))
    return outcome


async def _seen(hook: Hook) -> str:
    """A repetition: nothing to do, but its first may not be durable yet."""
    await hook.web.gateway.kit.journal.commit(Change())
    return "seen"


async def _kept(hook: Hook, body: bytes, verified: Verified, error: BadInput) -> _Refused:
    """Keep what can't be read as a dead letter, with its id; then the refusal to raise."""
    kit, intake = hook.web.gateway.kit, hook.parts.intake
    raw = body.decode("utf-8", "replace")
    letter = intake.unreadable("", raw, str(error), source="webhook")
    seen = intake.seen(verified.delivery_id) or Change()
    await kit.journal.commit(merged(letter, seen))
    not_json = isinstance(error, NotJson)
    status, outcome = (400, "not_json") if not_json else (status_of(error), "unreadable")
    kept = letter.deliveries[-1].id if letter.deliveries else ""
    return _Refused(status, outcome, error, extra={"kept": kept} if kept else {})


class NotJson(BadInput):
    """A body that isn't JSON at all."""


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.ValidationError as error:
        raise BadInput("the body isn't a JSON object", field="$", mend="send an object") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(f"the body isn't JSON: {error}", mend="send one JSON object") from error
