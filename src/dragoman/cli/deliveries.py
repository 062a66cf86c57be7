"""`dragoman deliveries …`: what has to leave the gateway, dead letters above all."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dragoman.cli.api import Api, part
from dragoman.cli.known import check_states
from dragoman.cli.state import Json, Reason, State
from dragoman.cli.tables import show_fields, show_table
from dragoman.domain.delivery import DeliveryState
from dragoman.domain.errors import Permanent

Delivery = Annotated[str, typer.Argument(help="Its id.")]
Target = Annotated[str, typer.Option("--target", help="Only to this target, like desk:snow.")]
OfCase = Annotated[str, typer.Option("--case", help="Only of this case.")]

LIST = {
    "id": "id",
    "case": "case_number",
    "state": "state",
    "target": "target",
    "verb": "verb",
    "attempts": "attempts",
    "created": "created_at",
    "next": "next_at",
    "reason": "reason",
}
SUMS = {
    key: key for key in ("target", "matched", "delivered", "failed", "in_flight", "queued", "dead")
}


def list_(
    ctx: typer.Context,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="queued, in_flight, delivered, dead or failed."),
    ] = None,
    target: Target = "",
    case: OfCase = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    _json: Json = False,
) -> None:
    """List deliveries and dead letters, newest first."""
    check_states(state or [], DeliveryState)
    here = State.of(ctx)
    api = Api(here.config())
    asked = {"state": state or [], "target": target, "case_id": _case_id(api, case)}
    found = api.pages("/deliveries", asked, limit)
    here.present({"items": found}, lambda: show_table(LIST, found, "No deliveries."))


def show(ctx: typer.Context, delivery: Delivery, _json: Json = False) -> None:
    """Show one delivery with its payload."""
    here = State.of(ctx)
    found = Api(here.config()).get(f"/deliveries/{part(delivery)}")

    def people() -> None:
        show_fields({key: value for key, value in found.items() if key != "payload"})
        print(json.dumps(found["payload"], ensure_ascii=False, indent=2))

    here.present(found, people)


def replay(
    ctx: typer.Context,
    reason: Reason,
    delivery: Annotated[str, typer.Argument(help="Its id; none: all that fit.")] = "",
    payload: Annotated[
        Path | None, typer.Option("--payload", metavar="FILE", help="JSON instead of the stored.")
    ] = None,
    target: Target = "",
    case: OfCase = "",
    _json: Json = False,
) -> None:
    """Send a dead letter again, or all of a target or case."""
    here = State.of(ctx)
    api = Api(here.config())
    if delivery:
        body = {"reason": reason, "payload": None if payload is None else _read(payload)}
        found = api.post(f"/deliveries/{part(delivery)}/replay", body)
        here.show(found, f"{delivery} goes out again.")
        return
    if not target and not case:
        raise Permanent("nothing says which", mend="name a delivery, --target or --case")
    ids: list[str] = []
    more = True
    while more:
        asked = {"reason": reason, "target": target or None, "case_id": _case_id(api, case) or None}
        answer = api.post("/deliveries/replay", asked)
        fresh = [one for one in answer["ids"] if one not in ids]
        ids += fresh
        more = answer["left"] and bool(fresh)
    here.show({"ids": ids}, f"{len(ids)} go out again.")


def drop(ctx: typer.Context, delivery: Delivery, reason: Reason, _json: Json = False) -> None:
    """Give a delivery up for good; if it was its case's final write, the case closes."""
    here = State.of(ctx)
    found = Api(here.config()).post(f"/deliveries/{part(delivery)}/drop", {"reason": reason})
    here.show(found, f"{delivery} is given up.")


def sums(ctx: typer.Context, _json: Json = False) -> None:
    """Show what became of all deliveries, by target: the sums that must add up."""
    here = State.of(ctx)
    found = Api(here.config()).get("/outbox")
    here.present({"items": found}, lambda: show_table(SUMS, found, "No deliveries."))
    if wrong := [one["target"] for one in found if not one["adds_up"]]:
        raise Permanent(f"the sums of {', '.join(wrong)} don't add up", mend="report this defect")


def _case_id(api: Api, name: str) -> str:
    """The id of a case that is named in any way."""
    return str(api.get(f"/cases/{part(name)}")["id"]) if name else ""


def _read(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Permanent(f"{file} holds no JSON: {error}", field="--payload") from error


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="See what leaves; replay or drop dead letters.")
    group.command("list")(list_)
    group.command("show")(show)
    group.command("replay")(replay)
    group.command("drop")(drop)
    group.command("sums")(sums)
    app.add_typer(group, name="deliveries")
