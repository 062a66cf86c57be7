"""A process that is bound to its starter ends with it, also when that is killed."""

import subprocess
import sys

import psutil
import pytest

MODULE = """
import os, signal, sys, time
if sys.argv[2] == "handles":
    signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"asked to end\\n"), sys.exit(3)))
print(__name__, *sys.argv[1:], flush=True)
time.sleep(60)
"""
STARTER = """
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-m", "dragoman.testing.bound", "sleeper", "one", sys.argv[1]],
    stdin=subprocess.PIPE,
)
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("how", ["handles", "plain"])
def test_it_ends_when_its_starter_is_killed(
    how: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """handles: SIGTERM is handled, so that it can end in order."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "sleeper.py").write_text(MODULE)
    command = [sys.executable, "-c", STARTER, how]
    env = {"PYTHONPATH": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as starter:
        assert starter.stdout is not None
        child = psutil.Process(int(starter.stdout.readline()))
        said = starter.stdout.readline()
        was_alive = child.is_running()
        starter.kill()
        _, alive = psutil.wait_procs([child], timeout=20)
        for one in alive:
            one.kill()
        last = starter.stdout.read()
    assert said == f"__main__ one {how}\n"
    assert was_alive
    assert not alive
    assert last == ("asked to end\n" if how == "handles" else "")
