"""A site to be killed: broker, desk and robots outlive the gateway, which dies and starts again.

Used by test_kill.py. The broker runs in the test's process; the desk, the robots and the gateway
each in one of their own. What happened is asked of the desk's ledger, of the robots' report and of
the journal's file (testing/faults/verdict.py).
"""

import asyncio
import base64
import json
import os
import random
import secrets
import signal
import socket
import statistics
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dragoman.config.model import JOURNAL_FILE
from dragoman.testing.faults.accounts import Journalled, journalled, tickets
from dragoman.testing.faults.verdict import Verdict, verdict
from dragoman.testing.robots.ledger import Execution, load_report
from dragoman.testing.servicenow.remote import RemoteDesk
from dragoman.transport.broker import EmbeddedBroker

PASSWORD, HOOK = "DRAGOMAN_TEST_DESK_PASSWORD", "DRAGOMAN_TEST_HOOK_SECRET"
DOCKS = 8
OPEN_AT_MOST = 40
CONFIG = """
[site]
name = "kill"
data = "{folder}/data"
[api]
listen = "127.0.0.1:{api}"
[broker]
url = "mqtt://127.0.0.1:{port}"
[desks.snow]
type = "servicenow"
url = "{url}"
auth = {{ type = "basic", username = "dragoman", password = {{ env = "{password}" }} }}
concurrency = 8
poll = {{ enabled = {polled}, min_s = 0.1, max_s = 0.4, requests_per_minute = 3000 }}
webhook = {{ secrets = [{{ env = "{secret}" }}] }}
[desks.snow.read]
kind = {{ const = "inspect" }}
[fleets.agvs]
type = "vda5050"
[missions.inspect]
actions = [{{ type = "inspect", parameters = {{ case = "{{number}}" }} }}]
"""
LOCATION = """
[locations."Dock {n}"]
node = "dock-{n}"
x = {x}
y = 6.0
map = "hall"
"""


@dataclass(slots=True, kw_only=True)
class Deaths:
    """How gateways ended, by point or `at random`, and how long they took to be ready (s)."""

    by_point: Counter[str] = field(default_factory=Counter)
    starts: list[float] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """All of them."""
        return self.by_point.total()

    def told(self) -> str:
        """In a line, for people."""
        points = ", ".join(f"{count} {point}" for point, count in self.by_point.items())
        median, worst = statistics.median(self.starts), max(self.starts)
        return f"{self.kills} kills ({points}); start {median:.2f} s, at worst {worst:.2f} s;"


class Lines:
    """The JSON lines that a process answers."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self._stream = process.stdout

    async def next(self, deadline_s: float) -> dict[str, Any]:
        """The next answer. Raises TimeoutError, or EOFError when the process has ended."""
        async with asyncio.timeout(deadline_s):
            line = await self._stream.readline()
        if not line:
            raise EOFError("the process ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Gateways:
    """Forks gateways one after the other. log: where all of them write."""

    def __init__(self, process: Process, log: Path) -> None:
        self.log = log
        self.deaths = Deaths()
        self.pid = 0
        self._process = process
        self._lines = Lines(process)
        self._begun = 0.0

    @classmethod
    async def start(cls, config: Path, env: dict[str, str], broken: str = "") -> "Gateways":
        """Start the process that forks them."""
        log = config.with_name("gateway.log")
        arguments = ["--broken", broken] if broken else []
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.faults.killable"),
                *("--config", str(config), "--serve", *arguments),
                stdin=PIPE,
                stdout=PIPE,
                stderr=stderr,
                env={**os.environ, **env, "OPENBLAS_NUM_THREADS": "1"},
            )
        return cls(process, log)

    async def live(self, kill_at: str = "none") -> None:
        """Begin a gateway; it may die at any time from now on."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kill_at}\n".encode())
        self._begun = asyncio.get_running_loop().time()
        self.pid = int((await self._lines.next(20.0))["pid"])

    async def ready(self) -> None:
        """It serves. Raises AssertionError if it has ended instead."""
        answer = await self._lines.next(20.0)
        assert answer == {"ready": True}, f"{answer}; see {self.log}"
        self._note_start()

    async def die_within(self, seconds: float) -> None:
        """Wait for its end; after so many seconds kill it."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, self._kill, signal.SIGKILL)
        where = "at random"
        try:
            while "ended" not in (answer := await self._lines.next(seconds + 20.0)):
                where = answer.get("died", where)
                if "ready" in answer:
                    self._note_start()
        finally:
            timer.cancel()
        assert answer["status"] == -signal.SIGKILL, f"it ended by itself; see {self.log}"
        self.deaths.by_point[where] += 1

    async def stop(self) -> None:
        """Let the present gateway end in order."""
        self._kill(signal.SIGTERM)
        while "ended" not in (answer := await self._lines.next(20.0)):
            continue
        assert answer["status"] == 0, f"it ended with {answer}; see {self.log}"

    async def close(self) -> None:
        """End the process that forks, and whatever it forked."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._kill(signal.SIGKILL)
        async with asyncio.timeout(10.0):
            await self._process.wait()

    def _kill(self, number: signal.Signals) -> None:
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
        if number is signal.SIGKILL:
            self.pid = 0

    def _note_start(self) -> None:
        self.deaths.starts.append(asyncio.get_running_loop().time() - self._begun)


