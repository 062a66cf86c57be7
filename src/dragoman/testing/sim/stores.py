"""Virtual time, and a journal whose unsynced tail a crash takes away. Used by world.py."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from dragoman.domain.change import Change
from dragoman.domain.site import Site
from dragoman.ports.journal import Find, Found, RowT, Tally
from dragoman.testing.memory_journal import MemoryJournal, MemoryStore

T = TypeVar("T")


class VirtualClock:
    """Time that moves when told; ids that count; chance that is always one half."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
        self._ids = 0

    def now(self) -> datetime:
        """The virtual time."""
        return self._now

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._now.timestamp()

    def new_id(self) -> str:
        """A rising number as text."""
        self._ids += 1
        return f"{self._ids:08d}"

    def trace_id(self) -> str:
        """A number as 32 hex digits."""
        self._ids += 1
        return f"{self._ids:032x}"

    def random(self) -> float:
        """One half."""
        return 0.5

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)


class Done:
    """An awaitable that has its result already."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, int]:
        """Give the result without waiting."""
        yield from ()
        return self._value


class CrashingJournal:
    """Implements ports/journal.py at once and without an event loop.

    What was committed since the last `sync` is lost in a `crash`.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.store = MemoryStore()
        self._now = now
        self._site = Site()
        self._unsynced: list[Change] = []
        self._seq = 0

    @property
    def site(self) -> Site:
        """The working set, unsynced changes included."""
        return self._site

    def commit(self, change: Change) -> Done:
        """Apply; durable at the next `sync`."""
        numbered = tuple(
            replace(entry, seq=self._seq + n) for n, entry in enumerate(change.entries, 1)
        )
        self._seq += len(numbered)
        self._site.apply(change)
        self._unsynced.append(replace(change, entries=numbered))
        return Done(self._seq)

    def sync(self) -> None:
        """Make everything durable."""
        for change in self._unsynced:
            self.store.put(change)
        self._unsynced.clear()

    def crash(self) -> None:
        """Lose what isn't durable, and start again from the rest."""
        self._unsynced.clear()
        self._seq = len(self.store.entries)
        self._site = self.store.load(self._now())

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        """Look up durable rows."""
        return await MemoryJournal(self.store, now=self._now).find(row, query)

    async def tallies(self) -> Sequence[Tally]:
        """The outbox's durable sums."""
        return await MemoryJournal(self.store, now=self._now).tallies()

    async def close(self) -> None:
        """Nothing to let go of."""


def run(coroutine: Any) -> Any:
    """The result of a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("a step waited for something that the simulator doesn't have")
