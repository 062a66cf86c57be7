"""`dragoman desk …`: try a desk's description, without a running gateway and without writing."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from dragoman.cli.exits import Exit
from dragoman.cli.known import check_status, desk_named
from dragoman.cli.reach import reached
from dragoman.cli.state import Json, State
from dragoman.cli.tables import console
from dragoman.cli.trial import Step, Trial
from dragoman.config.model import Config

STYLES = {"ok": "green", "missing": "yellow", "failed": "bold red"}


def try_(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of [desks.NAME].")],
    record: Annotated[str, typer.Option("--record", help="Read this record, by its id.")] = "",
    status: Annotated[str, typer.Option("--status", help="Show the requests of this status.")] = "",
    _json: Json = False,
) -> None:
    """Log in, list, read a record, map it, and show what a write would send. Writes nothing."""
    here = State.of(ctx)
    config = here.config(secrets=True)
    desk_named(config, name)
    check_status(status)
    trial = asyncio.run(_tried(config, name, record, status))
    missing = [step.text for step in trial.steps if step.mark == "missing"]
    result = {
        "desk": name,
        "ok": not trial.failed,
        "steps": [asdict(step) for step in trial.steps],
        "missing": missing,
    }
    here.present(json.loads(json.dumps(result, default=str)), lambda: _show(trial.steps))
    if trial.failed:
        raise typer.Exit(Exit.FAILED)


async def _tried(config: Config, name: str, record: str, status: str) -> Trial:
    async with reached(config, name) as (desk, clock):
        trial = Trial(config=config, name=name, desk=desk, now=clock.now(), status=status)
        await trial.run(record)
        return trial


def _show(steps: list[Step]) -> None:
    out = console()
    for step in steps:
        line = Text(f"{step.mark:<8} ", style=STYLES[step.mark])
        line.append(f"{step.step:<16} {step.text}", style="default")
        out.print(line, soft_wrap=True)
        for request in step.data.get("requests", ()):
            _show_request(request)
        if "record" in step.data and step.mark == "ok":
            _show_json(step.data["record"])


def _show_request(request: dict[str, Any]) -> None:
    print(f"           {request['method']} {request['url']}")
    for header, value in request["headers"].items():
        print(f"           {header}: {value}")
    if request["body"] is not None:
        _show_json(request["body"])


def _show_json(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    lines = text.splitlines()
    for line in lines[:60]:
        print(f"           {line[:200]}")
    if len(lines) > 60:
        print(f"           … {len(lines) - 60} lines more, all of them with --json")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Try what the configuration says of a desk.")
    group.command("try")(try_)
    app.add_typer(group, name="desk")
