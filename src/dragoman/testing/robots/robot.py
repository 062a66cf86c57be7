"""One simulated vehicle on a real broker: the MQTT shell around the pure `Vehicle`.

It has a connection of its own, with a last will, and speaks over nothing else, so a gateway
can't tell it from a real one. `RobotFleet` (fleet.py) runs many; tests and demos switch its
misbehaviour.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from dragoman.domain.errors import RetryLater
from dragoman.testing.robots.ledger import Witness
from dragoman.testing.robots.line import Line
from dragoman.testing.robots.messages import Outgoing
from dragoman.testing.robots.misbehaviour import BEHAVED, Garbage, Misbehaviour
from dragoman.testing.robots.profile import VehicleProfile
from dragoman.testing.robots.vehicle import Vehicle
from dragoman.transport.mqtt import MqttSettings


def system_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


class Robot:
    """A vehicle and its connection. now: the clock of its messages and of its ledger; unsent:
    messages that were lost because the connection was."""

    def __init__(
        self,
        profile: VehicleProfile,
        settings: MqttSettings,
        *,
        now: Callable[[], datetime] = system_now,
        misbehaviour: Misbehaviour = BEHAVED,
        witness: Witness | None = None,
    ) -> None:
        self.vehicle = Vehicle(profile, now(), misbehaviour=misbehaviour, witness=witness)
        self.unsent = 0
        self._now = now
        self._line = Line(
            profile,
            settings,
            make_will=lambda: self.vehicle.will(now()),
            on_message=self._hear,
            on_connection=self._on_connection,
        )
        self._outbox: asyncio.Queue[Outgoing] = asyncio.Queue()
        self._speaker: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, *, deadline_s: float = 10.0) -> None:
        """Connect and report. Raises RetryLater or NeedsHuman as the MQTT client does."""
        self._speaker = asyncio.create_task(self._speak(), name=self.vehicle.profile.robot_id)
        await self._line.start(deadline_s=deadline_s)

    async def stop(self, *, deadline_s: float = 5.0) -> None:
        """Say OFFLINE and goodbye. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
        self._publish(self.vehicle.stopping(self._now()))
        if self._line.connected:
            try:
                await asyncio.wait_for(self._outbox.join(), deadline_s)
            except TimeoutError:
                self.unsent += self._outbox.qsize()
        if self._speaker is not None:
            self._speaker.cancel()
            await asyncio.gather(self._speaker, return_exceptions=True)
        await self._line.stop(deadline_s=deadline_s)

    def misbehave(self, misbehaviour: Misbehaviour) -> None:
        """Set all switches anew; `BEHAVED` ends all misbehaviour."""
        was_frozen = self.vehicle.misbehaviour.frozen
        self._publish(self.vehicle.misbehave(misbehaviour, self._now()))
        if misbehaviour.frozen is not was_frozen:
            self._line.freeze(misbehaviour.frozen)
        self._schedule()

    def garbage(self, kind: Garbage) -> None:
        """Publish one piece of garbage."""
        self._publish(self.vehicle.garbage(kind, self._now()))

    def reboot(self, *, away_s: float = 0.5) -> None:
        """Lose power: order, errors and counters are gone; back after `away_s`."""
        self.vehicle.reboot(self._now())
        self._line.vanish(away_s=away_s)
        self._schedule()

    def drop_connection(self, *, away_s: float = 0.5) -> None:
        """Lose the connection without a goodbye; connect again after `away_s`."""
        self._line.vanish(away_s=away_s)

    def _on_connection(self, up: bool) -> None:
        if up:
            self._publish(self.vehicle.connected(self._now()))
        else:
            self.vehicle.disconnected()
        self._schedule()

    def _hear(self, kind: str, payload: bytes) -> None:
        self._publish(self.vehicle.received(kind, payload, self._now()))
        self._schedule()

    def _publish(self, messages: list[Outgoing]) -> None:
        for message in messages:
            self._outbox.put_nowait(message)

    async def _speak(self) -> None:
        while True:
            message = await self._outbox.get()
            try:
                await self._line.publish(message)
            except RetryLater:  # a vehicle says it once; its next state tells all again
                self.unsent += 1
            finally:
                self._outbox.task_done()

    def _schedule(self) -> None:
        """Wake up when the vehicle next does something by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.vehicle.next_due()
        if due is not None:
            delay_s = max(0.0, (due - self._now()).total_seconds())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._wake)

    def _wake(self) -> None:
        self._publish(self.vehicle.advance(self._now()))
        self._schedule()
