"""Make a virtual environment and install one hashed requirements file into it.

The Makefile calls this with any Python 3 that is at hand, before anything is installed, so
it uses the standard library only. It shows one progress line, since a newcomer's first
`make` takes a minute or two, and prints pip's own last words if the installation fails.

Usage: python3 tools/make_venv.py VENV REQUIREMENTS [--editable PROJECT]
"""

from __future__ import annotations  # an old Python must get as far as check_python

import argparse
import collections
import importlib.util
import os
import pathlib
import subprocess
import sys
import time

OLDEST_PYTHON = (3, 11)
OLDEST_PIP_FOR_OTHERS = (22, 3)  # the first one with `pip --python`
LAST_LINES = 25
# Wheels only, so that no code runs at installation; Python compiles what it imports by itself.
PIP_SAFE = ["--require-hashes", "--only-binary", ":all:", "--no-compile"]


class SetupError(Exception):
    """The environment can't be made; the message says what to do about it."""


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that is too old, naming the one found and the mend."""
    if version < OLDEST_PYTHON:
        found = ".".join(map(str, version[:3]))
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise SetupError(
            f"Python {wanted} or newer is needed, but {sys.executable} is {found}. "
            f"Name another one: make PYTHON=python{wanted}"
        )


def create(venv: pathlib.Path) -> list[str]:
    """Create the environment if it isn't there; return the pip command that installs into it."""
    python = venv / "bin" / "python"
    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    if not python.exists():
        options = [] if has_ensurepip else ["--without-pip"]
        command = [sys.executable, "-m", "venv", *options, str(venv)]
        done = subprocess.run(command, check=False)
        if done.returncode:
            raise SetupError(
                f"`{' '.join(command)}` failed. On Debian and Ubuntu install the package "
                "python3-venv, then run make again."
            )
    if _runs([str(python), "-m", "pip", "--version"]):
        return [str(python), "-m", "pip"]
    return [*_outer_pip(), "--python", str(python)]


def _runs(command: list[str]) -> bool:
    return not subprocess.run(command, check=False, capture_output=True).returncode


def _outer_pip() -> list[str]:
    """Return the pip of this Python; it serves an environment that has none of its own."""
    command = [sys.executable, "-m", "pip"]
    shown = subprocess.run([*command, "--version"], check=False, capture_output=True, text=True)
    words = shown.stdout.split()
    numbers = tuple(int(part) for part in words[1].split(".")[:2]) if len(words) > 1 else (0, 0)
    if shown.returncode or numbers < OLDEST_PIP_FOR_OTHERS:
        raise SetupError(
            "this Python has neither ensurepip nor pip 22.3 or newer. On Debian and Ubuntu "
            "install the package python3-venv, then run make again."
        )
    return command


def count_pins(requirements: pathlib.Path) -> int:
    """Return how many packages a requirements file pins (an upper bound: markers may skip some)."""
    return sum("==" in line for line in requirements.read_text("utf-8").splitlines())


def install(pip: list[str], arguments: list[str], label: str, total: int) -> None:
    """Run `pip install` with a progress line; raise SetupError with pip's last lines."""
    command = [*pip, "install", "--disable-pip-version-check", "--no-input", *arguments]
    last: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
    seen = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 (for the type checker; PIPE was asked for)
        for line in process.stdout:
            last.append(line.rstrip())
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                show(f"{label}: {min(seen, total)} of {total} packages found")
            elif line.startswith("Installing collected packages"):
                show(f"{label}: installing {seen} packages")
    if process.returncode:
        raise SetupError("\n".join([f"{label} failed; pip's last lines:", *last]))


def show(text: str) -> None:
    """Rewrite the progress line of a terminal; stay silent elsewhere, where it would fill a log."""
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K" + text)
        sys.stdout.flush()


def main() -> int:
    """Make or refresh the environment; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("venv", type=pathlib.Path)
    parser.add_argument("requirements", type=pathlib.Path)
    parser.add_argument("--editable", type=pathlib.Path)
    options = parser.parse_args()
    start = time.monotonic()
    total = count_pins(options.requirements)
    print(f"Installing {total} pinned packages into {options.venv} (once) ...", flush=True)
    try:
        check_python(tuple(sys.version_info[:3]))
        pip = create(options.venv)
        pinned = ["-r", os.fspath(options.requirements)]
        install(pip, [*PIP_SAFE, *pinned], "Packages", total)
        if options.editable is not None:
            # Everything is there already, so pip may neither resolve nor fetch anything more.
            project = ["--no-deps", "--no-build-isolation", "-e", os.fspath(options.editable)]
            install(pip, project, "This project", 1)
    except SetupError as error:
        show("")
        print(f"error: {error}", file=sys.stderr)
        return 1
    show("")
    print(f"{options.venv} is ready after {time.monotonic() - start:.0f} s.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
