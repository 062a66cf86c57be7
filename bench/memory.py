"""What an idle robot costs the gateway's process: 5,000 of them against none.

A whole gateway with its embedded broker. The robots' first messages (connection, factsheet and
states, as the simulated vehicles write them) are published over one connection, since only the
gateway's side is measured.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import psutil
from pydantic import SecretStr

from dragoman.testing.demo import site
from dragoman.testing.demo.children import Gateway
from dragoman.testing.demo.scene import Options
from dragoman.testing.robots.fleet import make_profiles
from dragoman.testing.robots.profile import Pose, VehicleProfile
from dragoman.testing.robots.vehicle import Vehicle
from dragoman.testing.servicenow import Credentials
from dragoman.testing.servicenow.remote import RemoteDesk
from dragoman.transport.mqtt import MqttClient, MqttSettings

ROBOTS = 5_000
ROUNDS = 3
"""How often each says its state again: the first of all is kept beside the newest."""
INTERVAL_S = 10.0
KNOWN_WITHIN_S = 60.0


async def measure() -> dict[str, float]:
    """Resident bytes a robot."""
    async with AsyncExitStack() as stack:
        root = stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-bench-"))
        folder = site.make(Path(root))
        login = Credentials(user_name="dragoman", password=folder.secret("desk-password"))
        desk = await RemoteDesk.start(fields=site.FIELDS, credentials=login, log=folder.log("desk"))
        stack.push_async_callback(desk.stop)
        site.write_config(folder, Options(), desk.url)
        gateway = Gateway(folder)
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        settings = MqttSettings.from_url(
            f"mqtt://127.0.0.1:{folder.broker_port}",
            username=site.BROKER_USER,
            password=SecretStr(folder.secret("broker-password")),
        )
        client = MqttClient(settings, client_id="bench-robots")
        await client.start()
        stack.push_async_callback(client.stop)
        process = psutil.Process(gateway.pid)
        await _said(client, _vehicles(1, "warm-"))  # what the first of all brings is no robot's
        await _known(folder, 1)
        before = process.memory_info().rss
        await _said(client, _vehicles(ROBOTS, "idle-"))
        await _known(folder, ROBOTS + 1)
        after = process.memory_info().rss
    return {
        "robots": float(ROBOTS),
        "empty_mb": before / 1e6,
        "full_mb": after / 1e6,
        "kb_per_robot": (after - before) / ROBOTS / 1e3,
    }


def _vehicles(count: int, prefix: str) -> Sequence[Vehicle]:
    base = VehicleProfile(serial=prefix, pose=Pose(map_id="hall"), state_interval_s=INTERVAL_S)
    profiles = make_profiles(count, seed=1, base=base, versions=["2.0.0", "2.1.0"])
    since = datetime.now(UTC) - timedelta(seconds=ROUNDS * INTERVAL_S)
    return [Vehicle(profile, since) for profile in profiles]


async def _said(client: MqttClient, vehicles: Sequence[Vehicle]) -> None:
    """Let them come online a while ago, and say their states again until now."""
    since = datetime.now(UTC) - timedelta(seconds=ROUNDS * INTERVAL_S)
    for vehicle in vehicles:
        said = vehicle.connected(since)
        for turn in range(1, ROUNDS + 1):
            said += vehicle.advance(since + timedelta(seconds=turn * INTERVAL_S))
        for one in said:
            await client.publish(one.topic, one.payload, qos=one.qos, retain=one.retain)


async def _known(folder: site.SiteFolder, count: int) -> None:
    """Wait until the gateway has this many robots."""
    headers = {"Authorization": f"Bearer {folder.secret('api-token')}"}
    async with asyncio.timeout(KNOWN_WITHIN_S), aiohttp.ClientSession(headers=headers) as session:
        while True:
            async with session.get(f"{folder.api}/metrics") as answer:
                text = await answer.text()
            known = sum(
                float(line.rpartition(" ")[2])
                for line in text.splitlines()
                if line.startswith("dragoman_robots{")
            )
            if known >= count:
                return
            await asyncio.sleep(0.5)


def run() -> dict[str, float]:
    """Figures of one gateway."""
    return asyncio.run(measure())
