"""`dragoman check`: says everything that is wrong with the configuration, or what is in it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from dragoman.cli.live import answers
from dragoman.cli.state import Json, State
from dragoman.config import positions
from dragoman.config.advice import advice
from dragoman.config.kept import short_secrets
from dragoman.config.model import Config
from dragoman.config.problems import ConfigInvalid, located


def check(
    ctx: typer.Context,
    secrets: Annotated[
        bool, typer.Option("--secrets/--no-secrets", help="Look each secret up as well.")
    ] = True,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the desks whether the mappings fit, too.")
    ] = False,
    _json: Json = False,
) -> None:
    """Check the configuration: types, adapters, field mappings, templates, secrets.

    Each problem is told with its file, line, setting, value and how to mend it. Nothing is
    connected to, unless --live is given. What is valid but unwise is told as a warning.
    """
    state = State.of(ctx)
    config = state.config(secrets=secrets or live)
    warnings = list(advice(config))
    if secrets or live:
        warnings += short_secrets(config)
    if live:
        warnings += _live(config, state.config_path)
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
    file = str(state.config_path)
    result = {"valid": True, "file": file, **parts, "problems": [], "warnings": warnings}
    state.show(result, "\n".join([f"{file}: valid; {told}", *(f"warning: {w}" for w in warnings)]))


def _live(config: Config, file: Path) -> list[str]:
    """The desks' warnings. Raises ConfigInvalid, or the first error of a desk."""
    told = asyncio.run(answers(config))
    problems = [problem for answer in told for problem in answer.problems()]
    if problems:
        lines = positions.positions(file.read_text(encoding="utf-8"))
        raise ConfigInvalid(located(problems, file, lines))
    for answer in told:
        if answer.error is not None:
            raise answer.error
    return [warning for answer in told for warning in answer.warnings()]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)
