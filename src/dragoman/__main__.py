"""Starts the command `dragoman`: `python -m dragoman` and the script of that name."""

import sys

from dragoman.cli.app import run


def main() -> None:
    """Run the command line of this process and end it with its exit code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
