"""`dragoman robots …`: who there is, how they are, and taking one out of service."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from dragoman.cli.api import Api
from dragoman.cli.state import Json, Reason, State
from dragoman.cli.tables import show_fields, show_table

Robot = Annotated[str, typer.Argument(help="Its id: manufacturer/serial.")]

LIST = {
    "robot": "id",
    "fleet": "fleet",
    "presence": "presence",
    "link": "link",
    "mode": "mode",
    "battery": "battery",
    "order": "bound",
    "jobs": "jobs",
    "out of service": "banned",
}


def list_(
    ctx: typer.Context,
    fleet: Annotated[str, typer.Option("--fleet", help="Only of this fleet.")] = "",
    free: Annotated[bool | None, typer.Option("--free/--bound", help="Only (not) free.")] = None,
    _json: Json = False,
) -> None:
    """List all robots with their newest states."""
    here = State.of(ctx)
    found = Api(here.config()).get("/robots", {"fleet": fleet, "free": free})
    rows = [{**(robot["report"] or {}), **robot} for robot in found]
    here.present({"items": found}, lambda: show_table(LIST, rows, "No robots."))


def show(ctx: typer.Context, robot: Robot, _json: Json = False) -> None:
    """Show one robot with its newest state."""
    here = State.of(ctx)
    _present(here, Api(here.config()).get(f"/robots/{robot}"))


def _acting(action: str) -> Callable[..., None]:
    def command(ctx: typer.Context, robot: Robot, reason: Reason, _json: Json = False) -> None:
        here = State.of(ctx)
        body = {"action": action, "reason": reason}
        _present(here, Api(here.config()).post(f"/robots/{robot}/actions", body))

    return command


def _present(here: State, robot: dict[str, Any]) -> None:
    report = {f"report.{key}": value for key, value in (robot["report"] or {}).items()}
    own = {key: value for key, value in robot.items() if key != "report"}
    here.present(robot, lambda: show_fields({**own, **report}))


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="See robots, take one out of service.")
    group.command("list")(list_)
    group.command("show")(show)
    group.command("ban", help="Give a robot no new work; what it has at hand goes on.")(
        _acting("ban")
    )
    group.command("unban", help="Put a robot back in service.")(_acting("unban"))
    app.add_typer(group, name="robots")
