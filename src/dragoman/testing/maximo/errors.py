"""How the emulated Maximo refuses: its message ids, each with the HTTP status it comes with.

Raised by `store` and `routes`, written by `server`. The adapter's table of recovery
(dragoman.desks.maximo.errors) is tested against this catalogue, so that no id is forgotten.
Source: IBM Maximo REST API Guide, "REST API errors"; IBM support pages and answers of real
installations for the ids and statuses (noted where they are surprising).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """status: of the answer. text: with {0} … to fill in, as in Maximo's own catalogue."""

    status: int
    text: str


CATALOGUE: Mapping[str, Message] = {
    "BMXAA0021E": Message(status=401, text="The session holds no credentials; log in again."),
    "BMXAA0031E": Message(
        status=400, text="The {0} object is read only. Check the business rules of the object."
    ),
    "BMXAA0090E": Message(status=400, text="Asset {0} is not valid, or it is not operating."),
    "BMXAA2661E": Message(status=400, text="Location {0} is not a valid location."),
    "BMXAA4049E": Message(
        status=400, text="The value of {0} is longer than the maximum length of {1}."
    ),
    "BMXAA4129E": Message(status=400, text="The record for {0} already exists."),
    "BMXAA4160E": Message(status=500, text="A major exception has occurred. Check the log."),
    "BMXAA4190E": Message(status=400, text="{0} {1} is not in the value list."),
    "BMXAA4195E": Message(status=400, text="A value is required for the {0} field of {1}."),
    "BMXAA4198E": Message(status=400, text="The value {1} of {0} is not of the field's type."),
    # the reason itself follows on a second line, as a message of its own
    "BMXAA4590E": Message(status=400, text="Could not change {0} {1} status to {2}.\n\t{3}"),
    "BMXAA6002E": Message(
        status=400, text="You cannot save {0} because of the data security restrictions."
    ),
    # 412 was seen for a stale `_rowstamp` in the body, and for any If-Match that isn't the stamp
    "BMXAA8229W": Message(status=412, text="Record {0} : {1} has been updated by another user."),
    "BMXAA8727E": Message(
        status=404, text="The OSLC resource {0} with the ID {1} was not found in the system."
    ),
    "BMXAA8744E": Message(status=400, text="The query can't be read: {0}"),
    # a wrong permission is a 400, not a 403
    "BMXAA9301E": Message(status=400, text="The user is not authorized for Object Structure {0}."),
    "BMXAA9549E": Message(status=401, text="The API key token is invalid, expired or revoked."),
}


class Refused(Exception):
    """A call that ends in an error of the catalogue."""

    def __init__(self, code: str, *values: object, status: int = 0) -> None:
        message = CATALOGUE[code]
        self.code = code
        self.status = status or message.status
        self.text = f"{code} - {message.text.format(*values)}"
        super().__init__(self.text)

    def body(self, base: str, *, lean: bool) -> dict[str, object]:
        """The JSON of the error; outside lean mode with namespaces."""
        place = f"{base}/error/messages/{self.code}"
        if lean:
            return {
                "Error": {
                    "extendedError": {"moreInfo": {"href": place}},
                    "reasonCode": self.code,
                    "message": self.text,
                    "statusCode": str(self.status),
                }
            }
        return {
            "oslc:Error": {
                "oslc:extendedError": {"oslc:moreInfo": {"rdf:resource": place}},
                "spi:reasonCode": self.code,
                "oslc:message": self.text,
                "oslc:statusCode": str(self.status),
            }
        }
