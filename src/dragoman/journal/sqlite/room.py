"""Let the writer thread run while the event loop is busy.

A busy loop lets go of the interpreter's lock only for moments, too short for another thread to
wake up in, and so often that the interpreter never forces a change: a commit could wait for as
long as the loop has something to do. So, while the oldest commit is older than PATIENCE_S, the
loop stands still for ROOM_S now and then. Measured in docs/adr/0006-the-writer-of-the-journal.md.
"""

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 0.005
ROOM_S = 0.000_1
ROOM_EVERY_S = 0.001


class Room:
    """Watches the oldest thing under way. oldest: gives it, or None if nothing is under way."""

    def __init__(self, oldest: Callable[[], object]) -> None:
        self._oldest = oldest
        self._loop = asyncio.get_running_loop()
        self._watching = False

    def watch(self) -> None:
        """Something is under way from now on. Cheap; call it each time."""
        if not self._watching:
            self._watching = True
            self._loop.call_later(PATIENCE_S, self._look, self._oldest())

    def _look(self, seen: object) -> None:
        oldest = self._oldest()
        if oldest is None:
            self._watching = False
        elif oldest is seen:
            time.sleep(ROOM_S)
            self._loop.call_later(ROOM_EVERY_S, self._look, seen)
        else:
            self._loop.call_later(PATIENCE_S, self._look, oldest)
