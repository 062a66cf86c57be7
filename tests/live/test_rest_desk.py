"""The Desk suite on a real Roundup that is connected by the how-to's configuration alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dragoman.cli.app import run
from dragoman.cli.exits import Exit
from dragoman.config.secrets import Secret
from dragoman.desks.rest.client import RestDesk
from dragoman.domain.errors import NeedsHuman, RetryLater
from dragoman.ports.desk import Desk, DeskWrite
from dragoman.ports.survey import Survey
from dragoman.testing.conformance.desk import DeskConformance
from dragoman.testing.conformance.desk_witness import PATIENCE_S, DeskWitness, Trouble, Words
from tests.adapters.desks.rest_witness import connect, samples
from tests.adapters.desks.witnesses import ShiftingClock
from tests.live.counterparts.roundup import Roundup, is_installed

pytestmark = pytest.mark.live


class LiveWitness:
    """Somebody at a real Roundup, who can't make it misbehave."""

    troubles: frozenset[Trouble] = frozenset()
    words = Words(title="title", state="status", new="unread", working="in-progress", own="gateway")

    def __init__(self, roundup: Roundup) -> None:
        self._roundup = roundup

    def connect(self, deadline_s: float = PATIENCE_S) -> RestDesk:
        return connect(
            "roundup",
            ShiftingClock(),
            url=self._roundup.url,
            auth={"password": Secret.of(self._roundup.password)},
            headers={"Origin": self._roundup.origin},
            paging={"size": 10},
            timeout_s=deadline_s,
        )

    async def open(self, title: str) -> str:
        made = await self._roundup.as_pat("POST", "/data/issue", {"title": title})
        return str(made["id"])

    async def edit(self, external_id: str, title: str) -> None:
        path = f"/data/issue/{external_id}"
        shown = await self._roundup.as_pat("GET", path)
        await self._roundup.as_pat("PATCH", path, {"title": title}, shown["@etag"])

    async def title(self, external_id: str) -> str:
        shown = await self._roundup.as_pat("GET", f"/data/issue/{external_id}")
        return str(shown["attributes"]["title"])

    async def titled(self, title: str) -> int:
        shown = await self._roundup.as_pat("GET", f"/data/issue?title:={quote(title)}")
        return len(shown["collection"])

    async def said(self, external_id: str) -> Sequence[str]:
        return await self._roundup.texts(external_id)

    async def later(self, seconds: float) -> None:
        """Times are the desk's own, in seconds."""
        await asyncio.sleep(min(seconds, 1.1))

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        raise AssertionError("declared: this witness can't make trouble")

    async def spoil(self, external_id: str) -> None:
        raise AssertionError("declared: no issue can be spoilt here")


@pytest.fixture(scope="module")
def roundup() -> Iterator[Roundup]:
    if not is_installed():
        pytest.fail("Roundup is not installed: run tests/live/setup.sh")
    running = Roundup()
    running.start()
    yield running
    running.stop()


class TestRoundup(DeskConformance):
    can_spoil = False
    flood = 15  # each takes a few tenths of a second
    steps = 25

    @pytest.fixture
    def witness(self, roundup: Roundup) -> DeskWitness:
        return LiveWitness(roundup)


@pytest.fixture
async def desk(roundup: Roundup) -> AsyncIterator[RestDesk]:
    desk = LiveWitness(roundup).connect()
    yield desk
    await desk.close()


async def test_a_one_time_address_makes_one_issue(desk: RestDesk, roundup: Roundup) -> None:
    write = DeskWrite(key="poe-1", fields={"title": "by a one-time address"}, comment="E-17")
    first = await desk.create(write)
    assert first.raw["gateway_key"] == "poe-1"
    assert (await desk.create(write)).external_id == first.external_id
    assert len(await roundup.texts(first.external_id)) == 1


async def test_two_issues_with_one_key_need_a_human(desk: RestDesk, roundup: Roundup) -> None:
    for _ in range(2):
        body = {"title": "a twin", "gateway_key": "twins"}
        await roundup.as_pat("POST", "/data/issue", body)
    with pytest.raises(NeedsHuman, match="2 records have the same key"):
        await desk.create(DeskWrite(key="twins", fields={"title": "a triplet"}))


async def test_a_filter_that_roundup_ignores_is_seen(roundup: Roundup) -> None:
    """Roundup answers an unreadable range with everything."""
    await LiveWitness(roundup).open("older")
    await asyncio.sleep(1.1)
    await LiveWitness(roundup).open("newer")
    lists: dict[str, Any] = {"list": {"query": {"activity": "since {since}"}}}
    desk = connect(
        "roundup",
        ShiftingClock(),
        url=roundup.url,
        auth={"password": Secret.of(roundup.password)},
        headers={"Origin": roundup.origin},
        requests=lists,
    )
    with pytest.raises(NeedsHuman) as told:
        await desk.changes("", 7)
    assert told.value.field == "requests.list.query"
    await desk.close()


async def test_open_issues_are_listed_to_be_compared(desk: RestDesk, roundup: Roundup) -> None:
    assert isinstance(desk, Survey)
    numbers = [await LiveWitness(roundup).open(f"open {index}") for index in range(3)]
    await desk.write(numbers[1], DeskWrite(key="s", fields={"status": "resolved"}))
    seen: list[str] = []
    after, more = "", True
    while more:
        page = await desk.survey(after, 100)
        seen += [record.external_id for record in page.records]
        after, more = page.cursor, page.more
    assert [number for number in numbers if number in seen] == [numbers[0], numbers[2]]
    assert len(await desk.read_many([*numbers, "999999"])) == 3


def test_desk_try_walks_through_it(
    roundup: Roundup,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The how-to's configuration as a file, with the address of this tracker."""
    asyncio.run(LiveWitness(roundup).open("to be tried"))
    text = samples()["roundup"].replace("https://tracker.example.com/tracker/rest", roundup.url)
    text = text.replace("https://tracker.example.com", roundup.origin)
    path = tmp_path / "dragoman.toml"
    path.write_text(f'{text}\n[missions.inspect]\nactions = [{{ type = "inspect" }}]\n')
    monkeypatch.setenv("ROUNDUP_PASSWORD", roundup.password)
    arguments = ["--config", str(path), "desk", "try", "roundup", "--status", "done", "--json"]
    assert run(arguments) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert told["missing"] == ["no value for location"]
    (write,) = [step for step in told["steps"] if step["step"] == "write done"]
    assert [one["method"] for one in write["data"]["requests"]] == ["PATCH", "POST", "PATCH"]
    assert write["data"]["requests"][0]["headers"]["If-Match"].startswith('"')
    assert roundup.password not in json.dumps(told)


async def test_its_rate_limit_is_kept_to() -> None:
    """api_calls_per_interval: the refusal tells how long to wait, and then it goes on."""
    limited = Roundup(calls=6, interval_s=6)
    limited.start()
    witness = LiveWitness(limited)
    desk: Desk = witness.connect()
    try:
        number = await witness.open("asked for too often")
        waits: list[float | None] = []
        for _ in range(30):
            try:
                await desk.read(number)
            except RetryLater as error:
                waits.append(error.delay_s)
                break
        assert waits
        wait_s = waits[0]
        assert wait_s is not None
        assert 0 < wait_s <= 6
        await asyncio.sleep(wait_s)
        assert (await desk.read(number)).raw["title"] == "asked for too often"
    finally:
        await desk.close()
        limited.stop()
