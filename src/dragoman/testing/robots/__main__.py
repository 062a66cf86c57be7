"""Simulated vehicles in a process of their own: `python -m dragoman.testing.robots --help`.

Fault, demo and benchmark runs start it beside the gateway. It prints one line of JSON when all
robots are online, then one for each control line on its standard input (control.py), and ends
when that closes or on SIGTERM. The report file is written as things happen, so that a kill loses
nothing that was written (`load_report` in ledger.py reads it).
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

import structlog
import uvloop
from pydantic import SecretStr

from dragoman.domain.errors import DragomanError
from dragoman.testing.robots.control import obey
from dragoman.testing.robots.fleet import RobotFleet, make_profiles
from dragoman.testing.robots.ledger import Acknowledgement, Execution, Witness, to_line
from dragoman.testing.robots.profile import Pose, VehicleProfile
from dragoman.transport.mqtt import MqttSettings


def main(arguments: list[str] | None = None) -> int:
    """Run the fleet; return the exit code: 0 well ended, 1 no broker, 2 wrong arguments."""
    options = _parser().parse_args(arguments)
    structlog.configure(  # the answers have the standard output for themselves
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        uvloop.run(_run(options))
    except DragomanError as error:
        _print({"error": str(error)})
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dragoman.testing.robots",
        description="Simulated VDA 5050 vehicles; docs/reference/simulated-robots.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--broker", required=True, help="mqtt://host:port or mqtts://host:port")
    add("--username", help="at the broker")
    add("--password-variable", help="name of the environment variable that holds the password")
    add("--count", type=int, default=20, help="how many robots")
    add("--seed", type=int, default=1, help="places, charges")
    add("--report", type=Path, help="file for what the robots did, JSON lines")
    add("--manufacturer", default="dragoman", help="of all robots")
    add("--prefix", default="robot-", help="serials are the prefix and a number")
    add(
        "--versions",
        nargs="+",
        default=["2.0.0", "2.1.0"],
        choices=["2.0.0", "2.1.0"],
        help="of VDA 5050, in turn",
    )
    add("--map", default="hall", help="mapId; that of the places in dragoman.toml")
    add("--speed", type=float, default=1.5, help="metres a second")
    add("--action-s", type=float, default=2.0, help="seconds an action takes")
    add("--time-scale", type=float, default=1.0, help="10: ten times faster than real")
    add("--deadline-s", type=float, default=30.0, help="seconds for all to connect")
    add("--state-interval-s", type=float, default=30.0, help="seconds between states")
    return parser


async def _run(options: argparse.Namespace) -> None:
    base = VehicleProfile(
        serial=options.prefix,
        manufacturer=options.manufacturer,
        pose=Pose(map_id=options.map),
        speed_mps=options.speed,
        action_s=options.action_s,
        time_scale=options.time_scale,
        state_interval_s=options.state_interval_s,
    )
    profiles = make_profiles(options.count, seed=options.seed, base=base, versions=options.versions)
    variable = options.password_variable
    settings = MqttSettings.from_url(
        options.broker,
        username=options.username,
        password=SecretStr(os.environ[variable]) if variable else None,
    )
    report = None if options.report is None else options.report.open("a", encoding="utf-8")
    fleet = RobotFleet(settings, profiles, witness=None if report is None else _writer(report))
    try:
        await fleet.start(deadline_s=options.deadline_s)
        _print({"ready": options.count, "robots": [p.robot_id for p in profiles]})
        await _serve(fleet)
        await fleet.stop()
    finally:
        if report is not None:
            report.close()


def _writer(report: TextIO) -> Witness:
    """Write each record as one line at once."""

    def write(record: Execution | Acknowledgement) -> None:
        report.write(to_line(record) + "\n")
        report.flush()

    return write


async def _serve(fleet: RobotFleet) -> None:
    """Obey control lines until the input closes or SIGTERM or SIGINT comes."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lines.feed_eof)
    while line := await lines.readline():
        text = line.decode().strip()
        if not text:
            continue
        try:
            _print(obey(text, fleet))
        except ValueError as error:
            _print({"error": str(error)})


def _print(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201  # the protocol of this program


if __name__ == "__main__":
    sys.exit(main())
