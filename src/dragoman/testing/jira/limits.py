"""The burst limit of the emulated Jira: a token bucket a method, with Jira's headers.

Called by `server` for each authenticated call. Source: Jira Cloud "Rate limiting": 429 with
Retry-After, X-RateLimit-Limit, -Remaining, -Reset (ISO 8601) and RateLimit-Reason.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

BURST = "jira-burst-based"


def limit_headers(limit: int, wait_s: float, now: datetime, reason: str = BURST) -> dict[str, str]:
    """The headers of a 429."""
    wait = max(1, ceil(wait_s))
    return {
        "Retry-After": str(wait),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": f"{now + timedelta(seconds=wait):%Y-%m-%dT%H:%MZ}",
        "RateLimit-Reason": reason,
    }


@dataclass(slots=True)
class Bucket:
    """per_second: None for no limit; `burst` calls may come at once."""

    per_second: float | None = None
    burst: int = 10
    _levels: dict[str, tuple[float, datetime]] = field(default_factory=dict)

    def wait_s(self, method: str, now: datetime) -> float:
        """0 if the call may come in, else seconds until one may."""
        if self.per_second is None:
            return 0.0
        level, since = self._levels.get(method, (float(self.burst), now))
        level = min(self.burst, level + (now - since).total_seconds() * self.per_second)
        if level < 1:
            self._levels[method] = (level, now)
            return (1 - level) / self.per_second
        self._levels[method] = (level - 1, now)
        return 0.0

    def headers(self, method: str) -> dict[str, str]:
        """What a good answer carries under a limit."""
        if self.per_second is None:
            return {}
        left = int(self._levels.get(method, (float(self.burst), None))[0])
        near = {"X-RateLimit-NearLimit": "true"} if left < 0.2 * self.burst else {}
        return {
            "X-RateLimit-Limit": str(self.burst),
            "X-RateLimit-Remaining": str(left),
            **near,
        }
