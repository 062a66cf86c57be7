"""What one does with a journal's file: back it up, restore, archive, verify, look at its size.

Called by `dragoman journal …` (cli/). Backup, verify and stats work beside a running gateway;
restore and archive take the journal's lock, so they need it stopped.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dragoman.domain.errors import DragomanError, NeedsHuman
from dragoman.journal.sqlite.archive import archive_chunk
from dragoman.journal.sqlite.connection import (
    Connection,
    connect,
    connect_to_read,
    prepare,
    rows,
    translated,
)
from dragoman.journal.sqlite.load import load_site
from dragoman.journal.sqlite.lock import FileLock
from dragoman.journal.sqlite.reader import tallies_of
from dragoman.journal.sqlite.rows import iso
from dragoman.journal.sqlite.schema import migrate, refuse_newer, version_of
from dragoman.journal.sqlite.statements import MIGRATIONS, SQL
from dragoman.ports.journal import Archived, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What is in a journal. Sizes in bytes; wal_bytes: the log not yet folded into the file."""

    site: str
    version: int
    last_seq: int
    file_bytes: int
    wal_bytes: int
    cases: Mapping[str, int]
    tallies: Sequence[Tally]


def stats(path: Path) -> Stats:
    """Counts and sizes. Raises NeedsHuman if there is no journal."""
    with _reading(path) as connection:
        wal = path.with_name(path.name + "-wal")
        return Stats(
            site="".join(name for (name,) in rows(connection, SQL["site"])),
            version=version_of(connection),
            last_seq=int(rows(connection, SQL["last_seq"])[0][0]),
            file_bytes=path.stat().st_size,
            wal_bytes=wal.stat().st_size if wal.exists() else 0,
            cases=dict(rows(connection, SQL["count_cases"])),
            tallies=tallies_of(connection) if _is_current(connection) else (),
        )


def verify(path: Path, now: datetime) -> list[str]:
    """What is wrong with a journal, a sentence each; empty if nothing is.

    Checks the file's structure and that the entries are gapless; of a file in this version's
    layout also that the outbox's sums add up, and that all open state can be read.
    """
    problems: list[str] = []
    with _reading(path) as connection:
        checks = [str(row[0]) for row in rows(connection, "PRAGMA integrity_check(20)")]
        problems += [f"structure: {check}" for check in checks if check != "ok"]
        if missing := rows(connection, SQL["missing_entries"])[0][0]:
            problems.append(f"entries: {missing} are missing")
        if not _is_current(connection):
            return problems
        problems += [
            f"outbox: the sum of {tally.target} does not add up: {tally}"
            for tally in tallies_of(connection)
            if not tally.adds_up
        ]
        try:
            load_site(connection, now)
        except DragomanError as error:
            problems.append(f"open state: {error}")
    return problems


def backup(path: Path, to: Path, now: datetime) -> int:
    """Copy a journal, as it is at one moment, while it may be in use; return its last seq.

    The copy gets its name only when it is whole, verified and on the disk. Raises NeedsHuman if
    `to` exists already or the journal is damaged.
    """
    if to.exists():
        raise NeedsHuman("the backup file exists already", value=str(to), mend="name another file")
    partial = to.with_name(to.name + ".partial")
    partial.unlink(missing_ok=True)
    with _reading(path) as source:
        least = int(rows(source, SQL["last_seq"])[0][0])
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
    _demand_sound(partial, now)
    with _reading(partial) as copy:
        seq = int(rows(copy, SQL["last_seq"])[0][0])
    if seq < least:
        raise NeedsHuman(f"the copy ends at entry {seq}, before {least}", mend="try again")
    _into_place(partial, to)
    return seq


def restore(backup_file: Path, path: Path, now: datetime, *, force: bool = False) -> Path | None:
    """Put a backup in the journal's place; the journal that was there is kept beside it.

    Returns the name of the kept one, None if there was none. A backup of an older layout is
    brought to this one. Raises NeedsHuman if the backup is unsound, a gateway runs, or a journal is
    there and not `force`; then nothing is changed.
    """
    _demand_sound(backup_file, now)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        kept = None
        if path.exists():
            kept = path.with_name(f"{path.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
            if not force or kept.exists():
                raise NeedsHuman(
                    "a journal is there already",
                    value=str(path),
                    mend="use --force to replace it; it is kept beside under another name",
                )
        partial = path.with_name(path.name + ".partial")
        shutil.copyfile(backup_file, partial)
        with closing(connect(partial)) as connection:
            migrate(connection, str(iso(now)))
        _demand_sound(partial, now)
        if kept is not None:
            _keep(path, kept)
        _into_place(partial, path)
        return kept
    finally:
        lock.release()


def archive(path: Path, before: datetime, to: Path, now: datetime) -> Archived:
    """Move cases closed before a time to a new archive file, with the gateway stopped.

    Raises NeedsHuman if the file exists already, can't be written, or a gateway runs.
    """
    if to.exists():
        raise NeedsHuman("the archive file exists already", value=str(to), mend="name another file")
    lock = FileLock(path)
    try:
        with closing(connect(path)) as connection:
            refuse_newer(connection)
            prepare(connection)
            migrate(connection, str(iso(now)))
            moved = Archived()
            while chunk := archive_chunk(connection, before, to):
                moved += chunk
            return moved
    finally:
        lock.release()


def _demand_sound(path: Path, now: datetime) -> None:
    if problems := verify(path, now):
        raise NeedsHuman(f"{path} is not sound: {'; '.join(problems)}", mend="use another backup")


def _keep(path: Path, kept: Path) -> None:
    """Give a journal a second name; its log moves, lest it be taken for the next one's."""
    os.link(path, kept)
    for end in ("-wal", "-shm"):
        part = path.with_name(path.name + end)
        if part.exists():
            part.rename(kept.with_name(kept.name + end))


def _into_place(partial: Path, path: Path) -> None:
    """Give a finished file its name, durably."""
    _sync(partial)
    partial.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _is_current(connection: Connection) -> bool:
    return version_of(connection) == max(MIGRATIONS)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to a journal that this program knows. Raises NeedsHuman if not."""
    if not path.exists():
        raise NeedsHuman("there is no journal here", value=str(path), mend="check the path")
    try:
        with closing(connect_to_read(path)) as connection:
            if not refuse_newer(connection):
                raise NeedsHuman("this file is empty", value=str(path), mend="check the path")
            yield connection
    except sqlite3.Error as error:
        raise translated(error) from error
