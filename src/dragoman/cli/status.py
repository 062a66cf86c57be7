"""`dragoman status`: how the running gateway is: desks, breakers, what waits and what is dead."""

from typing import Any

import typer

from dragoman.cli.api import Api
from dragoman.cli.exits import Exit
from dragoman.cli.state import Json, State
from dragoman.cli.tables import cell, show_table

DESKS = {"desk": "desk", "healthy": "well", "last error": "last_error", "mapping": "mapping"}
TARGETS = {
    "target": "target",
    "breaker": "breaker",
    "queued": "queued",
    "in flight": "in_flight",
    "dead": "dead",
    "since": "since",
    "reason": "reason",
}


def status(ctx: typer.Context, _json: Json = False) -> None:
    """Show how the running gateway is. Ends with 1 if it isn't ready."""
    here = State.of(ctx)
    found = Api(here.config()).live("/status")
    here.present(found, lambda: _show(found))
    if not found["ready"]:
        raise typer.Exit(Exit.FAILED)


def _show(found: dict[str, Any]) -> None:
    failed = [name for name, passed in found["checks"].items() if not passed]
    ready = "ready" if found["ready"] else f"not ready: {', '.join(failed)}"
    print(f"site {found['site']}, dragoman {found['version']}: {ready}")
    for what in ("cases", "robots"):
        print(f"{what}: {cell(found[what]) or 'none'}")
    mappings = {one["desk"]: one for one in found["mappings"]}
    rows = [{**one, **_desk(one, mappings.get(one["desk"]))} for one in found["pollers"]]
    show_table(DESKS, rows, "No desk is polled.")
    show_table(TARGETS, found["targets"], "Nothing is told to anyone.")


def _desk(poller: dict[str, Any], mapping: dict[str, Any] | None) -> dict[str, str]:
    """How a desk is: not known before it was asked once."""
    well = "not asked yet" if poller["healthy"] is None else cell(poller["healthy"])
    drift = (mapping or {}).get("drift")
    fits = "not checked" if drift is None else "fits" if not drift else f"{len(drift)} problems"
    return {"well": well, "mapping": fits}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)
