"""The embedded broker: private, supervised, and gone when its gateway is gone."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop
from pydantic import SecretStr

from dragoman.domain.errors import NeedsHuman, RetryLater
from dragoman.testing.tls import TestAuthority
from dragoman.transport.broker import BrokerTls, EmbeddedBroker
from dragoman.transport.mqtt import Message, MqttClient, MqttSettings
from dragoman.transport.tls import TlsSettings
from tests.adapters.transport.brokers import PASSWORD, USER, Nats, eventually
from tests.adapters.transport.conftest import MakeClient

GATEWAY = """
import asyncio, sys
from pathlib import Path
from dragoman.transport.broker import EmbeddedBroker

async def main():
    broker = EmbeddedBroker(Path(sys.argv[1]), port=int(sys.argv[2]))
    await broker.start()
    print(broker.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def runs(pid: int) -> bool:
    """Whether the process lives; one that waits to be reaped doesn't."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def listening_addresses(port: int) -> set[str]:
    """As /proc/net/tcp writes them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        row[1].partition(":")[0]
        for row in rows
        if row[3] == "0A" and int(row[1].partition(":")[2], 16) == port
    }


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def gateway(store: Path, port: int) -> tuple[asyncio.subprocess.Process, int]:
    """A process with an embedded broker, and the broker's pid."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", GATEWAY, str(store), str(port)), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    return process, int(await process.stdout.readline())


async def test_it_answers_on_the_loopback_interface_only(nats: Nats) -> None:
    assert nats.embedded is not None
    assert nats.settings.host == "127.0.0.1"
    assert listening_addresses(nats.settings.port) == {"0100007F"}


async def test_no_password_is_written_anywhere(nats: Nats, tmp_path: Path) -> None:
    assert nats.embedded is not None
    files = files_in(tmp_path)
    config = tmp_path / "nats" / "nats-server.conf"
    assert config in files
    assert config.stat().st_mode & 0o777 == 0o600
    assert config.parent.stat().st_mode & 0o777 == 0o700
    secrets = [PASSWORD.encode(), PASSWORD.replace("\\", "\\\\").replace('"', '\\"').encode()]
    for path in [*files, Path(f"/proc/{nats.embedded.pid}/cmdline")]:
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path
    assert PASSWORD not in repr(nats.settings)


async def test_without_a_name_nobody_gets_in(nats: Nats, client: MakeClient) -> None:
    anonymous = MqttSettings(host="127.0.0.1", port=nats.settings.port)
    with pytest.raises(NeedsHuman, match="user name"):
        await client(anonymous).start()


async def test_without_users_anyone_on_the_machine_may_connect(
    tmp_path: Path, client: MakeClient
) -> None:
    broker = EmbeddedBroker(tmp_path)
    settings = await broker.start()
    try:
        assert settings.username is None
        await client(settings).start()
    finally:
        await broker.stop()


async def test_it_is_started_again_when_it_dies(tmp_path: Path, client: MakeClient) -> None:
    told: list[bool] = []
    got: list[Message] = []
    broker = EmbeddedBroker(tmp_path, on_running=told.append)
    one = client(await broker.start())
    one.subscribe("s/#", got.append, qos=1)
    await one.start()
    await one.publish("s/kept", b"retained", qos=1, retain=True)
    await eventually(lambda: got)
    first = broker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: told == [False, True] and one.connected)
    assert broker.pid not in (None, first)
    await eventually(lambda: len(got) == 2)
    assert got[1] == Message("s/kept", b"retained", 1, True)
    await broker.stop()
    assert told == [False, True]
    assert broker.pid is None


async def test_it_dies_with_its_gateway(tmp_path: Path) -> None:
    process, pid = await gateway(tmp_path, 0)
    assert runs(pid)
    process.kill()
    await process.wait()
    await eventually(lambda: not runs(pid))


async def test_an_orphan_is_replaced_on_the_same_port(tmp_path: Path, client: MakeClient) -> None:
    """Frozen, it can't even follow the signal that the kernel sends when its gateway dies."""
    port = free_port()
    process, pid = await gateway(tmp_path, port)
    os.kill(pid, signal.SIGSTOP)
    process.kill()
    await process.wait()
    assert runs(pid)
    broker = EmbeddedBroker(tmp_path, port=port)
    settings = await broker.start(deadline_s=8)
    try:
        assert not runs(pid)
        assert broker.pid != pid
        await client(settings).start()
    finally:
        await broker.stop()


async def test_a_store_in_use_is_left_alone(nats: Nats, tmp_path: Path, client: MakeClient) -> None:
    with pytest.raises(NeedsHuman, match="another running gateway"):
        await EmbeddedBroker(tmp_path / "nats").start()
    await client(nats.settings).start()


async def test_a_port_in_use(nats: Nats, tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match="can't listen") as refused:
        await EmbeddedBroker(tmp_path / "other", port=nats.settings.port).start()
    assert refused.value.field == "port"


