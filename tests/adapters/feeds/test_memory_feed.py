"""The feed in memory against the suite of the port, so that tests above it can trust it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from dragoman.domain.errors import RetryLater
from dragoman.feeds.mqtt.commands import read
from dragoman.ports.feed import Feed, FeedCommand
from dragoman.testing.conformance.feed import FeedConformance, FeedWorld
from dragoman.testing.fakes.feed import MemoryFeed


class MemoryWorld:
    """One feed in memory; a sink that raises is caught, as every transport does."""

    def __init__(self) -> None:
        self._feed = MemoryFeed()

    def feed(self) -> Feed:
        return self._feed

    async def received(self) -> Sequence[Mapping[str, Any]]:
        return self._feed.published

    async def send(self, payload: bytes) -> None:
        command = read(payload, "memory")
        if command is not None:
            self._say(command)

    def _say(self, command: FeedCommand) -> None:
        try:
            self._feed.say(command)
        except ValueError:
            return

    async def cut(self) -> None:
        self._feed.failure = RetryLater("it is away")

    async def restore(self) -> None:
        self._feed.failure = None


class TestMemoryFeed(FeedConformance):
    @pytest.fixture
    def world(self) -> FeedWorld:
        return MemoryWorld()
