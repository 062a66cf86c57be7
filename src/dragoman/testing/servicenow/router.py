"""From a path to the API that answers it, the Batch API included.

Called by `server`. Source: ServiceNow's "Batch API" reference: each part is answered as if it came
alone, ids are echoed, bodies are base64, and one part's failure doesn't touch the others.
"""

import base64
import binascii
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from dragoman.testing.servicenow.api import TableApi
from dragoman.testing.servicenow.attachments import AttachmentApi
from dragoman.testing.servicenow.faults import Faults
from dragoman.testing.servicenow.instance import Instance
from dragoman.testing.servicenow.wire import Answer, Call, Refusal

_VERSIONS = ("v1", "v2")


class Router:
    """Answers every authenticated call under /api/now."""

    def __init__(self, instance: Instance, faults: Faults) -> None:
        self._tables = TableApi(instance, faults)
        self._attachments = AttachmentApi(instance, self._tables)

    def answer(self, call: Call) -> Answer:
        """Answer one call; a refusal comes back as its answer."""
        try:
            return self._routed(call)
        except Refusal as refusal:
            return refusal.answer

    def _routed(self, call: Call) -> Answer:
        accept = call.headers.get("Accept", "*/*")
        if "json" not in accept and "*/*" not in accept and "application/*" not in accept:
            raise Refusal(406, "Not acceptable", f"No representation for Accept: {accept}")
        match segments(call.path):
            case ["table", table]:
                return self._tables.answer(call, table, "")
            case ["table", table, sys_id]:
                return self._tables.answer(call, table, sys_id)
            case ["attachment", *parts]:
                return self._attachments.answer(call, parts)
            case ["batch"] if call.method == "POST":
                return self._batch(call)
            case _:
                raise Refusal(400, "Requested URI does not represent any resource", call.path)

    def _batch(self, call: Call) -> Answer:
        try:
            body = msgspec.json.decode(call.body, type=_Batch)
        except msgspec.MsgspecError as error:
            raise Refusal(400, "Exception while reading request", str(error)) from error
        return Answer(
            payload={
                "batch_request_id": str(body.batch_request_id),
                "serviced_requests": [self._part(call, part) for part in body.rest_requests],
                "unserviced_requests": [],
            }
        )

    def _part(self, call: Call, part: "_Part") -> dict[str, object]:
        address = urlsplit(part.url)
        answer = self.answer(
            Call(
                method=part.method,
                path=unquote(address.path),
                query=dict(parse_qsl(address.query, keep_blank_values=True)),
                headers={item.name.title(): item.value for item in part.headers},
                body=_decoded(part.body),
                account=call.account,
                base=call.base,
            )
        )
        headers = {"Content-Type": answer.content_type} | answer.headers
        return {
            "id": part.id,
            "body": base64.b64encode(answer.body()).decode(),
            "status_code": answer.status,
            "status_text": "OK" if answer.status < 400 else "Error",
            "headers": [{"name": name, "value": value} for name, value in headers.items()],
            "execution_time": 1,
            "redirect_url": None,
        }


class _Header(msgspec.Struct, frozen=True):
    name: str
    value: str


class _Part(msgspec.Struct, frozen=True):
    id: str
    method: str
    url: str
    headers: list[_Header] = []
    body: str = ""


class _Batch(msgspec.Struct, frozen=True):
    batch_request_id: str | int
    rest_requests: list[_Part]


def segments(path: str) -> list[str]:
    """The path segments behind /api/now and a version, if any; [] for another path."""
    parts = path.strip("/").split("/")
    if parts[:2] != ["api", "now"]:
        return []
    return parts[3:] if len(parts) > 2 and parts[2] in _VERSIONS else parts[2:]


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise Refusal(400, "Exception while reading request", "A body isn't base64") from error
