"""What every feed has to do: one suite for all implementations of ports/feed.py.

Subclass FeedConformance in a test module, and override the fixture `world`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Protocol

import jsonschema
import pytest

from dragoman.domain.case import Case, CaseState
from dragoman.domain.cloudevent import CASE_STATUS, case_event
from dragoman.domain.errors import RetryLater
from dragoman.domain.status import Status, Told
from dragoman.ports.feed import Feed, FeedCommand

LONGEST_S = 20.0
"""How long the suite waits for something to arrive."""
START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class FeedWorld(Protocol):
    """A feed and its other end. start, stop: of the other end's own server, if it has one."""

    def feed(self) -> Feed:
        """A new feed to the other end, not started."""
        ...

    async def received(self) -> Sequence[Mapping[str, Any]]:
        """What the other end has got so far, repeats included, in its order of arrival."""
        ...

    async def send(self, payload: bytes) -> None:
        """Send this as a command from the other end."""
        ...

    async def cut(self) -> None:
        """The other end is away from now on."""
        ...

    async def restore(self) -> None:
        """It is back."""
        ...


def event(number: int, told: Told = Told.EXECUTING, *, of: int = 1) -> dict[str, object]:
    """The event of this number, of case `of`; later numbers are later in time."""
    case = Case(
        id=f"case-{of}",
        desk="servicedesk",
        external_id=f"{of:032x}",
        number=f"INC{of:07}",
        kind="fetch",
        title="Bring the sample to the laboratory / room +#1 $",
        priority=2,
        location="Lab 1",
        opened_at=START,
        received_at=START,
        trace_id=f"{of:032x}",
        state=CaseState.EXECUTING,
        since=START,
        due_at=None,
        fields={"asset": f"pump {of}"},
        order_id=f"case-{of}-1",
        attempts=1,
    )
    at = START + timedelta(seconds=number)
    status = Status(told=told, at=at, case=case, robot_id="maker/r1", order_id=case.order_id)
    return case_event(status, f"event-{number:04}", "plant-1")


def command(verb: str, case: str, **more: object) -> bytes:
    """A command as the other end would send it."""
    return json.dumps({"verb": verb, "case": case, **more}).encode()


async def eventually(condition: Callable[[], object]) -> None:
    """Return when the condition holds; fail at the deadline."""
    async with asyncio.timeout(LONGEST_S):
        while not condition():  # noqa: ASYNC110 - what it looks at tells nobody when it changes
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(feed: Feed, sink: Callable[[FeedCommand], None]) -> AsyncIterator[Feed]:
    """The feed, started and able to publish, stopped at the end."""
    await feed.start(sink)
    try:
        yield feed
    finally:
        await feed.stop()


async def published(feed: Feed, one: Mapping[str, object]) -> None:
    """Publish as the outbox does: again until it is taken."""
    async with asyncio.timeout(LONGEST_S):
        while True:
            try:
                await feed.publish(one)
            except RetryLater:
                await asyncio.sleep(0.05)
            else:
                return


async def unpublished(feed: Feed, one: Mapping[str, object]) -> None:
    """Publish until it fails: the first may still reach a connection that is just breaking."""
    async with asyncio.timeout(LONGEST_S):
        while True:
            await feed.publish(one)


