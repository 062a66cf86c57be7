"""One target's health, and what the outcome of an attempt means for it. Used by courier.py."""

from datetime import datetime

from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import (
    Breaker,
    BreakerState,
    Delivery,
    DeliveryState,
    RetryPolicy,
    settle,
)
from dragoman.domain.errors import DragomanError, NotYet, Permanent
from dragoman.flow.kit import Kit


class Target:
    """A desk, fleet or feed as the courier meets it. breaker: whether calls may go out."""

    def __init__(self, kit: Kit, name: str, retry: RetryPolicy) -> None:
        self.name = name
        usual = Breaker()
        longest = min(usual.cap_s, retry.cap_s)  # no longer than a single delivery would wait
        self.breaker = Breaker(pause_s=min(usual.pause_s, longest), cap_s=longest)
        self._kit = kit
        self._retry = retry

    def current(self, delivery: Delivery) -> Delivery | None:
        """The delivery as it is now; None if it was withdrawn or dropped meanwhile."""
        return self._kit.site.lanes.get((self.name, delivery.lane), {}).get(delivery.id)

    def limit(self, concurrency: int) -> int:
        """How many calls may be out: one while the breaker tries."""
        return concurrency if self.breaker.state is BreakerState.CLOSED else 1

    def trying(self) -> None:
        """A call is about to go out."""
        self.breaker = self.breaker.trying()

    def untried(self) -> None:
        """No call was made after all: let the next one through."""
        if self.breaker.state is BreakerState.HALF_OPEN:
            self.breaker = self.breaker.untried()

    def answered(self) -> tuple[Entry, ...]:
        """The target answered, be it with a refusal for good."""
        resumed = self.breaker.opens > 0
        if self.breaker.failures or resumed:
            self.breaker = self.breaker.succeeded()
        return (self._note("target.resumed", f"{self.name} answers again."),) if resumed else ()

    def failed(self, delivery: Delivery, error: DragomanError, now: datetime) -> Change:
        """The attempt failed: queued again or a dead letter, and perhaps a pause for the target."""
        notes: list[Entry] = []
        if isinstance(error, Permanent | NotYet):
            notes.extend(self.answered())
        else:
            was = self.breaker.state
            self.breaker = self.breaker.failed(error, now)
            if self.breaker.state is BreakerState.OPEN and was is BreakerState.CLOSED:
                notes.append(self._note("target.paused", f"{self.name} is paused: {error}"))
        current = self.current(delivery)
        if current is None:
            return Change(entries=tuple(notes))
        settled = settle(current, error, now, self._retry, self._kit.clock.random())
        if settled.state is DeliveryState.DEAD:
            text = f"{self.name} refuses {delivery.verb}: {error}"
            notes.append(self._note("delivery.dead", text, delivery))
        elif delivery.attempts == 0:
            text = f"{delivery.verb} to {self.name} will be tried again: {error}"
            notes.append(self._note("delivery.delayed", text, delivery))
        return Change(deliveries=(settled,), entries=tuple(notes))

    def _note(self, action: str, text: str, delivery: Delivery | None = None) -> Entry:
        return Entry(
            action=action,
            at=self._kit.clock.now(),
            text=text[:2000],
            case_id=delivery.case_id if delivery else "",
            order_id=delivery.order_id if delivery else "",
            trace_id=delivery.trace_id if delivery else "",
            data={"target": self.name, "delivery": delivery.id if delivery else ""},
        )
