"""A whole site in its own processes, as `dragoman demo` runs it, with 200 robots.

The limit in the same run is an HTTP round trip on loopback (aiohttp to aiohttp).
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web

CASES, ROBOTS = 400, 200
ECHOES = 500


async def _answer(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="{}")


async def echo_ms() -> float:
    """Mean milliseconds of a round trip."""
    runner = web.ServerRunner(web.Server(_answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with aiohttp.ClientSession() as session:
        start = time.perf_counter()
        for _ in range(ECHOES):
            async with session.post(url, data=b"{}") as answer:
                await answer.read()
        spent = time.perf_counter() - start
    await runner.cleanup()
    return spent / ECHOES * 1e3


def run() -> dict[str, float]:
    """Acquisition and status latencies, in milliseconds and in loopback round trips."""
    echo = asyncio.run(echo_ms())
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        out = Path(folder) / "out.json"
        command = [sys.executable, "-m", "dragoman", "demo", "--json", str(out)]
        command += ["--cases", str(CASES), "--robots", str(ROBOTS), "--timeout", "240"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
        found = json.loads(out.read_text())
    acquisition, status = found["acquisition_s"], found["status_s"]
    return {
        "closed": float(found["cases"]["closed"]),
        "lost": float(found["cases"]["lost"]),
        "executed_twice": float(found["cases"]["executed_twice"]),
        "echo_ms": echo,
        "acquisition_p50_ms": acquisition["p50"] * 1e3,
        "acquisition_p99_ms": acquisition["p99"] * 1e3,
        "acquisition_p50_per_echo": acquisition["p50"] * 1e3 / echo,
        "acquisition_p99_per_echo": acquisition["p99"] * 1e3 / echo,
        "status_p50_ms": status["p50"] * 1e3,
    }
