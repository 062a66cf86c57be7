"""`dragoman version`: what runs here, for bug reports."""

import platform

import typer

from dragoman import __version__
from dragoman.cli.state import Json, State


def version(ctx: typer.Context, _json: Json = False) -> None:
    """Print the versions of Dragoman and Python, and the platform."""
    versions = {
        "dragoman": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    text = "dragoman {dragoman} (Python {python}, {platform})"
    State.of(ctx).show(versions, text.format(**versions))


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(version)
