"""`dragoman check`: says everything that is wrong with the configuration, or what is in it."""

from typing import Annotated

import typer

from dragoman.cli.state import Json, State


def check(
    ctx: typer.Context,
    secrets: Annotated[
        bool, typer.Option("--secrets/--no-secrets", help="Look each secret up as well.")
    ] = True,
    _json: Json = False,
) -> None:
    """Check the configuration: types, adapters, field mappings, templates, secrets.

    Each problem is told with its file, line, setting, value and how to mend it. Nothing is
    connected to.
    """
    state = State.of(ctx)
    config = state.config(secrets=secrets)
    parts = {
        "desks": list(config.desks),
        "fleets": list(config.fleets),
        "feeds": list(config.feeds),
        "missions": list(config.missions),
        "locations": len(config.locations),
    }
    told = ", ".join(
        f"{key}: {len(value)} ({', '.join(value)})"
        if isinstance(value, list) and value
        else f"{key}: {value or 0}"
        for key, value in parts.items()
    )
    result = {"valid": True, "file": str(state.config_path), **parts, "problems": []}
    state.show(result, f"{state.config_path}: valid; {told}")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)
