"""What `dragoman demo --chaos` does to its own site, at times that the seed sets.

Started by `run` beside the opening of cases. The gateway is killed three times, the broker is
killed once and away for a while once, the desk refuses and resets, and three robots misbehave:
one rejects, one freezes and thaws, one repeats and swaps its messages and then restarts. No
disturbance is told to the gateway.
"""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dragoman.testing.demo.children import Gateway, Robots
from dragoman.testing.demo.scene import Options
from dragoman.testing.demo.watch import Watch
from dragoman.testing.servicenow.remote import RemoteDesk
from dragoman.transport.broker import EmbeddedBroker

IDLE_WITHIN_S = 10.0
AWAY_S = 2.0
FROZEN_S = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What can be disturbed. say: tells the screen, in a sentence."""

    gateway: Gateway
    broker: EmbeddedBroker
    robots: Robots
    desk: RemoteDesk
    watch: Watch
    say: Callable[[str], None]


class Chaos:
    """One run of disturbances; `run` returns when all of them are over and mended."""

    def __init__(self, targets: Targets, options: Options) -> None:
        self._on = targets
        self._rng = random.Random(options.seed + 1000)  # noqa: S311  # a scene to repeat
        self.done = 0

    async def run(self) -> None:
        """Do it all, in order; raises what a part of the site raises that can't be started."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        names = self._on.robots.names
        trio = self._rng.sample(names, min(3, len(names)))
        rejecting, freezing, muddled = trio[0], trio[1 % len(trio)], trio[2 % len(trio)]
        plan: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (1.0, lambda: self._misbehave(rejecting, "reject=orderError rejects=4")),
            (2.0, lambda: self._misbehave(muddled, "duplicate reorder")),
            (4.0, self._kill_gateway),
            (8.0, lambda: self._freeze(freezing)),
            (9.0, self._refuse),
            (11.0, self._kill_broker),
            (13.0, self._kill_gateway),
            (16.0, self._reset),
            (17.0, lambda: self._restart_idle(muddled)),
            (19.0, self._broker_away),
            (22.0, self._kill_gateway),
        ]
        for at, disturb in plan:
            due = begun + at + self._rng.uniform(-0.4, 0.4)
            await asyncio.sleep(max(0.0, due - loop.time()))
            await disturb()
            self.done += 1
        await self._on.robots.tell("behave *")
        self._on.say("chaos: over, everything works again")

    async def _misbehave(self, robot: str, switches: str) -> None:
        await self._on.robots.tell(f"misbehave {robot} {switches}")
        self._on.say(f"chaos: {robot} misbehaves from now on: {switches}")

    async def _freeze(self, robot: str) -> None:
        await self._misbehave(robot, "frozen")

        def thaw() -> None:
            self._thawing = asyncio.ensure_future(self._thaw(robot))

        asyncio.get_running_loop().call_later(FROZEN_S, thaw)

    async def _thaw(self, robot: str) -> None:
        await self._on.robots.tell(f"misbehave {robot} frozen=false")
        self._on.say(f"chaos: {robot} thaws")

    async def _restart_idle(self, robot: str) -> None:
        """One that restarts at work would leave its case to a person, rightly; so when idle."""
        loop = asyncio.get_running_loop()
        until = loop.time() + IDLE_WITHIN_S
        await self._on.watch.look()
        while f"dragoman/{robot}" in self._on.watch.busy() and loop.time() < until:
            await asyncio.sleep(0.05)
            await self._on.watch.look()
        await self._on.robots.tell(f"reboot {robot} 1.0")
        self._on.say(f"chaos: {robot} restarts and forgets everything")

    async def _kill_gateway(self) -> None:
        await self._on.gateway.kill()
        self._on.say(f"chaos: the gateway is killed (SIGKILL, {self._on.gateway.kills} of 3)")
        await self._on.gateway.start()
        self._on.say("chaos: the gateway is up again, from its journal")

    async def _kill_broker(self) -> None:
        if self._on.broker.pid is not None:
            os.kill(self._on.broker.pid, signal.SIGKILL)
        self._on.say("chaos: the broker is killed; its supervisor starts it again")

    async def _broker_away(self) -> None:
        await self._on.broker.stop()
        self._on.say(f"chaos: the broker is away for {AWAY_S:.0f} s")
        await asyncio.sleep(AWAY_S)
        await self._on.broker.start()
        self._on.say("chaos: the broker is back")

    async def _refuse(self) -> None:
        await self._on.desk.add_fault("rate_limit", calls=6, seconds=1)
        self._on.say("chaos: the desk answers 429 to the next 6 calls")

    async def _reset(self) -> None:
        await self._on.desk.add_fault("reset", calls=4, methods=["PATCH"], after_commit=True)
        self._on.say("chaos: the desk commits 4 writes and resets the connection before answering")
