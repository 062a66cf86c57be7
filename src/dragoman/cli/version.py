"""`dragoman version`: what runs here, for bug reports."""

import platform
import sqlite3

import typer

from dragoman import __version__
from dragoman.cli.state import Json, State


def version(ctx: typer.Context, _json: Json = False) -> None:
    """Print the versions of Dragoman, Python and SQLite."""
    versions = {
        "dragoman": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "platform": platform.platform(),
    }
    text = "dragoman {dragoman} (Python {python}, SQLite {sqlite}, {platform})"
    State.of(ctx).show(versions, text.format(**versions))


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(version)
