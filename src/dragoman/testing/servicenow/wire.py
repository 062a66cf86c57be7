"""A call to the emulated desk and its answer, apart from any HTTP server.

Called by `api`, `attachments` and `batch` (which answer calls), and by `server` (which turns HTTP
requests into calls). A batch can so carry calls through the same code as single requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from dragoman.testing.servicenow.auth import Account

JSON = "application/json;charset=UTF-8"


class Refusal(Exception):
    """The desk says no: an HTTP status and the two texts of ServiceNow's error envelope."""

    def __init__(
        self,
        status: int,
        message: str,
        detail: str | None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {message}: {detail}")
        self.answer = Answer(
            status=status,
            payload={"error": {"message": message, "detail": detail}, "status": "failure"},
            headers=dict(headers or {}),
        )


@dataclass(slots=True, kw_only=True)
class Call:
    """One request after authentication. `base` is scheme and host, for links in answers."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    account: Account
    base: str


@dataclass(slots=True, kw_only=True)
class Answer:
    """One response. `payload` is what JSON holds; `raw` wins where the body isn't JSON."""

    status: int = 200
    payload: object = None
    raw: bytes | None = None
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """The bytes that go out; empty for 204."""
        if self.raw is not None:
            return self.raw
        return b"" if self.status == 204 else msgspec.json.encode(self.payload)
