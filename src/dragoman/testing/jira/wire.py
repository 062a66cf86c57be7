"""Refusals of the emulated Jira, and the small things that all its handlers share."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec
from aiohttp import web

JSON = "application/json;charset=UTF-8"
NO_ISSUE = "Issue does not exist or you do not have permission to see it."


class Refused(Exception):
    """The site says no: a status and its error collection (`errorMessages`, `errors`)."""

    def __init__(
        self, status: int, *messages: str, errors: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {messages} {errors or ''}")
        self.status = status
        self.messages = messages
        self.errors = dict(errors or {})

    def response(self) -> web.Response:
        """The answer as Jira gives it."""
        body = {"errorMessages": list(self.messages), "errors": self.errors}
        return answer(body, self.status)


def answer(body: object = None, status: int = 200) -> web.Response:
    """A JSON answer, or an empty one for 204."""
    if status == 204:
        return web.Response(status=204)
    return web.Response(
        status=status, body=msgspec.json.encode(body), headers={"Content-Type": JSON}
    )


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises Refused (400)."""
    try:
        sent = msgspec.json.decode(await request.read() or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(
            400, "There was an error parsing JSON. Check that your request body is valid."
        ) from error
    if not isinstance(sent, dict):
        raise Refused(400, "INVALID_INPUT")
    return sent


def stamp(moment: datetime, zone: tzinfo = UTC) -> str:
    """A time as Jira writes it: milliseconds, the reader's zone, an offset without a colon."""
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03}{local:%z}"


def number(text: str, default: int) -> int:
    """A parameter that should be a number."""
    return int(text) if text.isascii() and text.isdigit() else default
