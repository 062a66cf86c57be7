"""`dragoman up` as a process: a case goes to a robot and back; stops, restarts, full disks."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dragoman.cli.exits import Exit
from dragoman.testing.faults.disk import no_room
from tests.cli.site import SECRET, Site, site

pytestmark = pytest.mark.timeout(90)


async def eventually(condition: Callable[[], object], *, within_s: float = 25.0) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while not condition():
        assert loop.time() < until, "it didn't happen within the deadline"
        await asyncio.sleep(0.02)


async def ended(process: asyncio.subprocess.Process) -> int | None:
    async with asyncio.timeout(15.0):
        return await process.wait()


async def listed(here: Site, what: str) -> list[Any]:
    """The items of a list, once there are some."""
    async with asyncio.timeout(20.0):
        while True:
            items: list[Any] = (await here.json(what, "list"))["items"]
            if items:
                return items


def resolved(here: Site, number: str) -> Callable[[], bool]:
    return lambda: here.desk.record(number)["state"] == "6"


async def test_one_case_by_webhook_and_polling_arrives_once(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        here.desk.subscribe(here.hook, secret=SECRET)
        with supervised(here) as supervisor:
            process = await here.up()
            told = {await asyncio.to_thread(supervisor.recv, 100) for _ in range(3)}
            assert told == {b"READY=1", b"WATCHDOG=1"}
        async with here.robots(2) as fleet:
            number = here.desk.open_case(
                short_description="a [red] noise", location="Dock 1", category="inquiry"
            )["number"]
            await eventually(resolved(here, number))
            assert len(fleet.executions()) == 1
        await eventually(lambda: here.desk.webhooks.counts["delivered"])
        (case,) = (await here.json("cases", "list"))["items"]
        assert case["number"] == number
        shown = await traced(here, number)
        token = (tmp_path / "data" / "api-token").read_text().strip()
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == Exit.OK
        assert not (tmp_path / "data" / "api.url").exists()
        await the_journal_answers_alone(here, number, shown)
        no_secret_is_written(tmp_path, (here.desk.credentials.password, SECRET, token))


@contextmanager
def supervised(here: Site) -> Iterator[socket.socket]:
    """A supervisor that wants to hear of the next gateway."""
    address = here.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(address))
        supervisor.settimeout(10.0)
        here.env |= {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "200000"}
        yield supervisor


def no_secret_is_written(folder: Path, secrets: Sequence[str]) -> None:
    for file in (folder / "gateway.log", folder / "data" / "journal.sqlite"):
        content = file.read_bytes()
        assert content
        assert not [secret for secret in secrets if secret.encode() in content]


async def looked_at(here: Site, number: str) -> list[tuple[int, str]]:
    """What the commands that only read say."""
    commands = (
        ("cases", "list", "--state", "closed", "--kind", "inspect"),
        ("cases", "explain", number, "--json"),
        ("robots", "list", "--json"),
        ("deliveries", "list", "--case", number, "--limit", "3", "--json"),
        ("deliveries", "sums"),
        ("trace", number, "--json"),
        ("trace", number),
        ("trace", "INC404"),
    )
    return [await here.run(*command) for command in commands]


async def the_journal_answers_alone(here: Site, number: str, shown: Sequence[Any]) -> None:
    """With the gateway down: the same, with a word about it on stderr, until one has to act."""
    note = "dragoman: gateway not running; read from the journal\n"
    found = await looked_at(here, number)
    assert [(code, text.replace(note, "", 1)) for code, text in found] == shown
    assert all(text.startswith(note) for _, text in found)
    assert [code for code, _ in found] == [*([Exit.OK] * 7), Exit.NOT_FOUND]
    for action in (("cases", "hold", number), ("deliveries", "replay", "--case", number)):
        code, text = await here.run(*action, "--reason", "so")
        assert code == Exit.UNREACHABLE, text
        assert "start it with `dragoman up`" in text
    (here.folder / "data" / "journal.sqlite").rename(here.folder / "away")
    code, text = await here.run("trace", number)
    assert code == Exit.UNREACHABLE, text
    (here.folder / "away").rename(here.folder / "data" / "journal.sqlite")


async def traced(here: Site, number: str) -> list[tuple[int, str]]:
    """One timeline, from the desk to the robot and back, in time's order.

    Gives what all commands that read say, once the robots are away and nothing moves.
    """
    found = await here.json("trace", number)
    steps = found["timeline"]
    actions = [step["action"] for step in steps]
    wanted = ["desk.opened", "case.received", "case.assigned", "case.accepted", "case.done"]
    assert [action for action in actions if action in wanted] == wanted
    assert actions.index("desk.updated") > actions.index("case.received")
    assert actions[-1] == "case.closed"
    assert {step["where"].partition(":")[0] for step in steps} >= {"desk", "gateway", "robot"}
    times = [step["after_s"] for step in steps]
    assert times == sorted(times)
    robot = found["case"]["assignments"][0]["robot_id"]
    code, text = await here.run("trace", number)
    assert code == Exit.OK
    assert robot in text
    assert "a [red] noise" in text
    by_order = await here.json("cases", "show", found["case"]["assignments"][0]["order_id"])
    assert by_order["number"] == number
    assert (await here.json("cases", "explain", number))["items"][0]["robot_id"] == robot
    return await looked_at(here, number)


async def test_a_restart_resumes(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        first = await here.up()
        number = here.desk.open_case(location="Dock 1")["number"]
        await listed(here, "cases")
        first.kill()
        await ended(first)
        second = await here.up()
        async with here.robots(1) as fleet:
            await eventually(resolved(here, number))
            assert len(fleet.executions()) == 1
        second.send_signal(signal.SIGINT)
        assert await ended(second) == Exit.OK


async def test_people_decide_with_a_reason(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        process = await here.up()
        number = here.desk.open_case(location="Dock 1")["number"]
        await listed(here, "cases")
        told = await here.json("status")
        assert told["ready"] is True
        assert "desk:snow" in {one["target"] for one in told["targets"]}
        code, text = await here.run("status")
        assert (code, "desk:snow" in text) == (Exit.OK, True), text
        assert (await here.run("cases", "list", "--desk", "nope"))[0] == Exit.NOT_FOUND
        code, text = await here.run("cases", "hold", number)
        assert code == Exit.USAGE
        assert "--reason" in text
        held = await here.json("cases", "hold", number, "--reason", "the hall is wet")
        assert held["state"] == "held"
        assert held["reason"].endswith(" wants it to wait: the hall is wet")
        code, text = await here.run("cases", "show", "INC404")
        assert code == Exit.NOT_FOUND, text
        async with here.robots(1):
            robot = (await listed(here, "robots"))[0]["id"]
            banned = await here.json("robots", "ban", robot, "-r", "squeaks")
            assert banned["banned"] == "squeaks"
            await here.json("cases", "release", number, "-r", "dry again")
            waiting = await here.json("cases", "show", number)
            assert (waiting["state"], bool(waiting["waiting"])) == ("queued", True)
            await here.json("robots", "unban", robot, "-r", "oiled")
            await eventually(resolved(here, number))
        sums = (await here.json("deliveries", "sums"))["items"]
        assert sums
        assert (await here.json("journal", "verify"))["sound"] is True
        copy = tmp_path / "copy.sqlite"
        assert (await here.json("journal", "backup", str(copy)))["last_seq"] > 5
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == Exit.OK
        code, _ = await here.run("journal", "restore", str(copy), "--force")
        assert code == Exit.OK
        assert (await here.json("journal", "stats"))["site"] == "test"


async def test_a_full_disk_is_answered_503_and_nothing_is_lost(tmp_path: Path) -> None:
    async with site(tmp_path, poll=False) as here:
        here.desk.webhooks.retry_delays = (0.2,) * 40
        here.desk.subscribe(here.hook, secret=SECRET, events=("created",))
        process = await here.up()
        numbers = [here.desk.open_case(location="Dock 1")["number"] for _ in range(3)]
        await eventually(lambda: here.desk.webhooks.counts["delivered"] == 3)
        async with aiohttp.ClientSession() as client:
            with no_room(process.pid):
                numbers += [here.desk.open_case(location="Dock 1")["number"] for _ in range(3)]
                await eventually(lambda: here.desk.webhooks.counts["retried"] >= 3)
                assert here.desk.webhooks.counts["delivered"] == 3
                async with client.get(f"{here.url}/readyz") as ready:
                    assert ready.status == 503
                    assert (await ready.json())["checks"]["journal"] is False
            await eventually(lambda: here.desk.webhooks.counts["delivered"] == 6)
        assert here.desk.webhooks.counts["failed"] == 0
        found = (await here.json("cases", "list"))["items"]
        assert sorted(case["number"] for case in found) == sorted(numbers)
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == Exit.OK


async def test_it_says_what_keeps_it_from_starting(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", here.api_port))
            taken.listen()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dragoman", "-c", str(here.config), "up"),
                stderr=PIPE,
                env=here.env,
            )
            async with asyncio.timeout(20.0):
                _, told = await process.communicate()
        assert process.returncode == Exit.FAILED
        assert "api.listen" in told.decode()
        assert "Traceback" not in told.decode()