class Site:
    """Everything but the gateway, and the questions to the witnesses. polled: else only webhooks
    bring cases."""

    def __init__(self, folder: Path, desk: RemoteDesk, gateways: Gateways, robots: Process) -> None:
        self.desk = desk
        self.polled = True
        self.gateways = gateways
        self._robots = robots
        self._folder = folder
        self._chance = random.Random(1)

    async def open_case(self) -> None:
        """Somebody reports something at one of the docks."""
        dock = f"Dock {self._chance.randint(1, DOCKS)}"
        await self.desk.open_case(short_description="a strange noise", location=dock)

    async def keep_opening(self, every_s: float) -> None:
        """Open cases until cancelled, as long as not too many are open."""
        while True:
            if await self.open_at_desk() < OPEN_AT_MOST:
                await self.open_case()
            await asyncio.sleep(every_s)

    async def open_at_desk(self) -> int:
        """How many cases the desk holds open, but for those of which no gateway ever heard."""
        summary = await self.desk.call("GET", "summary")
        states: dict[str, int] = summary["states"]["incident"]
        unheard: int = 0 if self.polled else summary["webhooks"].get("failed", 0)
        return sum(count for state, count in states.items() if state in {"1", "2", "3"}) - unheard

    def journalled(self) -> Journalled:
        """The journal's file as it is now."""
        return journalled(self._folder / "data" / JOURNAL_FILE)

    async def knows_the_desk(self) -> bool:
        """From now on each case of the desk counts: a poller has its first cursor."""
        return not self.polled or self.journalled().polled

    def executions(self) -> list[Execution]:
        """What the robots did."""
        return load_report(self._folder / "robots.jsonl")[0]

    async def verdict(self) -> Verdict:
        """Judge what is there now."""
        desk = tickets(await self.desk.ledger(), self.desk.credentials.user_name)
        return verdict(desk, self.executions(), self.journalled(), await self._wanted())

    async def at_rest(self) -> bool:
        """Nothing is left to do for the gateway: all is told, and what is open waits for people."""
        journal = self.journalled()
        hooks: dict[str, int] = (await self.desk.call("GET", "summary"))["webhooks"]
        tried = hooks["sent"] == hooks["delivered"] + hooks.get("failed", 0)
        known = await self._wanted() <= journal.cases.keys()
        return tried and known and not journal.working and not journal.unsound

    async def _wanted(self) -> set[str]:
        """The cases that must be known: all, or where nobody polls those answered with 2xx."""
        if self.polled:
            return {record["sys_id"] for record in await self.desk.records()}
        return set(await self.desk.acknowledged())

    async def close(self) -> None:
        """End the robots in order; the rest is ended by who started it."""
        assert self._robots.stdin is not None
        self._robots.stdin.close()
        async with asyncio.timeout(15.0):
            await self._robots.wait()


@asynccontextmanager
async def site(
    folder: Path, *, robots: int, polled: bool = True, broken: str = ""
) -> AsyncIterator[Site]:
    """Broker, desk and robots are up; a gateway can be started."""
    async with AsyncExitStack() as stack:
        broker = EmbeddedBroker(folder / "broker")
        mqtt = await broker.start()
        stack.push_async_callback(broker.stop)
        desk = await stack.enter_async_context(await RemoteDesk.start())
        fleet = await _robots(folder, mqtt.port, robots)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            api = free.getsockname()[1]
        config = folder / "dragoman.toml"
        names = {"folder": folder, "port": mqtt.port, "url": desk.url, "api": api}
        names |= {"password": PASSWORD, "secret": HOOK, "polled": str(polled).lower()}
        docks = [LOCATION.format(n=n, x=2.0 * n) for n in range(1, DOCKS + 1)]
        config.write_text(CONFIG.format(**names) + "".join(docks))
        env = {PASSWORD: desk.credentials.password, HOOK: new_secret()}
        gateways = await Gateways.start(config, env, broken)
        stack.push_async_callback(gateways.close)
        made = Site(folder, desk, gateways, fleet)
        made.polled = polled
        stack.push_async_callback(made.close)
        hook = f"http://127.0.0.1:{api}/hooks/snow"
        await desk.subscribe(hook, secret=env[HOOK], events=["created"], tables=["incident"])
        assert (await Lines(fleet).next(30.0))["ready"] == robots
        yield made


def new_secret() -> str:
    """A key for webhooks, in the notation of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


async def _robots(folder: Path, port: int, count: int) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragoman.testing.robots"),
        *("--broker", f"mqtt://127.0.0.1:{port}", "--count", str(count)),
        *("--report", str(folder / "robots.jsonl"), "--time-scale", "25"),
        stdin=PIPE,
        stdout=PIPE,
    )


async def until(
    condition: Callable[[], Awaitable[bool]], deadline_s: float, every_s: float = 0.2
) -> bool:
    """Whether an async condition came true in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not await condition():
        if loop.time() > end:
            return False
        await asyncio.sleep(0.2)
    return True
