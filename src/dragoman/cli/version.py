"""`dragoman version`: what runs here, for bug reports."""

import platform

import typer

from dragoman import __version__
from dragoman.cli.state import Json, State

TEXT = "dragoman {dragoman} (Python {python}, {platform})"


def version(ctx: typer.Context, _json: Json = False) -> None:
    """Print the versions of Dragoman and Python, and the platform."""
    versions = _versions()
    State.of(ctx).show(versions, TEXT.format(**versions))


def show(wanted: bool) -> None:
    """The option `dragoman --version`: the same as text."""
    if wanted:
        typer.echo(TEXT.format(**_versions()))
        raise typer.Exit


def _versions() -> dict[str, str]:
    return {
        "dragoman": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(version)
