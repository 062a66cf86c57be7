"""Puts the commands together and shows their errors, once and without a traceback.

Called by __main__.py. A new command is a module of this package with `add_to(app)`, named in
COMMANDS below and explained in docs/reference/cli.md.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from dragoman.cli import (
    cases,
    check,
    deliveries,
    demo,
    desk,
    init,
    journal,
    mapping,
    new,
    report,
    robots,
    status,
    trace,
    up,
    version,
)
from dragoman.cli.exits import Exit, exit_of
from dragoman.cli.state import State
from dragoman.config.problems import ConfigInvalid
from dragoman.domain.errors import DragomanError

COMMANDS = (
    *(init, check, desk, mapping, new, up, demo),
    *(status, cases, robots, deliveries, trace, report, journal, version),
)


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="dragoman",
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # they show local variables, secrets among them
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for module in COMMANDS:
        module.add_to(app)
    return app


def _options(
    ctx: typer.Context,
    config: Annotated[
        Path,
        typer.Option(
            "--config", "-c", metavar="FILE", envvar="DRAGOMAN_CONFIG", help="The configuration."
        ),
    ] = Path("dragoman.toml"),
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=version.show, is_eager=True, help="What runs here, and end."
        ),
    ] = False,
) -> None:
    """Dragoman: the gateway between service desks and robot fleets."""
    State.of(ctx).config_path = config


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (None: this process's own); returns its exit code, see exits.py."""
    state = State()
    try:
        build()(args=arguments, prog_name="dragoman", obj=state)
    except DragomanError as error:
        show_error(error, state)
        return exit_of(error)
    except SystemExit as ended:  # Typer's own: 2 at wrong usage, 130 when interrupted
        if ended.code == Exit.USAGE and _config_behind(
            sys.argv[1:] if arguments is None else arguments
        ):
            print(
                "--config stands before the command: dragoman --config FILE COMMAND",
                file=sys.stderr,
            )
        return ended.code if isinstance(ended.code, int) else Exit.OK
    return Exit.OK


def _config_behind(arguments: Sequence[str]) -> bool:
    """Whether --config stands behind the command, where it isn't known."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        del rest[: 2 if rest[0] in ("--config", "-c") else 1]
    return any(one in ("--config", "-c") or one.startswith("--config=") for one in rest)


def show_error(error: DragomanError, state: State) -> None:
    """An error as text on stderr; with --json as problem details (RFC 9457) on stdout."""
    problems = error.problems if isinstance(error, ConfigInvalid) else ()
    if not state.json:
        print(f"dragoman: {error}" if not problems else str(error), file=sys.stderr)
        if len(problems) > 1:
            print(f"dragoman: {len(problems)} problems", file=sys.stderr)
        return
    details: dict[str, Any] = {
        "type": f"urn:dragoman:error:{type(error).__name__}",
        "title": type(error).__name__,
        "detail": error.text if not problems else "the configuration is not valid",
        "exit": exit_of(error),
    }
    details |= {key: value for key in ("field", "value", "mend") if (value := getattr(error, key))}
    if problems:
        details |= {"valid": False, "problems": [problem.as_dict() for problem in problems]}
    print(json.dumps(details, ensure_ascii=False, indent=2))
