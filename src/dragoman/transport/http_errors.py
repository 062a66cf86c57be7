"""What a failed HTTP call means for the gateway: one table for exceptions, one for statuses.

Used by `http.py`; adapters call `of_status` for the answers that their vendor's own table
(desks/<vendor>/errors.py) doesn't know. Source: RFC 9110 (statuses, Retry-After), RFC 6585 (429),
aiohttp's exception classes.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from dragoman.domain.errors import (
    Conflict,
    DragomanError,
    NeedsHuman,
    NotFound,
    Permanent,
    RetryLater,
)


class Unreachable(RetryLater):
    """No answer: the connection failed or broke, or a deadline passed. A write may have arrived."""


class ServerFailed(RetryLater):
    """The other side says that it failed (5xx)."""


class RateLimited(RetryLater):
    """The other side wants fewer calls (429); delay_s is its Retry-After."""


class NotJson(RetryLater):
    """The body isn't JSON: a log-in or maintenance page, or half an answer."""


class Unauthorised(NeedsHuman):
    """The other side doesn't accept our credentials (401), or no longer."""


class BodyTooLarge(Permanent):
    """The answer is longer than we read; nothing of it was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a foreign exception becomes. text: with {where} and {detail} to fill in."""

    kind: type[DragomanError]
    text: str
    field: str = ""
    mend: str = ""


_BROKEN = Meaning(kind=Unreachable, text="{where} gave no answer: {detail}")
_LATE = Meaning(kind=Unreachable, text="{where} gave no answer in time")
_PROXY = Meaning(kind=Unreachable, text="the proxy before {where} failed: {detail}")
_ADDRESS = Meaning(
    kind=NeedsHuman, text="{where} is no usable address", field="url", mend="write https://host"
)
_HANDSHAKE = Meaning(
    kind=NeedsHuman,
    text="TLS with {where} failed: {detail}",
    field="url",
    mend="check that the port speaks TLS (or write http://), and that our certificate fits",
)
_CERTIFICATE = Meaning(
    kind=NeedsHuman,
    text="the certificate of {where} isn't trusted: {detail}",
    field="tls.ca_file",
    mend="name the authority that signed it, and use the host name it was made for",
)

EXCEPTIONS: Mapping[type[BaseException], Meaning] = {
    aiohttp.ClientConnectorCertificateError: _CERTIFICATE,
    aiohttp.ClientConnectorSSLError: _HANDSHAKE,
    aiohttp.ClientSSLError: _HANDSHAKE,
    aiohttp.ServerFingerprintMismatch: _CERTIFICATE,
    aiohttp.ClientHttpProxyError: _PROXY,
    aiohttp.ClientProxyConnectionError: _PROXY,
    aiohttp.InvalidURL: _ADDRESS,
    aiohttp.NonHttpUrlClientError: _ADDRESS,
    aiohttp.RedirectClientError: _ADDRESS,
    aiohttp.TooManyRedirects: _ADDRESS,
    aiohttp.ClientPayloadError: Meaning(
        kind=Unreachable, text="the answer of {where} broke off half-way"
    ),
    aiohttp.ClientResponseError: Meaning(
        kind=Unreachable, text="{where} answered with something that isn't HTTP"
    ),
    aiohttp.ServerTimeoutError: _LATE,
    aiohttp.ClientConnectionError: _BROKEN,
    TimeoutError: _LATE,
    ssl.SSLError: _HANDSHAKE,
    OSError: _BROKEN,
}
"""The nearest class by method resolution order counts."""

FOREIGN = (aiohttp.ClientError, TimeoutError, OSError)
"""What `http.py` catches around a call: everything that the table explains."""


def meaning(kind: type[BaseException]) -> Meaning | None:
    """The row of the table for an exception class, None if it isn't one of `FOREIGN`."""
    return next((EXCEPTIONS[base] for base in kind.__mro__ if base in EXCEPTIONS), None)


def of_exception(error: BaseException, where: str) -> DragomanError:
    """The error of ours for one of aiohttp's. where: host of the other side, for the text."""
    row = meaning(type(error)) or _BROKEN
    detail = str(error) or type(error).__name__
    cause = getattr(error, "certificate_error", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        detail = cause.verify_message
    if isinstance(error, aiohttp.ClientConnectorError) and row is _BROKEN:
        # aiohttp's own text says "ssl:default" for plain HTTP as well
        detail = error.os_error.strerror or str(error.os_error) or type(error.os_error).__name__
    text = row.text.format(where=where, detail=detail[:200])
    if issubclass(row.kind, RetryLater):
        return row.kind(text)
    return row.kind(text, field=row.field, mend=row.mend)


STATUSES: Mapping[int, tuple[type[DragomanError], str]] = {
    400: (Permanent, "refused the call as malformed"),
    401: (Unauthorised, "doesn't accept our credentials"),
    402: (NeedsHuman, "asks for payment"),
    403: (NeedsHuman, "doesn't let our account do this"),
    404: (NotFound, "knows nothing by this name"),
    407: (NeedsHuman, "is behind a proxy that asks for credentials"),
    408: (RetryLater, "waited too long for our call"),
    409: (Conflict, "says that the call conflicts with its state"),
    410: (Permanent, "no longer has this"),
    412: (Conflict, "changed meanwhile: the precondition failed"),
    421: (RetryLater, "got a call meant for another server"),
    425: (RetryLater, "doesn't take calls so early"),
    428: (Permanent, "asks for a precondition"),
    429: (RateLimited, "wants fewer calls"),
    501: (Permanent, "can't do this"),
    505: (Permanent, "doesn't speak our version of HTTP"),
    511: (NeedsHuman, "is behind a network that asks for a log-in"),
}
"""Statuses with a meaning of their own; `of_status` has one for each hundred besides."""

_HUNDREDS: Mapping[int, tuple[type[DragomanError], str]] = {
    1: (RetryLater, "sent only an interim answer"),
    2: (RetryLater, "gave an unexpected answer"),
    3: (NeedsHuman, "has moved"),
    4: (Permanent, "refused the call"),
    5: (ServerFailed, "failed"),
}

RAISED = frozenset({401, 407, 408, 421, 425, 429, *range(500, 600)})
"""Statuses that mean the same with every vendor: `HttpClient.request` raises on them itself."""


def of_status(
    status: int, where: str, detail: str = "", delay_s: float | None = None
) -> DragomanError:
    """The error for an HTTP status. detail: the vendor's own words, without secrets."""
    default = (RetryLater, "gave an impossible status")
    kind, text = STATUSES.get(status) or _HUNDREDS.get(status // 100, default)
    said = f"{where} {text} (HTTP {status})" + (f": {detail[:300]}" if detail else "")
    if issubclass(kind, RetryLater):
        return kind(said, delay_s=delay_s)
    if issubclass(kind, NeedsHuman) and status in (401, 403):
        return kind(said, field="auth", mend="check the account, its secret and its rights")
    return kind(said)


LONGEST_S = 86_400.0
"""The longest Retry-After that is believed."""


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Retry-After in seconds (RFC 9110 10.2.3: delay or HTTP-date); None if absent or unreadable.

    now: the other side's time, for a date. Never more than a day: what is further away is a mistake
    of the other side, which must not silence us for years.
    """
    if value is None:
        return None
    text = value.strip()
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return min(float(text), LONGEST_S)
    moment = http_date(text)
    return None if moment is None else min(max(0.0, (moment - now).total_seconds()), LONGEST_S)


def http_date(value: str | None) -> datetime | None:
    """A Date header as an aware time, or None."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
