"""kill -9 of a process that commits, again and again on one file: nothing acknowledged is lost."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from dragoman.domain.change import Entry
from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite.maintenance import verify
from dragoman.ports.journal import Find
from dragoman.testing.conformance.journal_history import NOW
from tests.adapters.journal.fixed_clock import FixedClock

ROOT = Path(__file__).parents[2]


def run_and_kill(path: Path, name: str, lines: int) -> list[tuple[int, str]]:
    """What the victim acknowledged: killed by SIGKILL once it has printed so many lines."""
    command = [sys.executable, "-m", "tests.faults.committer", str(path), name]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        first = victim.stdout.readline()
        assert first.startswith("open "), "it opens what the last kill left"
        read = [victim.stdout.readline() for _ in range(lines)]
        victim.kill()
        read += victim.stdout.readlines()
    assert victim.returncode == -9
    whole = [line.split() for line in read if line.endswith("\n")]
    return [(int(seq), mark) for seq, mark in whole]


async def entries_of(path: Path) -> dict[int, str]:
    journal = await SqliteJournal.open(path, site_name="test", clock=FixedClock(NOW))
    rows = (await journal.find(Entry, Find(limit=1_000_000))).rows
    await journal.close()
    return {entry.seq: entry.text for entry in rows}


def kill(path: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: dict[int, str] = {}
    for number in range(kills):
        found = run_and_kill(path, f"{seed}.{number}", chance.randint(0, 300))
        assert not acknowledged.keys() & {seq for seq, _ in found}, "no seq is given twice"
        acknowledged.update(found)
    assert verify(path, NOW) == []
    stored = asyncio.run(entries_of(path))
    assert list(stored) == list(range(1, len(stored) + 1))
    assert acknowledged
    assert acknowledged.items() <= stored.items()


def test_no_acknowledged_commit_is_lost_by_a_kill(tmp_path: Path) -> None:
    kill(tmp_path / "journal.sqlite", kills=4, seed=1)


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_no_acknowledged_commit_is_lost_by_many_kills(tmp_path: Path) -> None:
    kill(tmp_path / "journal.sqlite", kills=30, seed=2)
