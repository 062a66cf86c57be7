"""A VDA 5050 2.0 or 2.1 vehicle as a pure state machine: events and the time in, messages out.

`Robot` (robot.py) drives one over real MQTT; deterministic simulators drive many without a
network. Every method takes `now` (aware, UTC) and returns the messages to publish, in order. The
caller calls `advance` when `next_due` says so.
"""

from collections import deque
from datetime import datetime, timedelta

from dragoman.testing.robots import wire
from dragoman.testing.robots.body import Body
from dragoman.testing.robots.instant import perform
from dragoman.testing.robots.ledger import Ledger, Witness
from dragoman.testing.robots.messages import Outgoing, error
from dragoman.testing.robots.misbehaviour import BEHAVED, Garbage, Misbehaviour
from dragoman.testing.robots.profile import VehicleProfile
from dragoman.testing.robots.voice import Voice


class Vehicle:
    """One vehicle. ledger: what it really did, whatever it says. While it is offline it goes on
    with its order and says nothing (6.2)."""

    def __init__(
        self,
        profile: VehicleProfile,
        now: datetime,
        *,
        misbehaviour: Misbehaviour = BEHAVED,
        witness: Witness | None = None,
    ) -> None:
        self.profile = profile
        self.ledger = Ledger(profile.robot_id, witness)
        self._body = Body(profile, misbehaviour, self.ledger, now)
        self._voice = Voice(self._body, now)
        self._slow: deque[tuple[datetime, wire.Order]] = deque()
        self._unread: list[tuple[str, bytes]] = []

    @property
    def misbehaviour(self) -> Misbehaviour:
        """The present switches."""
        return self._body.misbehaviour

    def will(self, now: datetime) -> Outgoing:
        """The last will to connect with; its headerId and timestamp are stale by nature (6.14)."""
        return self._voice.compose("connection", {"connectionState": "CONNECTIONBROKEN"}, now)

    def connected(self, now: datetime) -> list[Outgoing]:
        """The connection to the broker is up and the topics are subscribed."""
        self._voice.online = True
        if self.misbehaviour.frozen:
            self._unread.append(("connected", b""))
            return []
        return [*self._voice.connection("ONLINE", now), *self._voice.state(now)]

    def disconnected(self) -> None:
        """The connection is lost."""
        self._voice.online = False

    def stopping(self, now: datetime) -> list[Outgoing]:
        """About to say goodbye to the broker."""
        messages = self._voice.connection("OFFLINE", now)
        self._voice.online = False
        return messages

    def received(self, kind: str, payload: bytes, now: datetime) -> list[Outgoing]:
        """A message came on the topic `order` or `instantActions`."""
        if self.misbehaviour.frozen:
            self._unread.append((kind, payload))
            return []
        messages = self.advance(now)
        try:
            heard = wire.read(kind, payload)
        except wire.Unreadable as reason:
            self._body.report_error(error("validationError", str(reason), reason.references))
            return [*messages, *self._voice.state(now)]
        if isinstance(heard, wire.InstantActions):
            return [*messages, *self._perform(heard, now)]
        if self.misbehaviour.slow_acceptance_s:
            delay = timedelta(seconds=self.misbehaviour.slow_acceptance_s)
            self._slow.append((now + delay, heard))
        elif self._body.take(heard, now):
            messages += self._voice.state(now)
        return messages

    def advance(self, now: datetime) -> list[Outgoing]:
        """Do everything that is due by `now`."""
        if self.misbehaviour.frozen:
            return []
        messages: list[Outgoing] = []
        while (due := self._due()) is not None and due <= now:
            while self._due() == due:  # what happens at one time is told at once
                if self._slow and self._slow[0][0] <= due:
                    self._body.take(self._slow.popleft()[1], due)
                else:
                    self._body.advance(due)
            messages += self._voice.state(now)
        if now >= self._voice.said_at + _interval(self):
            messages += self._voice.state(now)
        return messages

    def next_due(self) -> datetime | None:
        """When to call `advance`; None while frozen."""
        if self.misbehaviour.frozen:
            return None
        report = self._voice.said_at + _interval(self)
        due = self._due()
        return report if due is None else min(due, report)

    def misbehave(self, misbehaviour: Misbehaviour, now: datetime) -> list[Outgoing]:
        """Set all switches anew; a thawed vehicle first does what it slept through."""
        messages = self.advance(now)
        self._body.obey(misbehaviour, now)
        if misbehaviour.frozen:
            return messages
        unread, self._unread = self._unread, []
        for kind, payload in unread:
            resumed = kind == "connected"
            messages += self.connected(now) if resumed else self.received(kind, payload, now)
        return [*messages, *self.advance(now), *self._voice.state(now)]

    def reboot(self, now: datetime) -> None:
        """Restart: order and counters are gone. The caller connects anew (`connected`)."""
        self._body.forget(now)
        self._voice.reset()
        self._slow.clear()
        self._unread.clear()

    def garbage(self, kind: Garbage, now: datetime) -> list[Outgoing]:
        """Publish one piece of garbage on the state topic."""
        return self._voice.garbage(kind, now)

    def _perform(self, message: wire.InstantActions, now: datetime) -> list[Outgoing]:
        sheets: list[Outgoing] = []
        for action in message.actions:
            perform(action, self._body, now)
            if action.action_type == "factsheetRequest" and self.profile.version != "2.0.0":
                sheets += self._voice.factsheet(now)
        return [*sheets, *self._voice.state(now)]

    def _due(self) -> datetime | None:
        """When the body or a slow order is due."""
        due = self._body.next_due()
        if not self._slow:
            return due
        slow = self._slow[0][0]
        return slow if due is None or slow < due else due


def _interval(vehicle: Vehicle) -> timedelta:
    hertz = vehicle.misbehaviour.flood_hz
    return timedelta(seconds=1 / hertz if hertz else vehicle.profile.state_interval_s)
