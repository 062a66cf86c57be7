"""What a desk write costs the gateway in CPU, against a bare HTTP call of the same size.

Run by `python -m bench` and by itself (`python -m bench.desk_writes`); run() takes some 15
seconds. The emulated ServiceNow is a process of its own, so that only our own side is counted.
"""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp

from dragoman.config.secrets import Secret
from dragoman.desks.servicenow import PLUGIN
from dragoman.ports.desk import Desk, DeskWrite
from dragoman.testing.servicenow import Credentials
from dragoman.testing.servicenow.remote import RemoteDesk

WRITES = 1500
PARALLEL = 16
FIELDS = ("number", "short_description", "state", "priority", "location", "opened_at")


class BenchClock:
    """The true time."""

    def now(self) -> datetime:
        """The present time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Real seconds."""
        return time.monotonic()

    def new_id(self) -> str:
        """Not used."""
        return "0" * 26

    def trace_id(self) -> str:
        """Not used."""
        return "0" * 32

    def random(self) -> float:
        """Not used."""
        return 0.5


async def cost(call: Callable[[int], Awaitable[object]], count: int) -> tuple[float, float]:
    """(µs of our CPU per call, calls per second) with PARALLEL calls at once."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await call(number)

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(PARALLEL)))
    seconds, busy = time.perf_counter() - started, time.process_time() - cpu
    return busy / count * 1e6, count / seconds


def connect(url: str, password: str, fields: tuple[str, ...]) -> Desk:
    """The adapter, asking for these fields."""
    settings = PLUGIN.settings.model_validate(
        {
            "url": url,
            "auth": {"type": "basic", "username": "dragoman", "password": Secret.of(password)},
            "fields": fields,
            "connections": PARALLEL,
        }
    )
    return PLUGIN.connect("bench", settings, BenchClock())


async def measure() -> dict[str, float]:
    """Figures of one run."""
    credentials = Credentials()
    figures: dict[str, float] = {}
    async with await RemoteDesk.start(credentials=credentials) as remote:
        ids = [(await remote.open_case(short_description=f"b{i}"))["sys_id"] for i in range(50)]
        pair = base64.b64encode(f"dragoman:{credentials.password}".encode()).decode()
        async with aiohttp.ClientSession(headers={"Authorization": f"Basic {pair}"}) as bare:

            async def patch(number: int) -> None:
                url = f"{remote.url}/api/now/table/incident/{ids[number % len(ids)]}"
                params = {"sysparm_fields": "sys_id,state"}
                async with bare.patch(url, params=params, json={"state": "2"}) as answer:
                    await answer.json()

            figures["bare_us"], figures["bare_per_s"] = await cost(patch, WRITES)
        for name, fields in (("few_fields", FIELDS), ("all_fields", ())):
            desk = connect(remote.url, credentials.password, fields)

            async def write(number: int, desk: Desk = desk) -> None:
                told = DeskWrite(key=f"k{number}", fields={"state": "2"}, note="leg")
                await desk.write(ids[number % len(ids)], told)

            async def guarded(number: int, desk: Desk = desk) -> None:
                told = DeskWrite(
                    key=f"g{number}", fields={"state": "2"}, expect={"state": ("1", "2")}
                )
                await desk.write(ids[number % len(ids)], told)

            figures[f"{name}_us"], figures[f"{name}_per_s"] = await cost(write, WRITES)
            if name == "few_fields":
                figures["expect_us"], figures["expect_per_s"] = await cost(guarded, WRITES)
            await desk.close()
    figures["write_to_bare"] = figures["few_fields_us"] / figures["bare_us"]
    return {key: round(value, 2) for key, value in figures.items()}


def run() -> dict[str, float]:
    """Figures, for `python -m bench`."""
    return asyncio.run(measure())


if __name__ == "__main__":
    json.dump(run(), sys.stdout, indent=2)
    print()
