"""A feed in memory, for tests of what stands above the port."""

from collections.abc import Callable, Mapping

from dragoman.domain.errors import DragomanError, RetryLater
from dragoman.ports.feed import FeedCommand


class MemoryFeed:
    """published: the events in the order in which they were taken. failure: while it is set,
    `publish` raises it instead of taking anything."""

    def __init__(self) -> None:
        self.published: list[Mapping[str, object]] = []
        self.failure: DragomanError | None = None
        self._sink: Callable[[FeedCommand], None] | None = None

    async def start(self, sink: Callable[[FeedCommand], None]) -> None:
        """Be there."""
        self._sink = sink

    async def publish(self, event: Mapping[str, object]) -> None:
        """Record the event. Raises `failure`, and RetryLater before `start` and after `stop`."""
        if self._sink is None:
            raise RetryLater("this feed isn't running")
        if self.failure is not None:
            raise self.failure
        self.published.append(dict(event))

    async def stop(self) -> None:
        """Be gone."""
        self._sink = None

    def say(self, command: FeedCommand) -> None:
        """The other end asks for something; nobody hears it unless the feed runs."""
        if self._sink is not None:
            self._sink(command)
