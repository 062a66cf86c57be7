"""One desk of the configuration, for commands that call it themselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dragoman.config.model import Config
from dragoman.ports.clock import Clock
from dragoman.ports.desk import Desk


@asynccontextmanager
async def reached(config: Config, name: str) -> AsyncIterator[tuple[Desk, Clock]]:
    """The desk, until the block is left, and the clock that it goes by."""
    # Late, so that the other commands start without the adapters and their HTTP client.
    from dragoman.bootstrap import connected  # noqa: PLC0415 - see above
    from dragoman.runtime.clock import SystemClock  # noqa: PLC0415 - see above

    clock = SystemClock()
    desk = connected(config, name, clock)
    try:
        yield desk, clock
    finally:
        await desk.close()
