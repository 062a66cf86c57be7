"""Commit without end, and print what is acknowledged: the victim of test_kill_journal.py.

Usage: committer.py PATH NAME. Prints `open SEQ`, then a line `SEQ MARK` for each commit.
"""

import asyncio
import itertools
import sys
from dataclasses import replace
from pathlib import Path

from dragoman.domain.change import Change
from dragoman.journal.sqlite import SqliteJournal
from dragoman.testing.conformance.journal_history import NOW, STEPS, History
from tests.adapters.journal.fixed_clock import FixedClock


async def main(path: Path, name: str) -> None:
    """Several workers, each with one change under way."""
    journal = await SqliteJournal.open(path, site_name="test", clock=FixedClock(NOW))
    seq = await journal.commit(Change())
    print("open", seq, flush=True)
    history = History(journal.site, seq)
    numbers = itertools.count()

    async def work() -> None:
        for number in numbers:
            kind = sorted(STEPS)[number * 7 % len(STEPS)]
            change = history.next(kind, number * 31)
            mark = f"{name}-{number}"
            entry = replace(change.entries[0], text=mark)
            seq = await journal.commit(replace(change, entries=(entry,)))
            print(seq, mark, flush=True)

    await asyncio.gather(*(work() for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
