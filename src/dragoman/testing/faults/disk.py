"""Full disks, for a process or for a folder.

Used by tests of what the gateway does when its journal can't be written: it refuses new work
(a webhook is answered 503), loses nothing that it acknowledged, and goes on when there is room.
"""

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MNT_DETACH = 2


@contextmanager
def no_room(pid: int = 0, *, limit: int = 0) -> Iterator[None]:
    """Let a process (this one by default) write no file beyond `limit` bytes from its start.

    Linux only. Its writes then fail with EFBIG, to any file, existing ones too; pipes and sockets
    still work. Python programs ignore the signal that comes with it.
    """
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


class SmallDisk:
    """A small file system in memory, mounted on a folder; `fill` and `empty` at will.

    Writes to it fail with ENOSPC while it is full. Mounting needs root: PermissionError if not.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._filler = folder / "filler"
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        options = f"size={size}".encode()
        self._call(self._libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options))

    def fill(self, leave: int = 0) -> None:
        """Take all room but `leave` bytes."""
        free = os.statvfs(self.folder)
        size = free.f_bavail * free.f_frsize - leave
        if size > 0:
            file = os.open(self._filler, os.O_WRONLY | os.O_CREAT)
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)

    def empty(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take the file system away, with everything on it."""
        self._call(self._libc.umount2(os.fsencode(self.folder), _MNT_DETACH))

    def _call(self, result: int) -> None:
        if result:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(self.folder))