class FeedConformance:
    """The suite. commands: False for a feed that takes none."""

    commands = True

    @pytest.fixture
    def world(self) -> FeedWorld:
        """The feed under test; override it."""
        raise NotImplementedError

    async def arrived(self, world: FeedWorld, count: int) -> list[Mapping[str, Any]]:
        """The first `count` different events at the other end, in order of first arrival."""
        async with asyncio.timeout(LONGEST_S):
            while True:
                by_id = {str(one["id"]): one for one in reversed(await world.received())}
                if len(by_id) >= count:
                    return list(reversed(by_id.values()))
                await asyncio.sleep(0.02)

    async def test_an_event_arrives_as_it_was_given(self, world: FeedWorld) -> None:
        """Nothing is lost or changed on the way."""
        async with running(world.feed(), lambda _: None) as feed:
            await published(feed, event(1))
            assert await self.arrived(world, 1) == [event(1)]

    async def test_what_arrives_is_a_valid_cloudevent(self, world: FeedWorld) -> None:
        """Every status fits CloudEvents and the published schema."""
        async with running(world.feed(), lambda _: None) as feed:
            for number, told in enumerate(Told):
                await published(feed, event(number, told))
            for one in await self.arrived(world, len(Told)):
                check_envelope(one)

    async def test_the_events_of_a_case_arrive_in_order(self, world: FeedWorld) -> None:
        """One after the other, as the outbox gives them."""
        async with running(world.feed(), lambda _: None) as feed:
            for number in range(20):
                await published(feed, event(number))
            ids = [one["id"] for one in await self.arrived(world, 20)]
            assert ids == [f"event-{number:04}" for number in range(20)]

    async def test_a_publish_that_can_not_arrive_says_so(self, world: FeedWorld) -> None:
        """The outbox tries again on RetryLater, and then it arrives."""
        async with running(world.feed(), lambda _: None) as feed:
            await published(feed, event(1))
            await world.cut()
            with pytest.raises(RetryLater):
                await unpublished(feed, event(2))
            await world.restore()
            await published(feed, event(2))
            assert {one["id"] for one in await self.arrived(world, 2)} >= {"event-0002"}

    async def test_it_starts_while_the_other_end_is_away(self, world: FeedWorld) -> None:
        """A gateway must start without its CMMS."""
        await world.cut()
        async with running(world.feed(), lambda _: None) as feed:
            with pytest.raises(RetryLater):
                await feed.publish(event(1))
            await world.restore()
            await published(feed, event(1))
            assert len(await self.arrived(world, 1)) == 1

    async def test_a_stopped_feed_takes_nothing(self, world: FeedWorld) -> None:
        """What it took after `stop` would be lost."""
        feed = world.feed()
        async with running(feed, lambda _: None):
            await published(feed, event(1))
        with pytest.raises(RetryLater):
            await feed.publish(event(2))

    async def test_it_stops_twice(self, world: FeedWorld) -> None:
        """Stopping is harmless at any time."""
        feed = world.feed()
        await feed.start(lambda _: None)
        await feed.stop()
        await feed.stop()

    @pytest.mark.parametrize("verb", ["acknowledge", "hold", "release", "cancel"])
    async def test_a_command_comes_in(self, world: FeedWorld, verb: str) -> None:
        """Each verb, with who asks and why."""
        if not self.commands:
            pytest.skip("this feed takes no commands")
        heard: list[FeedCommand] = []
        async with running(world.feed(), heard.append) as feed:
            await published(feed, event(1))
            await world.send(command(verb, "INC0000001", reason="the pump is hot", actor="ann"))
            await eventually(lambda: heard)
        assert [(c.verb, c.case, c.reason, c.error) for c in heard] == [
            (verb, "INC0000001", "the pump is hot", "")
        ]
        assert heard[0].actor.endswith("ann")
        assert json.loads(heard[0].raw)["verb"] == verb

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"\xff\xfe",
            b"hold it",
            b"[]",
            b"[" * 100_000,
            b'{"verb": "hold"}',
            b'{"verb": "explode", "case": "INC0000001"}',
            b'{"verb": ["hold"], "case": "INC0000001"}',
            b'{"verb": "hold", "case": {"number": "INC0000001"}}',
            b'{"verb": "hold", "case": "' + b"9" * 100_000 + b'"}',
            b'{"specversion": "1.0", "type": "someone.elses.v1", "data": {}}',
        ],
    )
    async def test_what_is_no_command_comes_in_as_an_error(
        self, world: FeedWorld, payload: bytes
    ) -> None:
        """Never a crash and never silence; and the next one is heard."""
        if not self.commands:
            pytest.skip("this feed takes no commands")
        heard: list[FeedCommand] = []
        async with running(world.feed(), heard.append) as feed:
            await published(feed, event(1))
            await world.send(payload)
            await world.send(command("hold", "INC0000001"))
            await eventually(lambda: len(heard) == 2)
        assert (heard[0].verb, bool(heard[0].error)) == ("", True)
        assert (heard[1].verb, heard[1].error) == ("hold", "")

    async def test_its_own_events_are_no_commands(self, world: FeedWorld) -> None:
        """Statuses that a bridge sends back mean nothing."""
        if not self.commands:
            pytest.skip("this feed takes no commands")
        heard: list[FeedCommand] = []
        async with running(world.feed(), heard.append) as feed:
            await published(feed, event(1))
            await world.send(json.dumps(event(1)).encode())
            await world.send(command("hold", "INC0000001"))
            await eventually(lambda: heard)
        assert [one.verb for one in heard] == ["hold"]

    async def test_a_sink_that_raises_does_no_harm(self, world: FeedWorld) -> None:
        """Neither to the next command nor to publishing."""
        if not self.commands:
            pytest.skip("this feed takes no commands")
        heard: list[FeedCommand] = []

        def sink(one: FeedCommand) -> None:
            heard.append(one)
            raise ValueError("a defect of the sink")

        async with running(world.feed(), sink) as feed:
            await published(feed, event(1))
            await world.send(command("hold", "INC0000001"))
            await world.send(command("release", "INC0000001"))
            await eventually(lambda: len(heard) == 2)
            await published(feed, event(2))


def check_envelope(one: Mapping[str, Any]) -> None:
    """Fail unless this is a CloudEvent of ours, whose data fits the published schema."""
    assert one["specversion"] == "1.0"
    assert one["type"] == CASE_STATUS
    assert one["datacontenttype"] == "application/json"
    schema = published_schema("case-status.v1")
    assert one["dataschema"] == schema["$id"]
    assert all(name.isalnum() and name.islower() for name in one)  # CloudEvents 1.0.2, 3.1.1
    assert all(isinstance(one[name], str) and one[name] for name in one if name != "data")
    assert datetime.fromisoformat(one["time"]).utcoffset() == timedelta(0)
    jsonschema.Draft202012Validator(schema).validate(one["data"])


def published_schema(name: str) -> Any:
    """A published schema by the name of its file ("case-status.v1")."""
    return json.loads(files("dragoman").joinpath(f"schemas/{name}.json").read_text("utf-8"))
