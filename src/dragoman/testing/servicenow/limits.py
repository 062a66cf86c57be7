"""The inbound rate limit rule of the emulated desk.

Called by `server` for each authenticated call. Source: ServiceNow, "Inbound REST API rate
limiting": a fixed number of requests a user per window (an hour on the real desk), the headers
X-RateLimit-Limit, -Reset and -Rule on every matching answer, 429 with Retry-After beyond it.
"""

from dataclasses import dataclass, field
from math import floor

from dragoman.testing.servicenow.faults import rate_limited
from dragoman.testing.servicenow.wire import Answer


@dataclass(slots=True, kw_only=True)
class RateLimitRule:
    """At most `requests` a user in each fixed window of `seconds`; None for no limit."""

    requests: int | None = None
    seconds: float = 3600.0
    rule: str = "c0ffee00c0ffee00c0ffee00c0ffee00"
    _window: float = 0.0
    _used: dict[str, int] = field(default_factory=dict)

    def admit(self, user_name: str, now: float) -> Answer | None:
        """Count a call at Unix second `now`; the 429 if it is one too many."""
        if self.requests is None:
            return None
        start = floor(now / self.seconds) * self.seconds
        if start != self._window:
            self._window, self._used = start, {}
        used = self._used.get(user_name, 0)
        if used >= self.requests:
            reset = start + self.seconds
            answer = rate_limited(reset - now, reset, limit=self.requests)
            answer.headers["X-RateLimit-Rule"] = self.rule
            return answer
        self._used[user_name] = used + 1
        return None

    def headers(self) -> dict[str, str]:
        """What every answer under the rule carries."""
        if self.requests is None:
            return {}
        return {
            "X-RateLimit-Limit": str(self.requests),
            "X-RateLimit-Reset": str(int(self._window + self.seconds)),
            "X-RateLimit-Rule": self.rule,
        }
