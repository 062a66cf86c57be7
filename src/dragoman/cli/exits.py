"""The exit codes of the command `dragoman`, and which error ends with which.

Used by app.py; explained in docs/reference/cli.md.
"""

from enum import IntEnum

from dragoman.config.problems import ConfigInvalid
from dragoman.domain.errors import DragomanError, NotFound, RetryLater


class Exit(IntEnum):
    """Exit codes; scripts rely on them, so none changes its meaning."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    UNREACHABLE = 4
    NOT_FOUND = 5
    INTERRUPTED = 130


class Unreachable(RetryLater):
    """The gateway that a command talks to doesn't answer."""


def exit_of(error: DragomanError) -> Exit:
    """The exit code of an error that a command raised."""
    if isinstance(error, ConfigInvalid):
        return Exit.CONFIG
    if isinstance(error, Unreachable):
        return Exit.UNREACHABLE
    if isinstance(error, NotFound):
        return Exit.NOT_FOUND
    return Exit.FAILED