async def test_its_last_words_are_told_when_it_refuses_to_run(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    broker = EmbeddedBroker(
        tmp_path / "s", tls=BrokerTls(cert_file=missing, key_file=missing, ca_file=missing)
    )
    with pytest.raises(NeedsHuman, match=r"missing\.pem"):
        await broker.start()
    assert broker.pid is None


@pytest.mark.parametrize(
    ("name", "password"), [("", "x"), ("x", ""), ("x", "$2a$notplain"), ("x\n", "x"), ("x", "\t")]
)
async def test_users_that_it_would_misread(tmp_path: Path, name: str, password: str) -> None:
    broker = EmbeddedBroker(tmp_path, users={name: SecretStr(password)})
    with pytest.raises(NeedsHuman):
        await broker.start()


@pytest.mark.parametrize("password", ["12345", "1e9", "true", "8MB", "%s{}[]#;:'`", "héé ✓"])
async def test_passwords_are_taken_literally(
    tmp_path: Path, client: MakeClient, password: str
) -> None:
    broker = EmbeddedBroker(tmp_path, users={USER: SecretStr(password)})
    settings = await broker.start()
    try:
        await client(settings).start()
    finally:
        await broker.stop()


async def test_a_frozen_broker_is_stopped_all_the_same(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    await broker.start()
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await broker.stop(deadline_s=0.2)
    assert not runs(pid)
    await broker.start()  # and the store can be used again
    await broker.stop()
    await broker.stop()


async def test_tls_is_verified(tmp_path: Path, client: MakeClient) -> None:
    (tmp_path / "ca").mkdir()
    (tmp_path / "stranger").mkdir()
    authority = TestAuthority(tmp_path / "ca", datetime.now(UTC))
    stranger = TestAuthority(tmp_path / "stranger", datetime.now(UTC))
    issued = authority.issue()
    broker = Nats(
        tmp_path / "nats",
        BrokerTls(cert_file=issued.certificate, key_file=issued.key, ca_file=authority.bundle),
    )
    await broker.start()
    good = broker.settings
    try:
        await client(good).start()
        for tls, reason in (
            (TlsSettings(ca_file=stranger.bundle), "isn't trusted.*tls.ca_file"),
            (TlsSettings(), "isn't trusted.*tls.ca_file"),
            (TlsSettings(ca_file=tmp_path / "none.pem"), "can't be used.*none.pem"),
            (TlsSettings(ca_file=issued.key), "can't be used"),
        ):
            with pytest.raises(NeedsHuman, match=reason):
                await client(replace(good, tls=tls)).start()
        with pytest.raises(RetryLater):
            await client(replace(good, tls=None)).start(deadline_s=0.3)
    finally:
        await broker.kill()


async def test_a_fleet_of_subscriptions_at_qos_1(tmp_path: Path, client: MakeClient) -> None:
    """1,200 of them on one broker, where its defaults would refuse the thousandth; and the
    sixty-fourth of one client is refused aloud."""
    refused: list[str] = []
    got: list[str] = []
    broker = EmbeddedBroker(tmp_path)
    settings = await broker.start()
    robots = [
        client(settings, on_error=lambda name, error: refused.append(f"{name} {error}"))
        for _ in range(20)
    ]
    try:
        await asyncio.gather(*(robot.start() for robot in robots))
        for number, robot in enumerate(robots):
            for order in range(60):
                robot.subscribe(f"{number}/{order}", lambda m: got.append(m.topic), qos=1)
        await asyncio.gather(*(robot.subscribed(deadline_s=30) for robot in robots))
        assert refused == []
        topics = [f"{number}/{order}" for number in range(20) for order in range(0, 60, 10)]
        await asyncio.gather(
            *(robots[0].publish(topic, b"", qos=1, deadline_s=30) for topic in topics)
        )
        await eventually(lambda: len(got) == len(topics))
        assert sorted(got) == sorted(topics)
        for order in range(60, 64):
            robots[0].subscribe(f"0/{order}", lambda m: None, qos=1)
        await robots[0].subscribed(deadline_s=30)
        assert len(refused) == 1
        assert refused[0].startswith("0/63 ")
    finally:
        await broker.stop()


def test_broker_and_client_on_uvloop(tmp_path: Path) -> None:
    """The loop that the gateway runs on."""
    got: list[bytes] = []

    async def scenario(broker: EmbeddedBroker, one: MqttClient) -> None:
        one.subscribe("u", lambda message: got.append(message.payload), qos=1)
        await one.start()
        await one.publish("u", bytes(3_000_000), qos=1)
        await eventually(lambda: got)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)
        await eventually(lambda: not one.connected)
        await eventually(lambda: one.connected)
        await one.publish("u", b"again", qos=1)
        await eventually(lambda: len(got) == 2)

    async def main() -> None:
        broker = EmbeddedBroker(tmp_path)
        one = MqttClient(await broker.start(), client_id="one")
        try:
            await scenario(broker, one)
        finally:
            await one.stop()
            await broker.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    assert got == [bytes(3_000_000), b"again"]
