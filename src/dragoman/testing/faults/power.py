"""Power cuts for SQLite: a virtual file system that knows which writes were never synced.

Used by tests/faults/test_power_loss.py, and of use to anyone who stores something in SQLite.
A `PowerDisk` lies between SQLite and the real files. It remembers what each file held at its last
sync and every write since. `cut` takes that at any moment, and `Cut.leave` writes the files as a
disk may have them after the power failed: of the writes never synced, any part, in any order, torn
at sectors. What SQLite expects of a disk is told in sqlite.org/atomiccommit.html, section 2.
"""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
"""Bytes that a disk writes in one piece."""

Change = tuple[int, bytes | None]
"""(offset, data) of a write; (size, None) of a truncation."""


@dataclass(slots=True)
class _File:
    """synced: the content at the last sync, None if never synced. deleted: not synced either."""

    synced: bytes | None
    changes: list[Change] = field(default_factory=list)
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """The disk at the moment of a power cut: by file name, what was synced and what was not."""

    files: dict[str, _File]

    @property
    def unsynced(self) -> int:
        """How many writes and truncations were not synced."""
        return sum(len(file.changes) for file in self.files.values())

    def leave(self, folder: Path, chance: random.Random, kept: float) -> None:
        """Write the files as the disk may have them. kept: the share of unsynced sectors kept."""
        for name, file in self.files.items():
            gone = file.deleted or file.synced is None
            if gone and chance.random() >= kept:
                if not file.deleted or file.synced is None:
                    continue
                (folder / name).write_bytes(file.synced)
                continue
            if file.deleted:
                continue
            content = bytearray(file.synced or b"")
            for change in file.changes:
                _apply(content, change, lambda: chance.random() < kept)
            (folder / name).write_bytes(content)


def _apply(content: bytearray, change: Change, keeps: Callable[[], bool]) -> None:
    """Do what of a change reached the disk: `keeps` is asked once a sector."""
    offset, data = change
    if data is None:
        if keeps():
            del content[offset:]
        return
    at = 0
    while at < len(data):
        size = min(SECTOR - (offset + at) % SECTOR, len(data) - at)
        if keeps():
            start = offset + at
            content.extend(bytes(max(0, start + size - len(content))))
            content[start : start + size] = data[at : at + size]
        at += size


class PowerDisk:
    """The files of one folder, seen through SQLite. before: called before every change of a file.

    `connect` is a connection factory for the journal.
    """

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.before = before
        self.files: dict[str, _File] = {}
        self._vfs = _Vfs(f"power-{uuid.uuid4().hex}", self)

    def connect(self, path: Path) -> apsw.Connection:
        """Open a database on this disk."""
        connection = apsw.Connection(str(path), vfs=self._vfs.name)
        connection.set_busy_timeout(5_000)
        return connection

    def sync_folder(self) -> None:
        """Make deletions durable. SQLite does it with the first sync of a new journal or log."""
        for name in [name for name, file in self.files.items() if file.deleted]:
            del self.files[name]

    def cut(self) -> Cut:
        """The disk as it is now."""
        return Cut(
            {
                name: _File(file.synced, list(file.changes), file.deleted)
                for name, file in self.files.items()
            }
        )

    def close(self) -> None:
        """Take the virtual file system out of SQLite; its connections are closed."""
        self._vfs.unregister()


class _Vfs(apsw.VFS):
    """Hands out files that report to the disk."""

    def __init__(self, name: str, disk: PowerDisk) -> None:
        self.name = name
        self._disk = disk
        super().__init__(name, "")

    def xOpen(  # noqa: N802 - SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        if name is None:
            return apsw.VFSFile("", name, flags)
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        existed = path.exists()
        opened = _OpenFile(name, flags, self._disk, path)
        known = self._disk.files.get(path.name)
        if known is None:
            content = path.read_bytes() if existed else None
            self._disk.files[path.name] = _File(content)
        elif known.deleted:
            known.deleted = False
            known.changes.append((0, None))
        return opened

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's
        self._disk.before()
        super().xDelete(filename, syncdir)
        name = Path(filename).name
        if syncdir or self._disk.files[name].synced is None:
            self._disk.files.pop(name, None)
        else:
            self._disk.files[name].deleted = True


class _OpenFile(apsw.VFSFile):
    """One open file: does the work, and notes what is not synced yet."""

    def __init__(
        self, name: str | apsw.URIFilename, flags: list[int], disk: PowerDisk, path: Path
    ) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._name = path.name
        self._is_database = bool(flags[0] & apsw.SQLITE_OPEN_MAIN_DB)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's name; bytes-like
        self._disk.before()
        super().xWrite(data, offset)
        self._disk.files[self._name].changes.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.before()
        super().xTruncate(newsize)
        self._disk.files[self._name].changes.append((newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802 - the real sync is not needed
        self._disk.before()
        file = self._disk.files[self._name]
        if file.synced is None and not self._is_database:
            self._disk.sync_folder()
        content = bytearray(file.synced or b"")
        for change in file.changes:
            _apply(content, change, lambda: True)
        file.synced = bytes(content)
        file.changes.clear()
