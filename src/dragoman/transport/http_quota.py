"""What one tenant may still ask of its server: learned from the server's own rate-limit headers.

`HttpClient` asks `Quota.refusal` before a call and tells it of each answer. A tenant that was told
to wait is asked for nothing until then, by no case and no poll: one 429 must not become a storm of
them. Polling also stops while only the last of a quota is left, which is kept for writes.

Headers, as vendors document them: Retry-After (RFC 9110; 429 and 503), X-RateLimit-Remaining and
-Reset (Jira, ServiceNow, Freshservice, Zendesk; the reset as a date, as epoch seconds or as
seconds from now), RateLimit-Remaining and -Reset (draft-ietf-httpapi-ratelimit-headers), and
Sforce-Limit-Info (Salesforce: api-usage=used/allowed of 24 hours).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

from dragoman.ports.clock import Clock
from dragoman.transport.http_errors import RateLimited, retry_after_s

LONGEST_S = 3_600.0
"""A longer pause than this is not believed without another look."""
RESERVE = 0.05
"""The share of a quota that polling leaves for writes."""
POLL_AGAIN_S = 60.0
"""How long polling waits when only the reserve is left, and no reset is told."""
_polling: ContextVar["Polling | None"] = ContextVar("polling", default=None)
_EPOCH = 1_000_000_000.0
"""A reset above this is epoch seconds, below it seconds from now."""
_SALESFORCE = re.compile(r"api-usage=(\d+)/(\d+)")
_WAITING = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What an answer says of the quota. left: share from 0 to 1; reset_s: seconds until renewed."""

    left: float | None
    reset_s: float | None


class Polling:
    """What one poll costs. requests: how many calls went out for it, those that failed included."""

    def __init__(self) -> None:
        self.requests = 0


@contextmanager
def polling() -> Iterator[Polling]:
    """Calls made within are polls, whatever adapter makes them, and are counted."""
    poll = Polling()
    token = _polling.set(poll)
    try:
        yield poll
    finally:
        _polling.reset(token)


class Quota:
    """One tenant's. waits: how many calls were refused here instead of there."""

    def __init__(self, where: str, clock: Clock) -> None:
        self.waits = 0
        self._where = where
        self._clock = clock
        self._closed_until = 0.0
        self._polls_until = 0.0

    def refusal(self) -> RateLimited | None:
        """Why a call has to wait, with the seconds until it may be made; None if it may now."""
        now = self._clock.monotonic()
        until = max(self._closed_until, self._polls_until if _polling.get() else 0.0)
        if until <= now:
            return None
        self.waits += 1
        what = "asked us to wait" if self._closed_until > now else "has little of our quota left"
        return RateLimited(f"{self._where} {what}", delay_s=until - now)

    def spent(self) -> None:
        """One call goes out now."""
        poll = _polling.get()
        if poll is not None:
            poll.requests += 1

    def learn(self, status: int, headers: Mapping[str, str], server_now: datetime) -> None:
        """Take in an answer. headers: names in lower case; server_now: by the server's clock."""
        now = self._clock.monotonic()
        told = _told(headers, server_now)
        if status in _WAITING:
            asked = retry_after_s(headers.get("retry-after"), server_now)
            pause = asked if asked is not None else told.reset_s if status == 429 else None
            if pause is not None:
                self._closed_until = max(self._closed_until, now + min(pause, LONGEST_S))
            return
        if told.left is None:
            return
        if told.left <= 0.0 and told.reset_s is not None:
            self._closed_until = max(self._closed_until, now + min(told.reset_s, LONGEST_S))
        elif told.left < RESERVE:
            pause = POLL_AGAIN_S if told.reset_s is None else min(told.reset_s, LONGEST_S)
            self._polls_until = now + pause
        else:
            self._polls_until = 0.0


def _told(headers: Mapping[str, str], server_now: datetime) -> _Told:
    found = _SALESFORCE.search(headers.get("sforce-limit-info", ""))
    if found is not None and int(found[2]) > 0:
        return _Told(left=max(0.0, 1.0 - int(found[1]) / int(found[2])), reset_s=None)
    for prefix in ("x-ratelimit", "ratelimit", "x-rate-limit"):
        remaining = _number(headers.get(f"{prefix}-remaining"))
        if remaining is not None:
            limit = _number(headers.get(f"{prefix}-limit") or headers.get(prefix))
            share = remaining / limit if limit else (1.0 if remaining > 0 else 0.0)
            return _Told(left=share, reset_s=_reset_s(headers.get(f"{prefix}-reset"), server_now))
    return _Told(left=None, reset_s=_reset_s(headers.get("x-ratelimit-reset"), server_now))


def _reset_s(value: str | None, server_now: datetime) -> float | None:
    """Seconds until the quota is renewed, or None if that isn't told in a form we know."""
    if not value:
        return None
    number = _number(value)
    if number is not None:
        return max(0.0, number - server_now.timestamp()) if number > _EPOCH else number
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - server_now).total_seconds())


def _number(value: str | None) -> float | None:
    if value is None:
        return None
    found = re.match(r"\s*(\d{1,12}(?:\.\d+)?)\s*(?:[,;].*)?$", value)
    return float(found[1]) if found else None
