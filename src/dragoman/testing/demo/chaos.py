"""What `dragoman demo --chaos` does to its own site, at times that the seed sets.

Started by `run` beside the opening of cases. The gateway is killed three times, the broker is
killed once and away for a while once, the desk refuses and resets, and three robots misbehave:
one rejects, one freezes and thaws, one repeats and swaps its messages and then restarts at work.
They are the ones that get most work, so that it matters. The gateway is told of nothing.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dragoman.testing.demo.children import Gateway, Robots
from dragoman.testing.demo.scene import Options
from dragoman.testing.demo.watch import Watch
from dragoman.testing.servicenow.remote import RemoteDesk
from dragoman.transport.broker import EmbeddedBroker

AT_WORK_WITHIN_S = 4.0
AWAY_S = 2.0
APART_S = 1.0
"""Between two disturbances, also where the machine is slow and the plan is late."""
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
        self._taken: list[str] = []
        self._muddled = ""
        self._thawing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Do it all, in order; raises what a part of the site raises that can't be started."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        plan: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (2.0, self._reject),
            (3.0, self._muddle),
            (4.0, self._kill_gateway),
            (8.0, self._freeze),
            (9.0, self._refuse),
            (11.0, self._kill_broker),
            (13.0, self._kill_gateway),
            (16.0, self._reset),
            (17.0, self._restart_at_work),
            (19.0, self._broker_away),
            (22.0, self._kill_gateway),
        ]
        for at, disturb in plan:
            due = begun + at + self._rng.uniform(-0.4, 0.4)
            await asyncio.sleep(max(APART_S, due - loop.time()))
            await disturb()
        if self._thawing is not None:
            await self._thawing
        await self._on.robots.tell("behave *")
        self._on.say("chaos: over, everything works again")

    async def _misbehave(self, robot: str, switches: str) -> None:
        await self._on.robots.tell(f"misbehave {robot} {switches}")
        self._on.say(f"chaos: {robot} misbehaves from now on: {switches}")

    async def _reject(self) -> None:
        await self._misbehave(self._pick(), "reject=orderError rejects=4")

    async def _muddle(self) -> None:
        self._muddled = self._pick()
        await self._misbehave(self._muddled, "duplicate reorder")

    async def _freeze(self) -> None:
        robot = self._pick()
        await self._until_at_work(robot)
        await self._misbehave(robot, "frozen")
        self._thawing = asyncio.create_task(self._thaw(robot), name="thaw")

    async def _thaw(self, robot: str) -> None:
        await asyncio.sleep(FROZEN_S)
        await self._on.robots.tell(f"misbehave {robot} frozen=false")
        self._on.say(f"chaos: {robot} thaws")

    async def _restart_at_work(self) -> None:
        """It forgets its order; whether it had done it, a person has to look."""
        robot = self._muddled or self._pick()
        await self._until_at_work(robot)
        await self._on.robots.tell(f"reboot {robot} 1.0")
        self._on.say(f"chaos: {robot} restarts and forgets everything")

    def _pick(self) -> str:
        """The robot that got most work so far, and isn't misbehaving yet."""
        begun = Counter(e.robot_id.rpartition("/")[2] for e in self._on.watch.executions())
        names = [name for name in self._on.robots.names if name not in self._taken]
        chosen = max(names or self._on.robots.names, key=lambda name: (begun[name], name))
        self._taken.append(chosen)
        return chosen

    async def _until_at_work(self, robot: str) -> None:
        """Wait until it works on an order, but not for ever."""
        loop = asyncio.get_running_loop()
        until = loop.time() + AT_WORK_WITHIN_S
        while f"dragoman/{robot}" not in self._on.watch.busy() and loop.time() < until:
            await asyncio.sleep(0.05)
            await self._on.watch.look()

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
