"""Retention: cases closed long ago leave the journal for an archive file; the audit stays.

Run by the gateway through SqliteJournal.upkeep, and offline by maintenance.archive. A chunk is on
the disk in the archive before its rows are deleted, in one transaction: a crash in between leaves
them in both, and the next run archives them again. So a row may be in two files; its id tells.
"""

import gzip
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from dragoman.domain.errors import NeedsHuman
from dragoman.domain.order import LIVE
from dragoman.journal.sqlite.connection import Connection, rows
from dragoman.journal.sqlite.rows import iso
from dragoman.journal.sqlite.statements import ARCHIVE
from dragoman.ports.journal import Archived

CHUNK = 200
"""Cases moved in one transaction: some tens of milliseconds of the writer's time."""


def archive_chunk(
    connection: Connection, before: datetime, to: Path, limit: int = CHUNK
) -> Archived:
    """Move up to `limit` cases closed before a time, with what belongs to them, to the file `to`.

    A case with a dead letter, an unsettled delivery or a live order stays whole. Call it until
    nothing is moved. Raises NeedsHuman if the file can't be written; then nothing is deleted.
    """
    live = msgspec.json.encode(sorted(LIVE)).decode()
    connection.execute("BEGIN IMMEDIATE")
    try:
        cases = _ids(connection, "closed_cases", iso(before), live, limit)
        of_cases = _ids(connection, "deliveries_of_cases", _json(cases))
        deliveries = of_cases + _ids(connection, "lone_deliveries", iso(before), limit)
        if cases or deliveries:
            _append(to, rows(connection, ARCHIVE["bodies"], (_json(cases), _json(deliveries))))
            connection.execute(ARCHIVE["remember_cases"], (_json(cases),))
            connection.execute(ARCHIVE["count_archived"], (_json(deliveries),))
            connection.execute(ARCHIVE["delete_deliveries"], (_json(deliveries),))
            connection.execute(ARCHIVE["delete_assignments"], (_json(cases),))
            connection.execute(ARCHIVE["delete_cases"], (_json(cases),))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return Archived(cases=len(cases), deliveries=len(deliveries))


def read_archive(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(type, body) of each row: type is case, assignment or delivery.

    A cut-off end, which only a crash leaves and which no deleted row is in, ends the reading.
    """
    with gzip.open(path, "rb") as lines:
        try:
            for line in lines:
                row = msgspec.json.decode(line)
                yield row["type"], row["body"]
        except EOFError:
            return


def _append(to: Path, found: list[tuple[str, str]]) -> None:
    """Add one gzip member with the rows, and have it on the disk when this returns."""
    lines = [
        msgspec.json.encode({"type": kind, "body": msgspec.Raw(body.encode())}) + b"\n"
        for kind, body in found
    ]
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with to.open("ab") as file:
            start = file.tell()
            try:
                file.write(gzip.compress(b"".join(lines), mtime=0))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(start)
                raise
        folder = os.open(to.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise NeedsHuman(
            f"the archive file can't be written: {error.strerror}",
            field="archive",
            value=str(to),
            mend="make room or name another file; nothing was deleted",
        ) from error


def _ids(connection: Connection, name: str, *parameters: Any) -> list[str]:
    return [row[0] for row in rows(connection, ARCHIVE[name], parameters)]


def _json(ids: list[str]) -> str:
    return msgspec.json.encode(ids).decode()
