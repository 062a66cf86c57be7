"""One process, one journal: an advisory lock on a file beside the database.

Taken by SqliteJournal.open and by the offline commands that write. The system lets go of it when
the process ends, however it ends; the file itself stays and means nothing.
"""

import fcntl
import os
from pathlib import Path

from dragoman.domain.errors import NeedsHuman


class FileLock:
    """An exclusive lock on `PATH.lock`, which names its holder's pid."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises NeedsHuman, with the other process's pid, if it is taken."""
        self._name = path.with_name(path.name + ".lock")
        self._file = os.open(self._name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise NeedsHuman(
                f"the journal {path} is in use by process {holder}",
                mend="stop that process first; one journal has one writer",
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode("ascii"), 0)

    def release(self) -> None:
        """Let go. Harmless when done twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
