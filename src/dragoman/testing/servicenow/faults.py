"""Switches that make the emulated desk misbehave, settable while it runs.

Set by tests, the demo and the control API; asked by `server` before and after each call, and by
`webhooks` for each delivery. One `Fault` names what goes wrong, for which calls, and how often.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec

from dragoman.testing.servicenow.wire import Answer, Refusal


class FaultKind(StrEnum):
    """What goes wrong. `after_commit` of the fault says whether a write still happens first."""

    RATE_LIMIT = "rate_limit"  # 429 with Retry-After; never commits
    SERVER_ERROR = "server_error"  # `status` (500) with the error envelope
    UNAUTHORIZED = "unauthorized"  # 401, as for expired credentials; never commits
    QUOTA = "quota"  # 200 with "Transaction cancelled" in the body; never commits
    HANG = "hang"  # silence for `seconds`, then the connection drops
    RESET = "reset"  # the connection is reset
    SLOW = "slow"  # the right answer, `seconds` late
    HTML = "html"  # an HTML page with `status` (200)
    TRUNCATED = "truncated"  # the first half of the JSON, with a matching Content-Length
    WRONG_TYPE = "wrong_type"  # `field` becomes a list; without `field` the whole result a text
    NULL_FIELD = "null_field"  # `field` becomes null
    OVERSIZE = "oversize"  # `field` (description) becomes a text of `size` bytes


@dataclass(slots=True, kw_only=True)
class Fault:
    """One misbehaviour.

    It strikes `calls` times (None: until removed), skipping the first `skip` calls that match.
    `methods`, `table` and `record` (sys_id or number) narrow the calls it matches; empty means
    any. `seconds` is the delay of HANG and SLOW and the Retry-After of RATE_LIMIT. With
    `after_commit` the desk carries the call out first, and only its answer goes wrong.
    """

    kind: FaultKind
    calls: int | None = 1
    skip: int = 0
    methods: frozenset[str] = frozenset()
    table: str = ""
    record: str = ""
    seconds: float = 1.0
    status: int = 0
    field: str = ""
    size: int = 10 * 1024 * 1024
    after_commit: bool = False
    struck: int = 0

    def matches(self, method: str, table: str, record: Iterable[str]) -> bool:
        """Whether this fault concerns a call on (table, any of the record's names)."""
        return (
            (not self.methods or method in self.methods)
            and (not self.table or self.table == table)
            and (not self.record or self.record in record)
        )


@dataclass(slots=True, kw_only=True)
class WebhookFaults:
    """How webhook deliveries go wrong. The two shares are in 0 … 1.

    `duplicates` extra copies of each delivery; `lost` the share never sent; `shuffled` the number
    of deliveries that are held back and sent in random order; `delay` seconds before each.
    """

    duplicates: int = 0
    lost: float = 0.0
    shuffled: int = 0
    delay: float = 0.0


@dataclass(slots=True)
class Faults:
    """All active faults of a desk, and the lasting conditions.

    `latency` seconds are added to every answer. `clock_offset` shifts every time stamp of the desk
    and its Date header. `hidden` holds sys_ids and table names whose rows an access control
    withholds: it applies after the limit, so pages come short. `denied` holds tables that answer
    403. `read_only` holds (table, field) pairs whose writes are ignored with 200.
    """

    chance: random.Random
    active: list[Fault] = field(default_factory=list)
    latency: float = 0.0
    clock_offset: timedelta = timedelta()
    read_only: set[tuple[str, str]] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    webhooks: WebhookFaults = field(default_factory=WebhookFaults)

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

    def clear(self) -> None:
        """Behave well again: no faults, no latency, nothing hidden, webhooks as they should be."""
        self.active.clear()
        self.latency = 0.0
        self.clock_offset = timedelta()
        self.read_only.clear()
        self.hidden.clear()
        self.denied.clear()
        self.webhooks = WebhookFaults()

    def take(self, method: str, table: str, record: Iterable[str]) -> Fault | None:
        """The fault that strikes this call, counted down; None if all goes well."""
        names = tuple(record)
        for fault in self.active:
            if not fault.matches(method, table, names):
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


_QUOTA = "Transaction cancelled: maximum execution time exceeded"
_HTML = (
    b"<!DOCTYPE html><html><head><title>Instance is hibernating</title></head>"
    b"<body><h1>Your instance is hibernating.</h1></body></html>"
)


def refused(fault: Fault, now: float) -> Answer | None:
    """The answer of a fault that replaces the right one whole, or None for one that mends it.

    `now` is the desk's time in Unix seconds, for X-RateLimit-Reset.
    """
    match fault.kind:
        case FaultKind.RATE_LIMIT:
            return rate_limited(fault.seconds, now + fault.seconds, limit=0)
        case FaultKind.SERVER_ERROR:
            return Refusal(
                fault.status or 500, "Internal server error", "Check logs for error trace"
            ).answer
        case FaultKind.UNAUTHORIZED:
            return unauthorized()
        case FaultKind.QUOTA:
            detail = (
                f"{_QUOTA} Check logs for error trace or enable glide.rest.debug property "
                "to verify REST request processing"
            )
            answer = Refusal(200, _QUOTA, detail).answer
            assert isinstance(answer.payload, dict)
            answer.payload = {"result": [], **answer.payload}
            return answer
        case FaultKind.HTML:
            return Answer(status=fault.status or 200, raw=_HTML, content_type="text/html")
        case _:
            return None


def spoil(fault: Fault, answer: Answer) -> Answer:
    """The right answer, damaged as the fault says."""
    match fault.kind:
        case FaultKind.TRUNCATED:
            body = answer.body()
            answer.raw = body[: len(body) // 2]
        case FaultKind.WRONG_TYPE if not fault.field:
            answer.payload = {"result": "unexpected"}
        case FaultKind.WRONG_TYPE:
            _overwrite(answer, fault.field, [1, {"unexpected": None}])
        case FaultKind.NULL_FIELD:
            _overwrite(answer, fault.field, None)
        case FaultKind.OVERSIZE:
            _overwrite(answer, fault.field or "description", "x" * fault.size)
        case _:
            pass
    return answer


def rate_limited(wait: float, reset: float, *, limit: int) -> Answer:
    """429 as an inbound REST rate limit rule answers. `reset` is in Unix seconds."""
    return Refusal(
        429,
        "Rate limit exceeded",
        "The number of requests allowed per hour is exhausted; see the Retry-After header",
        {
            "Retry-After": str(max(1, round(wait))),
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Reset": str(int(reset)),
            "X-RateLimit-Rule": "0" * 32,
        },
    ).answer


def unauthorized() -> Answer:
    """401 as the platform answers to missing, wrong and expired credentials alike."""
    return Refusal(
        401,
        "User Not Authenticated",
        "Required to provide Auth information",
        {"WWW-Authenticate": 'BASIC realm="Service-now"'},
    ).answer


def _overwrite(answer: Answer, name: str, value: object) -> None:
    """Set a field in every row of the answer, on a copy: the live record stays whole."""
    payload = msgspec.json.decode(msgspec.json.encode(answer.payload))
    result = payload.get("result") if isinstance(payload, dict) else None
    for row in result if isinstance(result, list) else [result]:
        if isinstance(row, dict):
            row[name] = value
    answer.payload = payload
