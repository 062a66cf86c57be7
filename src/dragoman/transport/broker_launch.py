"""Run as a script by `broker.py`: becomes the broker, and sees to it that it can't be orphaned.

Arguments: pid of the parent, number of the locked file's descriptor, then the command. It stays
the same process (exec), so:
- the kernel ends the broker when its parent dies, a SIGKILL included (Linux, prctl(2)
  PR_SET_PDEATHSIG; it survives the exec). A function run between fork and exec could do that
  too, but isn't safe in a program with threads.
- the lock on the inherited descriptor lasts exactly as long as the broker (flock(2)), and the
  file holds its pid. That is what other systems go by, see `broker_lock.py`.
Imports nothing of ours: it runs before any of it could be found.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, lock_fd: int, command: list[str]) -> None:
    """Never returns: replaces this process by `command`, or exits 1 when the parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call above could see it
        sys.exit(1)
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, str(os.getpid()).encode(), 0)
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
