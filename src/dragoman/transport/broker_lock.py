"""Who may use a broker's store: one gateway, and one broker, which ends with it.

Used by `broker.py`. Two files in the store, both locked by flock(2), which the kernel lets go
when the last holder dies, however it dies:
- owner.lock is held by the gateway. If it is held, another gateway lives and we stay away.
- server.lock is held by the broker process alone and holds its pid. If it is held while we own
  the store, that broker is an orphan, and the pid is certainly its: it is ended.
"""

import asyncio
import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path

from dragoman.domain.errors import NeedsHuman

_POLL_S = 0.02


class StoreLock:
    """Ownership of one store directory. `take` before, `release` after all else."""

    def __init__(self, store_dir: Path) -> None:
        self._store_dir = store_dir
        self._owner: int | None = None

    async def take(self, *, deadline_s: float) -> None:
        """Own the store, and end an orphaned broker in it.

        Raises NeedsHuman when another gateway owns it, or the orphan outlives the deadline.
        """
        owner = _open(self._store_dir / "owner.lock")
        if not _locked(owner):
            os.close(owner)
            raise NeedsHuman(
                "another running gateway uses the embedded broker's store",
                field="store_dir",
                value=str(self._store_dir),
                mend="stop it, or give this one a directory of its own",
            )
        self._owner = owner
        try:
            os.close(await self.server_lock(deadline_s=deadline_s))
        except BaseException:
            self.release()
            raise

    async def server_lock(self, *, deadline_s: float) -> int:
        """A locked descriptor for the broker to inherit; close it here once it has started.

        A broker that still runs gets SIGTERM, and SIGKILL after half of the deadline.
        """
        lock = _open(self._store_dir / "server.lock")
        try:
            await _end_holder(lock, deadline_s)
            os.ftruncate(lock, 0)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def release(self) -> None:
        """Let another gateway have the store."""
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None


async def _end_holder(lock: int, deadline_s: float) -> None:
    """Take the lock; whoever holds it is a broker without a gateway, and is ended."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    sent: signal.Signals | None = None
    while not _locked(lock):
        waited = loop.time() - started
        pid = os.pread(lock, 20, 0).decode()
        if waited > deadline_s:
            raise NeedsHuman(
                "a broker left behind by an earlier run can't be ended",
                field="pid",
                value=pid,
                mend="end that process",
            )
        wanted = signal.SIGTERM if waited < deadline_s / 2 else signal.SIGKILL
        if pid and wanted is not sent:
            sent = wanted
            with suppress(ProcessLookupError):
                os.kill(int(pid), wanted)
        await asyncio.sleep(_POLL_S)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
