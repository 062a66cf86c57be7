"""The real gateway, in a process that is killed: `python -m tests.faults.killable`.

`--kill-at POINT:N` lets it die at the N-th passage of a point (testing/faults/kill_points.py);
`none` leaves that to others. With `--serve` one process, in which everything is imported, forks a
gateway for each line of its input that names a point, so that hundreds of starts cost little; a
start does all that `dragoman up` does but reading the program. Answers are lines of JSON:
{"pid"} at the start, {"ready"} once it serves, {"died": POINT}, and with --serve
{"ended": pid, "status"}. It lives outside src because only bootstrap may join ports and shims.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

import structlog
import uvloop

from dragoman import bootstrap, plugins
from dragoman.config.load import load
from dragoman.solver import preload
from dragoman.testing.faults.kill_points import KillPoints, Point, die
from dragoman.web.app import create_app
from dragoman.web.server import WebServer
from tests.faults.broken import BROKEN

WATCH_S = 0.5


def main() -> int:
    """Run one gateway, or serve; the exit code is 0 after an orderly end."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.killable")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--kill-at", default="none", help="POINT:N or none")
    parser.add_argument("--broken", choices=sorted(BROKEN), help="break a promise on purpose")
    parser.add_argument("--serve", action="store_true", help="fork a gateway for each line")
    options = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if not options.serve:
        return _gateway(options.config, options.kill_at, options.broken)
    preload()
    for line in sys.stdin:
        _forked(options.config, line.strip(), options.broken)
    return 0


def _forked(config: Path, kill_at: str, broken: str | None) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(_gateway(config, kill_at, broken))
    _, status = os.waitpid(pid, 0)
    _say(ended=pid, status=os.waitstatus_to_exitcode(status))


def _gateway(config: Path, kill_at: str, broken: str | None) -> int:
    points = KillPoints.parse(kill_at, die=_last_word)
    _say(pid=os.getpid())
    try:
        uvloop.run(_run(config, points, broken))
    except Exception:  # noqa: BLE001 (the process ends here, and its harness reads why)
        structlog.get_logger(__name__).exception("The gateway failed.", action="gateway.failed")
        sys.stderr.flush()
        return 1
    return 0


async def _run(path: Path, points: KillPoints, broken: str | None) -> None:
    breaks = BROKEN[broken] if broken else bootstrap.Shims()
    shims = bootstrap.Shims(
        journal=lambda real: points.journal(breaks.journal(real)),
        desk=lambda real: points.desk(breaks.desk(real)),
        fleet=lambda real: points.fleet(breaks.fleet(real)),
    )
    config = load(path, plugins, secrets=True)
    stop, ready = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = WebServer(config.api)
    server.bind()
    async with bootstrap.opened(config, shims=shims) as gateway, asyncio.TaskGroup() as group:
        running = group.create_task(gateway.run(ready.set))
        await ready.wait()
        await server.start(create_app(gateway, config))
        _say(ready=True)
        watch = group.create_task(_end_with_parent(stop))
        await stop.wait()
        await server.stop()
        running.cancel()
        watch.cancel()


async def _end_with_parent(stop: asyncio.Event) -> None:
    """So that a gateway doesn't outlive a test run that was killed itself."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 (the kernel sets no event)
        await asyncio.sleep(WATCH_S)
    stop.set()


def _last_word(point: Point) -> None:
    _say(died=point)
    die(point)


def _say(**answer: object) -> None:
    """One write, so that it is whole or not there when the process is killed."""
    os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
