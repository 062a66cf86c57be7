"""Switches that make the emulated org misbehave, settable while it runs.

Set by tests; asked by `server` around each call to /services/data. One `Fault` names what goes
wrong, for which calls, and how often.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dragoman.testing.salesforce.errors import Refused
from dragoman.testing.salesforce.wire import Answer, Call


class FaultKind(StrEnum):
    """What goes wrong. `after_commit` of the fault says whether a write still happens first."""

    RATE_LIMIT = "rate_limit"  # 403 REQUEST_LIMIT_EXCEEDED; never commits
    UNAUTHORIZED = "unauthorized"  # 401 INVALID_SESSION_ID; never commits
    LOCKED = "locked"  # 400 UNABLE_TO_LOCK_ROW; never commits
    QUERY_TIMEOUT = "query_timeout"  # 400 QUERY_TIMEOUT
    SERVER_ERROR = "server_error"  # `status` (500) UNKNOWN_EXCEPTION
    REDIRECT = "redirect"  # 301 to `location`
    HTML = "html"  # a maintenance page with `status` (200)
    TRUNCATED = "truncated"  # the first half of the JSON, with a matching Content-Length
    HANG = "hang"  # silence for `seconds`, then the connection drops
    RESET = "reset"  # the connection is reset
    SLOW = "slow"  # the right answer, `seconds` late
    DAMAGED = "damaged"  # `field` of every record in the answer becomes `value`
    DOUBLED = "doubled"  # every record of the answer comes twice
    WRONG_SHAPE = "wrong_shape"  # the answer becomes `value`


@dataclass(slots=True, kw_only=True)
class Fault:
    """One misbehaviour.

    It strikes `calls` times (None: until removed), skipping the first `skip` calls that match.
    `methods`, `path` (a part of it, with its query) and `record` (an id in a read's answer, or in
    what a write sends) narrow the calls it matches; empty means any. retry_after: seconds in a
    header of RATE_LIMIT, 0 for none.
    """

    kind: FaultKind
    calls: int | None = 1
    skip: int = 0
    methods: frozenset[str] = frozenset()
    path: str = ""
    record: str = ""
    after_commit: bool = False
    seconds: float = 1.0
    retry_after: int = 0
    status: int = 0
    location: str = ""
    field: str = ""
    value: object = None
    struck: int = 0


@dataclass(slots=True)
class Faults:
    """All active faults of an org."""

    active: list[Fault] = field(default_factory=list)

    def add(self, kind: FaultKind | str, **details: Any) -> Fault:
        """Add a fault; `details` are the fields of Fault. Raises TypeError for an unknown one."""
        if "methods" in details:
            details["methods"] = frozenset(details["methods"])
        fault = Fault(kind=FaultKind(kind), **details)
        self.active.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Take one fault out; it may have run out already."""
        if fault in self.active:
            self.active.remove(fault)

    def take(self, call: Call, path: str, text: Callable[[], str]) -> Fault | None:
        """The fault that strikes this call, counted down. text: where `record` is looked for."""
        for fault in self.active:
            fits = (
                (not fault.methods or call.method in fault.methods)
                and fault.path in path
                and (not fault.record or fault.record in text())
            )
            if not fits:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.struck += 1
            if fault.calls is not None:
                fault.calls -= 1
                if fault.calls <= 0:
                    self.active.remove(fault)
            return fault
        return None


_PAGE = (
    b"<!DOCTYPE html><html><head><title>Scheduled maintenance</title></head><body></body></html>"
)


def refused(fault: Fault) -> Answer | None:
    """The answer of a fault that replaces the right one whole, None for one that damages it."""
    match fault.kind:
        case FaultKind.RATE_LIMIT:
            error = Refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
            wait = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
            return Answer(status=403, payload=error.body(), headers=wait)
        case FaultKind.UNAUTHORIZED:
            return no_session()
        case FaultKind.LOCKED:
            error = Refused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", [])
            return Answer(status=400, payload=error.body())
        case FaultKind.QUERY_TIMEOUT:
            error = Refused("QUERY_TIMEOUT", "Your query request was running for too long.")
            return Answer(status=400, payload=error.body())
        case FaultKind.SERVER_ERROR:
            error = Refused("UNKNOWN_EXCEPTION", "An unexpected error occurred. ErrorId: 1-1 (1)")
            return Answer(status=fault.status or 500, payload=error.body())
        case FaultKind.REDIRECT:
            return Answer(status=301, headers={"Location": fault.location})
        case _:
            return None


def spoilt(fault: Fault, answer: Answer) -> bytes:
    """The bytes of the right answer, damaged as the fault says."""
    match fault.kind:
        case FaultKind.HTML:
            return _PAGE
        case FaultKind.TRUNCATED:
            body = answer.body()
            return body[: len(body) // 2]
        case FaultKind.WRONG_SHAPE:
            answer.payload = fault.value
        case FaultKind.DAMAGED | FaultKind.DOUBLED if isinstance(answer.payload, Mapping):
            records = list(answer.payload.get("records", ()))
            if fault.kind is FaultKind.DAMAGED:
                records = [{**record, fault.field: fault.value} for record in records]
            else:
                records = [record for record in records for _ in range(2)]
            answer.payload = {**answer.payload, "records": records}
        case _:
            pass
    return answer.body()


def no_session() -> Answer:
    """401 as Salesforce answers to sessions that ended, and to those that never were."""
    error = Refused("INVALID_SESSION_ID", "Session expired or invalid", status=401)
    return Answer(status=401, payload=error.body())
