"""A call to the emulated org and its answer, apart from any HTTP server.

`server` turns requests into calls, `composite` makes more of them out of one; `router` answers all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from dragoman.testing.salesforce.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of a logged-in user. version: `v59.0`. parts: of the path behind it, decoded.

    headers: names in lower case. body: decoded JSON, None without any. user: the id of a User.
    """

    method: str
    version: str
    parts: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: object
    user: str

    def object(self) -> Mapping[str, object]:
        """The body as a JSON object. Raises Refused."""
        if not isinstance(self.body, Mapping):
            raise Refused("JSON_PARSER_ERROR", "The HTTP entity body is required as an object")
        return self.body

    def moment(self, header: str) -> datetime | None:
        """The time in a conditional header, None without it. Raises Refused for another text."""
        text = self.headers.get(header)
        if text is None:
            return None
        try:
            found = parsedate_to_datetime(text)
        except ValueError as error:
            raise Refused("INVALID_HEADER", f"Invalid value of {header}: {text}") from error
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found


@dataclass(slots=True, kw_only=True)
class Answer:
    """One response. payload: for JSON; None is an empty body."""

    status: int = 200
    payload: object = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """The bytes that go out."""
        return b"" if self.payload is None else msgspec.json.encode(self.payload)


def saved(record_id: str, *, created: bool | None = None) -> dict[str, object]:
    """What a create or an upsert answers."""
    told: dict[str, object] = {"id": record_id, "success": True, "errors": []}
    return told if created is None else {**told, "created": created}
