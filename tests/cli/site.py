"""A whole site for tests of the program: emulated desk, robots, and `dragoman up` as a process."""

import asyncio
import contextlib
import io
import json
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from dragoman.cli.app import run
from dragoman.testing.robots.fleet import RobotFleet, make_profiles
from dragoman.testing.robots.profile import Pose, VehicleProfile
from dragoman.testing.servicenow import ServiceNowDesk
from dragoman.transport.mqtt import MqttSettings

SECRET = "whsec_" + "c2l4dGVlbiBieXRlcyBvciBtb3Jl"
CONFIG = """
[site]
name = "test"
[api]
listen = "127.0.0.1:{api}"
[broker]
listen = "127.0.0.1:{broker}"
[desks.snow]
type = "servicenow"
url = "{url}"
auth = {{ type = "basic", username = "dragoman", password = {{ env = "TEST_DESK_PASSWORD" }} }}
poll = {{ enabled = {poll}, min_s = 0.1, max_s = 0.3, requests_per_minute = 1200 }}
[desks.snow.webhook]
secrets = [{{ env = "TEST_WEBHOOK_SECRET" }}]
[desks.snow.read]
kind = {{ const = "inspect" }}
[fleets.hall]
type = "vda5050"
[missions.inspect]
actions = [{{ type = "inspect", parameters = {{ case = "{{number}}" }} }}]
[locations."Dock 1"]
node = "dock-1"
x = 4.0
y = 4.0
map = "map"
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Site:
    """One folder, one desk, and the gateways that come and go."""

    def __init__(self, folder: Path, desk: ServiceNowDesk, *, poll: bool) -> None:
        self.folder = folder
        self.desk = desk
        self.config = folder / "dragoman.toml"
        self.broker_port = free_port()
        self.api_port = free_port()
        self.env = {
            **os.environ,
            "TEST_DESK_PASSWORD": desk.credentials.password,
            "TEST_WEBHOOK_SECRET": SECRET,
            "OPENBLAS_NUM_THREADS": "1",
        }
        text = CONFIG.format(
            api=self.api_port, broker=self.broker_port, url=desk.url, poll=str(poll).lower()
        )
        self.config.write_text(text, encoding="utf-8")

    @property
    def url(self) -> str:
        """Of the gateway."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def hook(self) -> str:
        """Where the desk's webhooks go."""
        return f"{self.url}/hooks/snow"

    async def up(self) -> Process:
        """Start a gateway and wait until it is ready."""
        log = self.folder / "gateway.log"
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dragoman", "-c", str(self.config), "up", "--json"),
                stdout=PIPE,
                stderr=stderr,
                env=self.env,
            )
        assert process.stdout is not None
        async with asyncio.timeout(20.0):
            line = await process.stdout.readline()
        assert line, log.read_text(encoding="utf-8")
        assert json.loads(line)["ready"] is True
        return process

    async def run(self, *arguments: str) -> tuple[int, str]:
        """A command, in this process to spare its start; its exit code and what it printed."""
        out = io.StringIO()

        def called() -> int:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                return run(["-c", str(self.config), *arguments])

        async with asyncio.timeout(30.0):
            return await asyncio.to_thread(called), out.getvalue()

    async def json(self, *arguments: str) -> Any:
        """What a command that succeeds prints with --json."""
        code, text = await self.run(*arguments, "--json")
        assert code == 0, text
        return json.loads(text)

    @contextlib.asynccontextmanager
    async def robots(self, count: int) -> AsyncIterator[RobotFleet]:
        """Robots at the gateway's own broker."""
        base = VehicleProfile(
            serial="r", pose=Pose(map_id="map"), time_scale=20.0, state_interval_s=2.0
        )
        profiles = make_profiles(count, seed=1, base=base)
        fleet = RobotFleet(MqttSettings(host="127.0.0.1", port=self.broker_port), profiles)
        await fleet.start(deadline_s=20.0)
        try:
            yield fleet
        finally:
            await fleet.stop()


@contextlib.asynccontextmanager
async def site(folder: Path, *, poll: bool = True) -> AsyncIterator[Site]:
    """A site whose desk runs."""
    async with ServiceNowDesk() as desk:
        yield Site(folder, desk, poll=poll)
