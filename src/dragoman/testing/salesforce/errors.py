"""How the emulated org refuses: an HTTP status and a list of {message, errorCode, fields}.

Raised by every part of it; turned into an answer by `router`, or into one entry of a composite's or
collection's result. Source: REST API Developer Guide, "Status Codes and Error Responses".
"""

from collections.abc import Sequence


class Refused(Exception):
    """A refusal. fields: API names that it concerns; None leaves the key out, as queries do."""

    def __init__(
        self, code: str, message: str, fields: Sequence[str] | None = None, *, status: int = 400
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = fields
        self.status = status

    def body(self) -> list[dict[str, object]]:
        """The JSON of the REST API."""
        told: dict[str, object] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            told["fields"] = list(self.fields)
        return [told]

    def item(self) -> dict[str, object]:
        """The JSON within a collection's result, where the code has another name."""
        return {
            "statusCode": self.code,
            "message": self.message,
            "fields": list(self.fields or ()),
        }


class PreconditionFailed(Exception):
    """If-Unmodified-Since doesn't hold: 412 without a body."""


class NotModified(Exception):
    """If-Modified-Since doesn't hold: 304 without a body."""


class SeveralMatch(Exception):
    """An external id that several records have: 300 with their addresses."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"{len(ids)} records")
        self.ids = ids


def gone(deleted: bool) -> Refused:
    """The refusal for a record that was deleted, or never was."""
    if deleted:
        return Refused("ENTITY_IS_DELETED", "entity is deleted", [], status=404)
    return Refused("NOT_FOUND", "The requested resource does not exist", status=404)
