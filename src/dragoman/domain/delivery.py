"""The outbox: what has to leave the gateway, in order, until it arrived or a person decides.

A `Delivery` is one effect on its way. Those of one lane (a case at a desk, a robot at a fleet)
leave strictly in order. `settle` is the whole retry policy, and `Breaker` the whole circuit
breaker; runtime/courier.py only does the waiting and the calling.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from dragoman.domain.errors import DragomanError, NeedsHuman, Permanent, RetryLater


class DeliveryState(StrEnum):
    """Where a delivery stands: matched = delivered + failed + in flight + queued + dead.

    FAILED is the end without delivery: dropped by a person or withdrawn by the gateway, with the
    reason. DEAD waits for a person. IN_FLIGHT lives in memory only: after a restart it is QUEUED.
    """

    QUEUED = "queued"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    DEAD = "dead"
    FAILED = "failed"


SETTLED = frozenset({DeliveryState.DELIVERED, DeliveryState.FAILED})
"""Nothing more will happen to these; the next of the lane may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One effect on its way out, or one dead letter from the way in.

    id: unique, sorts by creation, and is the idempotency key at the target. target: `desk:NAME`,
    `fleet:NAME`, `feed:NAME`, or `intake:NAME` for something received that could not be read, or
    that a person has to decide about (always DEAD first; replaying it reads it again);
    `reconcile.desk:NAME` and `reconcile.robot:NAME` keep a mismatch (flow/reconcile) and never
    leave. lane: what must stay in order within the target. verb: what the target is asked to do;
    payload: its JSON-ready arguments. final: the last write of a case, whose delivery closes it.
    attempts: since it was queued, or replayed last; replays: how often a person sent it again, so
    that parts of it may have arrived. not_after: withdrawn if not out by then.
    """

    id: str
    target: str
    lane: str
    verb: str
    payload: Mapping[str, object]
    created_at: datetime
    case_id: str = ""
    order_id: str = ""
    trace_id: str = ""
    state: DeliveryState = DeliveryState.QUEUED
    attempts: int = 0
    replays: int = 0
    next_at: datetime | None = None
    not_after: datetime | None = None
    reason: str = ""
    final: bool = False
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter: at most base × 2^attempts, capped; seconds."""

    base_s: float = 0.5
    cap_s: float = 300.0
    max_attempts: int = 0
    """After so many attempts a passing failure becomes a dead letter; 0 means never."""

    def delay(self, attempts: int, *, at_least: float | None, jitter: float) -> float:
        """Seconds to wait after `attempts` failures. jitter: a random number in [0, 1)."""
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(attempts, 32))
        spread = ceiling * (0.5 + 0.5 * jitter)
        if at_least is None:
            return spread
        return at_least + min(spread, at_least * 0.2 + self.base_s) * jitter


def delivered(delivery: Delivery, now: datetime) -> Delivery:
    """The delivery after its target took it."""
    return replace(
        delivery,
        state=DeliveryState.DELIVERED,
        attempts=delivery.attempts + 1,
        next_at=None,
        reason="",
        ended_at=now,
    )


def settle(
    delivery: Delivery, error: DragomanError, now: datetime, policy: RetryPolicy, jitter: float
) -> Delivery:
    """The delivery after an attempt failed with `error`: queued again, or a dead letter.

    NeedsHuman keeps it queued: the call isn't at fault, and the breaker holds the target back.
    """
    attempts = delivery.attempts + 1
    spent = policy.max_attempts and attempts >= policy.max_attempts
    if isinstance(error, Permanent) or (spent and not isinstance(error, NeedsHuman)):
        return replace(
            delivery, state=DeliveryState.DEAD, attempts=attempts, next_at=None, reason=str(error)
        )
    at_least = error.delay_s if isinstance(error, RetryLater) else None
    wait = policy.delay(attempts, at_least=at_least, jitter=jitter)
    return replace(
        delivery,
        state=DeliveryState.QUEUED,
        attempts=attempts,
        next_at=now + timedelta(seconds=wait),
        reason=str(error),
    )


