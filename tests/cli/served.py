"""Emulated desks for tests of commands, each in a thread of its own with its own event loop."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any


class Served:
    """An emulated desk in a thread of its own, since a command runs its own event loop."""

    def __init__(self, desk: AbstractAsyncContextManager[Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._desk = desk
        self.desk = self._do(desk.__aenter__())

    def close(self) -> None:
        self._do(self._desk.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


Serve = Callable[[AbstractAsyncContextManager[Any]], Any]


@contextmanager
def serving() -> Iterator[Serve]:
    """Starts emulated desks, and stops them all at the end."""
    running: list[Served] = []

    def start(desk: AbstractAsyncContextManager[Any]) -> Any:
        running.append(Served(desk))
        return running[-1].desk

    try:
        yield start
    finally:
        for one in running:
            one.close()
