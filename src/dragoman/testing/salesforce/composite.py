"""Several calls in one: /composite, with references between them, all or nothing if asked.

Called by `router`, and calls it for each subrequest. Source: REST API Developer Guide (Composite).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dragoman.testing.salesforce.errors import Refused
from dragoman.testing.salesforce.org import Org
from dragoman.testing.salesforce.wire import Answer, Call

_MOST = 25
_REFERENCE = re.compile(r"@\{(\w+)\.(\w+)\}")
_HALTED = "The transaction was rolled back since another operation in the same transaction failed."
_INHERITED = frozenset({"accept", "authorization", "content-type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A subrequest's answer under its reference id."""

    reference: str
    answer: Answer

    @property
    def failed(self) -> bool:
        return self.answer.status >= 300

    def told(self) -> dict[str, object]:
        return {
            "body": self.answer.payload,
            "httpHeaders": self.answer.headers,
            "httpStatusCode": self.answer.status,
            "referenceId": self.reference,
        }


class Composite:
    """Answers composite requests. one: answers a single call, refusals too."""

    def __init__(self, org: Org, one: Callable[[Call], Answer]) -> None:
        self._org = org
        self._one = one

    def answer(self, call: Call) -> Answer:
        """Answer the whole with 200, whatever became of its parts. Raises Refused."""
        body = call.object()
        subrequests = body.get("compositeRequest")
        if not isinstance(subrequests, list) or not subrequests:
            raise Refused("JSON_PARSER_ERROR", "compositeRequest is required")
        if len(subrequests) > _MOST:
            text = f"The number of subrequests exceeds the limit of {_MOST}"
            raise Refused("LIMIT_EXCEEDED", text)
        whole = body.get("allOrNone") is True
        parts: list[_Part] = []
        with self._org.store.transaction() as undo:
            for subrequest in subrequests:
                parts.append(self._part(call, subrequest, parts))
                if whole and parts[-1].failed:
                    undo()
                    parts = _halted(parts[-1], subrequests)
                    break
        return Answer(payload={"compositeResponse": [part.told() for part in parts]})

    def _part(self, call: Call, subrequest: object, before: list[_Part]) -> _Part:
        if not isinstance(subrequest, Mapping) or not subrequest.get("referenceId"):
            raise Refused("JSON_PARSER_ERROR", "referenceId is required")
        reference = str(subrequest["referenceId"])
        known = {part.reference: part for part in before}
        headers = {
            str(name).lower(): str(value)
            for name, value in dict(subrequest.get("httpHeaders") or {}).items()
        }
        if not headers.keys().isdisjoint(_INHERITED):
            raise Refused("INVALID_HEADER", "a subrequest inherits this header")
        try:
            inner = _inner(call, subrequest, headers, known)
        except Refused as refused:
            answer = Answer(status=refused.status, payload=refused.body())
            return _Part(reference=reference, answer=answer)
        return _Part(reference=reference, answer=self._one(inner))


def _inner(
    call: Call,
    subrequest: Mapping[str, Any],
    headers: Mapping[str, str],
    known: Mapping[str, _Part],
) -> Call:
    url = urlsplit(str(_filled(subrequest.get("url", ""), known)))
    parts = tuple(unquote(part) for part in url.path.strip("/").split("/"))
    if parts[:3] != ("services", "data", call.version):
        raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
    return Call(
        method=str(subrequest.get("method", "")),
        version=call.version,
        parts=parts[3:],
        query=dict(parse_qsl(url.query)),
        headers=headers,
        body=_filled(subrequest.get("body"), known),
        user=call.user,
    )


def _halted(failed: _Part, subrequests: Sequence[Mapping[str, object]]) -> list[_Part]:
    """What is told of a transaction that was undone: the reason at the part that failed."""
    halted = Answer(status=400, payload=Refused("PROCESSING_HALTED", _HALTED).body())
    names = [str(one.get("referenceId")) for one in subrequests]
    return [
        failed if name == failed.reference else _Part(reference=name, answer=halted)
        for name in names
    ]


def _filled(value: Any, known: Mapping[str, _Part]) -> Any:
    """The value with every @{reference.field} replaced by what that subrequest answered."""
    if isinstance(value, Mapping):
        return {name: _filled(one, known) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, known) for one in value]
    if not isinstance(value, str):
        return value

    def told(match: re.Match[str]) -> str:
        part = known.get(match[1])
        payload = None if part is None or part.failed else part.answer.payload
        if not isinstance(payload, Mapping) or match[2] not in payload:
            raise Refused(
                "PROCESSING_HALTED", f"Invalid reference specified. No value for {match[0]} found"
            )
        return str(payload[match[2]])

    return _REFERENCE.sub(told, value)
