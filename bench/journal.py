"""The journal's speed, as ratios to what the same disk can do in the same run.

Run by `python -m bench` and by itself (`python -m bench.journal`); run() takes under 20 seconds.
"""

import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.domain.order import Action, Assignment, AssignmentState, Order, Place, Stop
from dragoman.domain.robot import Robot
from dragoman.journal.sqlite import SqliteJournal

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECONDS = 1.5
ENTRIES = 1_000_000
OPEN_CASES, OPEN_ROBOTS = 2_000, 5_000
"""What a start has to load, beside the million entries that it hasn't."""

FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
INSERT INTO entries
SELECT i, '2030-01-01T00:00:00.000000+00:00', 'case.' || (i % 20), printf('case-%08d', i / 12),
       printf('case-%08d-1', i / 12), 'maker/' || (i % 200), 'desk',
       '{"action":"case.x","at":"2030-01-01T00:00:00Z","text":"' || hex(zeroblob(100)) || '"}'
FROM n
"""


class BenchClock:
    """A clock that costs nothing; the journal only asks it for the time."""

    def now(self) -> datetime:
        """Always the same."""
        return NOW

    def monotonic(self) -> float:
        """Real seconds."""
        return time.monotonic()

    def new_id(self) -> str:
        """Not used."""
        return "0" * 26

    def trace_id(self) -> str:
        """Not used."""
        return "0" * 32

    def random(self) -> float:
        """Not used."""
        return 0.5


def fsync_rate(folder: Path, seconds: float) -> float:
    """How often a second the disk makes one written page durable, by one thread."""
    page = os.urandom(4096)
    file = os.open(folder / "fsync", os.O_RDWR | os.O_CREAT)
    try:
        os.pwrite(file, page * 1024, 0)
        os.fsync(file)
        count, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds:
            os.pwrite(file, page, count % 1024 * 4096)
            os.fdatasync(file)
            count += 1
        return count / spent
    finally:
        os.close(file)


def entry(number: int, action: str = "case.assigned") -> Entry:
    """An entry of usual size."""
    data: dict[str, object] = {"costs": {f"maker/{n}": n * 1.5 for n in range(8)}}
    return Entry(action=action, at=NOW, text="A usual sentence.", case_id=f"c{number}", data=data)


async def rate(step: Callable[[int], Awaitable[object]], workers: int, seconds: float) -> float:
    """Steps a second of so many workers, each awaiting its own before the next."""
    count, start = 0, time.perf_counter()

    async def work() -> None:
        nonlocal count
        while time.perf_counter() - start < seconds:
            count += 1
            await step(count)

    await asyncio.gather(*(work() for _ in range(workers)))
    return count / (time.perf_counter() - start)


async def lifecycle(journal: SqliteJournal, number: int, *, close: bool = True) -> None:
    """One case from the desk to a robot and back: twelve commits of three rows or so.

    close: else it stays at work, with two deliveries under way.
    """
    case = Case(
        id=f"case-{number:08}", desk="desk", external_id=f"x{number}", number=f"INC{number}",
        kind="transport", title="Bring the blue box", priority=3, location="dock 4",
        opened_at=NOW, received_at=NOW, trace_id="0" * 32, state=CaseState.QUEUED, since=NOW,
        due_at=NOW, fields={"short_description": "Bring the blue box to the dock"},
    )  # fmt: skip
    robot_id, order_id = f"maker/{number % 200}", f"case-{number:08}-1"
    stop = Stop(
        place=Place(node_id="n1", x=1.0, y=2.0, map_id="hall"),
        actions=(Action(id="a1", type="pick"),),
    )
    assignment = Assignment(
        order_id=order_id, case_id=case.id, attempt=1, robot_id=robot_id,
        state=AssignmentState.PLANNED, assigned_at=NOW,
        order=Order(id=order_id, case_id=case.id, robot_id=robot_id, stops=(stop, stop)),
    )  # fmt: skip
    robot = Robot(
        id=robot_id, fleet="main", manufacturer="maker", serial=str(number % 200), bound=order_id
    )
    sends = [
        Delivery(
            id=f"d-{number:08}-{n}", target=("fleet:main", "desk:desk")[n > 0], lane=case.id,
            verb="update", payload={"fields": {"state": "2", "work_notes": "x" * 120}},
            created_at=NOW, case_id=case.id, order_id=order_id,
        )
        for n in range(4)
    ]  # fmt: skip
    note = (entry(number),)
    await journal.commit(Change(entries=note, cases=(case,)))
    bound = replace(case, state=CaseState.ASSIGNED, order_id=order_id)
    await journal.commit(
        Change(
            entries=note, cases=(bound,), assignments=(assignment,), robots=(robot,),
            deliveries=tuple(sends[:2]),
        )
    )  # fmt: skip
    for state in (AssignmentState.SENT, AssignmentState.ACCEPTED, AssignmentState.EXECUTING):
        await journal.commit(Change(entries=note, assignments=(replace(assignment, state=state),)))
    if not close:
        return
    for send in sends[:2]:
        await journal.commit(Change(deliveries=(replace(send, state=DeliveryState.DELIVERED),)))
    done = replace(bound, state=CaseState.DONE)
    await journal.commit(Change(entries=note, cases=(done,), deliveries=tuple(sends[2:])))
    await journal.commit(Change(entries=note, robots=(replace(robot, bound=""),)))
    for send in sends[2:]:
        await journal.commit(Change(deliveries=(replace(send, state=DeliveryState.DELIVERED),)))
    await journal.commit(Change(entries=note, cases=(replace(done, state=CaseState.CLOSED),)))


async def measure(folder: Path, seconds: float, entries: int) -> dict[str, float]:
    """All figures of this module."""
    limit = fsync_rate(folder, seconds)
    found = {"fsyncs_per_s": limit}
    path = folder / "journal.sqlite"
    journal = await SqliteJournal.open(path, site_name="bench", clock=BenchClock())
    for workers in (1, 16, 256):
        commits = await rate(
            lambda n: journal.commit(Change(entries=(entry(n),))), workers, seconds
        )
        found[f"commits_per_s_at_{workers}"] = commits
        found[f"commits_per_fsync_at_{workers}"] = commits / limit
    found["lifecycles_per_s_at_64"] = await rate(lambda n: lifecycle(journal, n), 64, seconds)
    await journal.close()
    found["open_s"] = await opening(folder / "large.sqlite", entries)
    found["open_entries"] = entries
    return found


async def opening(path: Path, entries: int) -> float:
    """Seconds to open a journal with so many entries, and open cases and robots on top."""
    await (await SqliteJournal.open(path, site_name="bench", clock=BenchClock())).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(FILL, (entries,))
    connection.close()
    journal = await SqliteJournal.open(path, site_name="bench", clock=BenchClock())
    fleet = [
        Robot(id=f"maker/{n}", fleet="main", manufacturer="maker", serial=str(n))
        for n in range(OPEN_ROBOTS)
    ]
    await journal.commit(Change(robots=tuple(fleet)))
    work = asyncio.gather(*(lifecycle(journal, n, close=False) for n in range(OPEN_CASES)))
    await work
    await journal.close()
    start = time.perf_counter()
    journal = await SqliteJournal.open(path, site_name="bench", clock=BenchClock())
    spent = time.perf_counter() - start
    assert len(journal.site.cases) == OPEN_CASES
    await journal.close()
    return spent


def run(seconds: float = SECONDS, entries: int = ENTRIES) -> dict[str, float]:
    """Measure on the disk of the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        return asyncio.run(measure(Path(folder), seconds, entries))


if __name__ == "__main__":
    json.dump(run(), sys.stdout, indent=2)