def replayed(delivery: Delivery, payload: Mapping[str, object] | None = None) -> Delivery:
    """A dead letter on its way again, with `payload` if a person edited it.

    Raises Permanent if the delivery isn't dead.
    """
    if delivery.state is not DeliveryState.DEAD:
        raise Permanent(
            "only a dead letter can be replayed",
            field="state",
            value=delivery.state,
            mend="list dead letters with `dragoman deliveries list --state dead`",
        )
    return replace(
        delivery,
        state=DeliveryState.QUEUED,
        attempts=0,
        replays=delivery.replays + 1,
        next_at=None,
        payload=delivery.payload if payload is None else payload,
    )


def dropped(delivery: Delivery, reason: str, now: datetime) -> Delivery:
    """A delivery that a person, or the gateway, gives up for good, with the reason.

    Raises Permanent if it is settled already.
    """
    if delivery.state in SETTLED:
        raise Permanent(
            "this delivery has ended already",
            field="state",
            value=delivery.state,
            mend="only a queued or dead delivery can be dropped",
        )
    return replace(delivery, state=DeliveryState.FAILED, next_at=None, reason=reason, ended_at=now)


def turn(lane: Mapping[str, Delivery]) -> Delivery | None:
    """The delivery of a lane whose turn it is.

    A dead letter holds back what follows it (it stays the first), but not at a robot: a cancelOrder
    must not wait for a person, and an order that can't go has no part in the next one.
    """
    for delivery in lane.values():
        if delivery.state is not DeliveryState.DEAD or not delivery.target.startswith("fleet:"):
            return delivery
    return None


class BreakerState(StrEnum):
    """closed: calls go out; open: none do; half_open: one trial call at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A circuit breaker per target: opens after `limit` failures in a row, or at once for a human.

    opens: how often it opened without a success between; the pause doubles up to `cap_s`.
    """

    limit: int = 5
    pause_s: float = 1.0
    cap_s: float = 30.0
    failures: int = 0
    opens: int = 0
    state: BreakerState = BreakerState.CLOSED
    until: datetime | None = None
    reason: str = ""
    since: datetime | None = field(default=None)

    def allows(self, now: datetime) -> bool:
        """Whether a call may go out now (an open breaker lets a trial through after its pause)."""
        return self.state is BreakerState.CLOSED or (
            self.state is BreakerState.OPEN and self.until is not None and now >= self.until
        )

    def trying(self) -> "Breaker":
        """The breaker while a trial call is out."""
        return replace(self, state=BreakerState.HALF_OPEN) if self.until else self

    def untried(self) -> "Breaker":
        """The breaker after a trial that made no call: open as before, for the next one."""
        return replace(self, state=BreakerState.OPEN)

    def succeeded(self) -> "Breaker":
        """The breaker after a call was answered (a refusal for good is an answer)."""
        return Breaker(limit=self.limit, pause_s=self.pause_s, cap_s=self.cap_s)

    def failed(self, error: DragomanError, now: datetime) -> "Breaker":
        """The breaker after a passing failure, or one that needs a human.

        Calls that were out together when it opened fail together: they make one pause, not many.
        """
        failures = self.failures + 1
        if self.state is BreakerState.OPEN:
            return replace(self, failures=failures, reason=str(error))
        if failures < self.limit and not isinstance(error, NeedsHuman) and not self.opens:
            return replace(self, failures=failures, reason=str(error))
        pause = min(self.cap_s, self.pause_s * 2.0 ** min(self.opens, 16))
        return replace(
            self,
            failures=failures,
            opens=self.opens + 1,
            state=BreakerState.OPEN,
            until=now + timedelta(seconds=pause),
            reason=str(error),
            since=self.since or now,
        )
