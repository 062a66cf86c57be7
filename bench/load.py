"""A site under load: webhooks at a given rate, 200 robots, every part in a process of its own.

Two runs. At 100 cases a second the acquisition latency counts: created at the desk → acknowledged
by a robot, by the desk's ledger and the robots' own report. Then cases come as fast as the desk
can open them, and what counts is how many full lifecycles a second come out at the other end
(case in, order out, five robot states, three desk writes). Processor seconds are read from the
operating system for each process. The limit in the same run is an HTTP round trip on loopback.
"""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from bench.site import echo_ms
from dragoman.testing.demo import site
from dragoman.testing.demo.children import Gateway, Robots
from dragoman.testing.demo.figures import Figures, figures, mean, percentile
from dragoman.testing.demo.scene import Options, openings
from dragoman.testing.demo.watch import Watch
from dragoman.testing.faults.accounts import journalled, tickets
from dragoman.testing.faults.verdict import verdict
from dragoman.testing.servicenow import Credentials
from dragoman.testing.servicenow.remote import RemoteDesk

ROBOTS = 200
TIME_SCALE = 40.0
"""A mission takes half a second, so that 200 robots could do 400 a second."""
CLOSED_WITHIN_S = 120.0


async def loaded(cases: int, per_s: float) -> dict[str, float]:
    """Open so many cases at that rate and follow them to their end."""
    options = Options(cases=cases, robots=ROBOTS, intake="webhook")
    async with AsyncExitStack() as stack:
        root = stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-bench-"))
        folder = site.make(Path(root))
        login = Credentials(user_name="dragoman", password=folder.secret("desk-password"))
        desk = await RemoteDesk.start(fields=site.FIELDS, credentials=login, log=folder.log("desk"))
        stack.push_async_callback(desk.stop)
        site.write_config(folder, options, desk.url, time_scale=TIME_SCALE)
        gateway = Gateway(folder)
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        robots = Robots(folder, count=ROBOTS, seed=1, time_scale=TIME_SCALE)
        stack.push_async_callback(robots.stop)
        await robots.start()
        hook = f"{folder.api}/hooks/{site.DESK}"
        secret = folder.secret("webhook-secret")
        await desk.subscribe(hook, secret=secret, skip_users=["dragoman"], tables=["incident"])
        processes = _processes(desk.process.pid, gateway.pid, robots.pid)
        before = _spent(processes)
        await _open(desk, options, per_s)
        watch = Watch(desk, folder.robots_report, "dragoman")
        await _closed(watch, cases)
        after = _spent(processes)
        await gateway.stop()
        await watch.look()
        judged = verdict(
            tickets(watch.ledger, "dragoman"), watch.executions(), journalled(folder.journal)
        )
        found = figures(watch.cases.values(), watch.acknowledged, judged)
    assert not found.problems, found.problems[:5]
    spent = {
        f"{name}_cpu_ms_per_case": (after[name] - before[name]) / cases * 1e3 for name in after
    }
    return {**_told(found, watch), **spent}


async def _open(desk: RemoteDesk, options: Options, per_s: float) -> None:
    """Open-loop: each case at its own time, however long the ones before take."""
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number, opening in enumerate(openings(options)):
            await asyncio.sleep(max(0.0, start + number / per_s - time.monotonic()))
            group.create_task(desk.open_case(**opening.fields))


async def _closed(watch: Watch, cases: int) -> None:
    async with asyncio.timeout(CLOSED_WITHIN_S):
        while True:
            await watch.look()
            if watch.count()["closed"] >= cases:
                return
            await asyncio.sleep(1.0)


def _processes(desk: int, gateway: int, robots: int) -> Mapping[str, psutil.Process]:
    """The processes by name; the broker is the gateway's child."""
    main = psutil.Process(gateway)
    (broker,) = main.children()
    return {
        "gateway": main,
        "broker": broker,
        "desk": psutil.Process(desk),
        "robots": psutil.Process(robots),
    }


def _spent(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Seconds of processor time of each, so far."""
    times = {name: process.cpu_times() for name, process in processes.items()}
    return {name: spent.user + spent.system for name, spent in times.items()}


def _told(found: Figures, watch: Watch) -> dict[str, float]:
    opened = sorted(case.created_at for case in watch.cases.values())
    ends = sorted(case.written[-1][0] for case in watch.cases.values())
    taken = found.acquisition_s
    # Without the first and last tenth, in which the site fills and empties.
    tenth = len(ends) // 10
    span = (ends[-tenth - 1] - ends[tenth]).total_seconds()
    return {
        "opened_per_s": len(opened) / (opened[-1] - opened[0]).total_seconds(),
        "closed_per_s": (len(ends) - 2 * tenth - 1) / span,
        "acquisition_mean_ms": (mean(taken) or 0.0) * 1e3,
        "acquisition_p50_ms": (percentile(taken, 50) or 0.0) * 1e3,
        "acquisition_p99_ms": (percentile(taken, 99) or 0.0) * 1e3,
        "status_p50_ms": (percentile(found.status_s, 50) or 0.0) * 1e3,
        "status_p99_ms": (percentile(found.status_s, 99) or 0.0) * 1e3,
    }


def run() -> dict[str, float]:
    """Figures of both runs, the second ones with `full_` before their names."""
    echo = asyncio.run(echo_ms())
    steady = asyncio.run(loaded(cases=2000, per_s=100.0))
    full = asyncio.run(loaded(cases=3000, per_s=400.0))
    return {
        "echo_ms": echo,
        **steady,
        "acquisition_p50_per_echo": steady["acquisition_p50_ms"] / echo,
        "acquisition_p99_per_echo": steady["acquisition_p99_ms"] / echo,
        **{f"full_{name}": value for name, value in full.items()},
        "full_case_per_echo": 1e3 / full["closed_per_s"] / echo,
    }
