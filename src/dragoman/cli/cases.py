"""`dragoman cases …`: see cases, and decide about them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from dragoman.cli.api import Api, part
from dragoman.cli.known import check_states, desk_named
from dragoman.cli.state import Json, Reason, State
from dragoman.cli.tables import show_fields, show_table
from dragoman.domain.case import CaseState

Case = Annotated[str, typer.Argument(help="Its number, id, external id or one of its orders.")]

LIST = {
    "number": "number",
    "state": "state",
    "outcome": "outcome",
    "kind": "kind",
    "location": "location",
    "priority": "priority",
    "order": "order_id",
    "since": "since",
    "title": "title",
}
ATTEMPTS = {
    "order": "order_id",
    "robot": "robot_id",
    "state": "state",
    "assigned": "assigned_at",
    "accepted": "accepted_at",
    "ended": "ended_at",
    "reason": "reason",
}
ACTIONS = {
    "hold": "Keep robots from a case until it is released; a robot at work on it is stopped.",
    "release": "Give a held case to the robots again.",
    "cancel": "Call a case off; a robot at work on it is stopped.",
    "reassign": "Take a case from its robot and give it to another one.",
    "confirm-stopped": "Confirm that the robot of an uncertain case stands still.",
}

RELEASED = "To be released: its record at the desk is read again first. The case as it is now:"


def list_(
    ctx: typer.Context,
    state: Annotated[list[str] | None, typer.Option("--state", help="Only these states.")] = None,
    desk: Annotated[str, typer.Option("--desk", help="Only of this desk.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="Only of this kind.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    _json: Json = False,
) -> None:
    """List cases, closed ones included, newest first."""
    check_states(state or [], CaseState)
    here = State.of(ctx)
    config = here.config()
    asked = {"state": state or [], "desk": desk, "kind": kind}
    found = Api(config).pages("/cases", asked, limit)
    if desk and not found:  # a desk that was taken out may have cases still
        desk_named(config, desk)
    here.present({"items": found}, lambda: show_table(LIST, found, "No cases."))


def show(ctx: typer.Context, case: Case, _json: Json = False) -> None:
    """Show one case with its attempts: which order of which robot it was."""
    here = State.of(ctx)
    _present(here, Api(here.config()).get(f"/cases/{part(case)}"))


def explain(ctx: typer.Context, case: Case, _json: Json = False) -> None:
    """Show why its robots were chosen: what each robot would have cost, or why it was excluded."""
    here = State.of(ctx)
    found = Api(here.config()).get(f"/cases/{part(case)}/explain")

    def people() -> None:
        for one in found:
            show_fields({"order": one["order_id"], "at": one["at"], **one["decision"]})

    here.present({"items": found}, people)


def _acting(action: str) -> Callable[..., None]:
    """The command of one action."""

    def command(ctx: typer.Context, case: Case, reason: Reason, _json: Json = False) -> None:
        here = State.of(ctx)
        body = {"action": action, "reason": reason}
        shown = Api(here.config()).post(f"/cases/{part(case)}/actions", body)
        waits = action == "release" and shown["state"] == "held"
        _present(here, shown, RELEASED if waits else "")

    return command


def _present(here: State, case: dict[str, Any], first: str = "") -> None:
    def people() -> None:
        if first:
            typer.echo(first)
        listed = ("assignments", "dead")
        show_fields({key: value for key, value in case.items() if key not in listed})
        show_table(ATTEMPTS, case["assignments"], "No robot had it yet.")
        show_dead(case)

    here.present(case, people)


def show_dead(case: Mapping[str, Any]) -> None:
    """Print the dead letters that hold a case up, and what sends them again."""
    for letter in case["dead"]:
        typer.echo(
            f"A dead letter holds it up: {letter['verb']} to {letter['target']}: "
            f"{letter['reason']}\nMend the cause, then: "
            f"dragoman deliveries replay {letter['id']} --reason WHY"
        )


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="See cases and decide about them.")
    group.command("list")(list_)
    group.command("show")(show)
    group.command("explain")(explain)
    for action, text in ACTIONS.items():
        group.command(action, help=text)(_acting(action))
    app.add_typer(group, name="cases")
