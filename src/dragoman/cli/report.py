"""`dragoman report …`: figures of a shift. Read from the journal if the gateway doesn't run."""

from typing import Annotated, Any

import typer

from dragoman.cli.api import Api
from dragoman.cli.exits import Exit
from dragoman.cli.state import Json, State
from dragoman.cli.tables import show_table

FIGURES = {
    "shift (UTC)": "when",
    "active": "active",
    "compared": "compared",
    "coverage": "covered",
    "errors": "errors",
    "unreachable": "unreachable",
    "rate": "told",
    "at most (95 %)": "bound",
    "open": "open",
    "swept": "swept",
    "detect": "detected",
    "heal": "healed",
}
OPEN = {
    "delivery": "delivery",
    "state": "state",
    "side": "side",
    "kind": "kind",
    "since": "since",
    "what": "text",
}


def sync(
    ctx: typer.Context,
    shifts: Annotated[
        int, typer.Option("--shifts", min=1, max=100, help="The running one and those before.")
    ] = 2,
    _json: Json = False,
) -> None:
    """Show whether desks and robots agree, shift by shift. Ends with 1 above 1 error in 100."""
    here = State.of(ctx)
    found = Api(here.config()).get("/reports/sync", {"limit": shifts})

    def people() -> None:
        show_table(FIGURES, [_line(one) for one in found["shifts"]], "No shifts.")
        show_table(OPEN, found["open"], "No mismatch is open.")
        if not found["enabled"]:
            print("Comparing is switched off: reconcile.enabled = false.")

    here.present(found, people)
    if any(one["too_many"] for one in found["shifts"]):
        raise typer.Exit(Exit.FAILED)


def _line(one: dict[str, Any]) -> dict[str, Any]:
    """A shift as a line for people."""
    start, end = one["shift"]["start"], one["shift"]["end"]
    told = {
        "when": f"{start[:10]} {start[11:16]}-{end[11:16]}",
        "covered": f"{one['coverage']:.1%}",
        "told": f"{one['rate']:.2%}",
        "bound": f"{one['rate_at_most']:.2%}",
        "detected": _seconds(one["detect"]),
        "healed": _seconds(one["heal"]),
    }
    return {**one, **told}


def _seconds(times: dict[str, Any]) -> str:
    """Median and longest, "" if none was measured."""
    if not times["count"]:
        return ""
    return f"{times['median_s']:.0f} s, longest {times['longest_s']:.0f} s"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Figures by shift.")
    group.command("sync")(sync)
    app.add_typer(group, name="report")
