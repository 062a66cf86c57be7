"""Runs a module that ends with the program that started it, however that ends.

`python -m dragoman.testing.bound MODULE ARGUMENT…`, with a pipe for standard input whose other end
the starter holds and never writes to. When the starter is gone, a SIGKILL included, the system
closes the pipe, and the module gets a SIGTERM. Used for the processes of the demo, the benchmark
and the kill tests; works on every POSIX system, since nothing but the pipe is asked of it.
"""

import os
import runpy
import signal
import sys
import threading


def main(module: str, arguments: list[str]) -> None:
    """Run the module as a program of its own, in this process."""
    threading.Thread(target=_watch, name="bound", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _watch() -> None:
    """Wait for the end of the input; what comes before it is nobody's."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
