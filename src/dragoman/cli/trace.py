"""`dragoman trace CASE`: one timeline from the desk over the gateway to the robot and back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from dragoman.cli.api import Api, part
from dragoman.cli.cases import Case, show_dead
from dragoman.cli.state import Json, State
from dragoman.cli.tables import console

_BY_ROBOT = frozenset({"case.accepted", "case.executing", "case.done", "case.failed"})
"""What the gateway notes because a robot said so."""
_STYLES = {"desk": "cyan", "robot": "green", "operator": "magenta"}


def trace(ctx: typer.Context, case: Case, _json: Json = False) -> None:
    """Show all that happened to a case, with seconds since it was opened at the desk."""
    here = State.of(ctx)
    api = Api(here.config())
    found = api.get(f"/cases/{part(case)}")
    steps = timeline(found, api.get(f"/cases/{part(found['id'])}/timeline"))
    result = {"case": found, "timeline": steps}
    here.present(result, lambda: _people(found, steps))


def timeline(case: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries with where each happened, and seconds since the opening and the step before.

    The desk's own opening comes first; its clock has whole seconds at many desks.
    """
    opened = datetime.fromisoformat(case["opened_at"])
    steps: list[dict[str, Any]] = [
        {
            "at": case["opened_at"],
            "after_s": 0.0,
            "where": f"desk:{case['desk']}",
            "action": "desk.opened",
            "text": f"{case['number']} was opened at the desk.",
        }
    ]
    for entry in entries:
        after = (datetime.fromisoformat(entry["at"]) - opened).total_seconds()
        steps.append({**entry, "after_s": round(after, 3), "where": _where(entry)})
    return steps


def _where(entry: Mapping[str, Any]) -> str:
    """At which side it happened."""
    if entry["action"] == "desk.updated":
        return f"desk:{entry['desk']}"
    if entry["action"] in _BY_ROBOT and entry["actor"] == "gateway" and entry["robot_id"]:
        return f"robot:{entry['robot_id']}"
    return str(entry["actor"])


def _people(case: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> None:
    out = console()
    head = f"{case['number']}  {case['title']}  {case['kind']} at {case['location']}"
    out.print(Text(head, style="bold"))
    out.print(Text(f"{case['state']}  case {case['id']}  trace {case['trace_id']}"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("after", justify="right", no_wrap=True)
    for heading in ("where", "what"):
        table.add_column(heading, overflow="fold")
    for step in steps:
        where = step["where"]
        style = _STYLES.get(where.partition(":")[0], "")
        table.add_row(
            Text(f"{step['after_s']:.3f} s"), Text(where, style=style), Text(step["text"])
        )
    out.print(table)
    if case["waiting"]:
        out.print(Text(f"It waits for a robot: {case['waiting']}"))
    show_dead(case)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(trace)
