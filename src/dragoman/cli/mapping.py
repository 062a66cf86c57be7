"""`dragoman map …`: see what a desk's field mapping does, and which fields the desk has."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from dragoman.cli.exits import Exit
from dragoman.cli.known import check_status, desk_named
from dragoman.cli.preview import preview
from dragoman.cli.reach import reached
from dragoman.cli.state import Json, State
from dragoman.cli.tables import cell, console, show_table
from dragoman.config.model import Config
from dragoman.domain.errors import Permanent
from dragoman.domain.mapping import FAULT, FAULT_CLEARED
from dragoman.ports.schema import DeskField, Schema

FIELDS = {
    "field": "name",
    "label": "label",
    "type": "type",
    "": "marks",
    "read as": "path",
    "choices": "choices",
}
Name = Annotated[str, typer.Argument(metavar="DESK", help="Of [desks.DESK].")]


def preview_(
    ctx: typer.Context,
    name: Name,
    case_id: Annotated[str, typer.Argument(metavar="CASE_ID", help="The record's id at the desk.")],
    status: Annotated[str, typer.Option("--status", help="Only what is told at this one.")] = "",
    _json: Json = False,
) -> None:
    """Show what one record becomes, and what each status would write to it. Writes nothing."""
    here = State.of(ctx)
    config = here.config(secrets=True)
    desk_named(config, name)
    check_status(status)
    result = asyncio.run(_previewed(config, name, case_id))
    if status:
        result["write"] = [one for one in result["write"] if one["status"] == status]
    here.present(result, lambda: _show_preview(result))
    if any(row["error"] for row in result["read"]):
        raise typer.Exit(Exit.FAILED)


async def _previewed(config: Config, name: str, case_id: str) -> dict[str, Any]:
    async with reached(config, name) as (desk, clock):
        record = await desk.read(case_id)
        return preview(config.desks[name], name, desk, record, clock.now())


def import_(
    ctx: typer.Context,
    name: Name,
    writable: Annotated[
        bool, typer.Option("--writable", help="Only fields that the account may write.")
    ] = False,
    _json: Json = False,
) -> None:
    """List the desk's fields: type, mandatory or not, choices, and the path to read each by."""
    here = State.of(ctx)
    config = here.config(secrets=True)
    desk_named(config, name)
    fields = [one for one in asyncio.run(_fields(config, name)) if one.writable or not writable]
    result = {"desk": name, "items": [_field(one) for one in fields]}
    here.present(result, lambda: show_table(FIELDS, [_row(one) for one in fields], "no fields"))


async def _fields(config: Config, name: str) -> Sequence[DeskField]:
    async with reached(config, name) as (desk, _):
        if isinstance(desk, Schema):
            return await desk.fields()
    kind = config.desks[name].type
    raise Permanent(
        f"a desk of type {kind} can't list its fields",
        mend=f"`dragoman desk try {name} --json` shows a whole record; which fields can be "
        f"written stands in the API manual of the desk, and what isn't read at the path "
        f"of its own name goes into [desks.{name}.fields.NAME]",
    )


def _field(one: DeskField) -> dict[str, Any]:
    told = {"name": one.name, "label": one.label, "type": one.type, "path": one.path}
    flags = {"mandatory": one.mandatory, "writable": one.writable}
    return {**told, **flags, "choices": dict(one.choices)}


def _row(one: DeskField) -> dict[str, Any]:
    marks = [] if one.writable else ["read only"]
    marks += ["mandatory"] if one.mandatory else []
    choices = [
        value if label in ("", value) else f"{value} = {label}"
        for value, label in one.choices.items()
    ]
    shown = {"name": one.name, "label": one.label, "type": one.type, "path": one.path}
    return {**shown, "marks": ", ".join(marks), "choices": ", ".join(choices)}


def _show_preview(result: dict[str, Any]) -> None:
    out = console()
    out.print(Text(f"{result['desk']} {result['id']}, version {result['version']}", style="bold"))
    if result["when"]:
        out.print(Text(f"becomes no case: {result['when']}", style="yellow"))
    both = Table.grid(padding=(0, 2), expand=True)
    both.add_column(ratio=1)
    both.add_column(ratio=1)
    both.add_row(_read_table(result["read"]), _write_table(result["write"]))
    out.print(both)
    if result["silent"]:
        out.print(Text(f"nothing is told at {', '.join(result['silent'])}", style="dim"))


def _read_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="the record becomes", title_justify="left", box=None, pad_edge=False)
    for heading in ("case", "value", "from, and why"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        value = "" if row["value"] is None else str(row["value"])
        about = Text(row["path"], style="dim")
        if row["error"]:
            error = row["error"]
            about = Text(f"{row['path']}\n{error['text']}: {error['value']!r}; {error['mend']}")
            about.stylize("bold red")
        elif row["why"]:
            about.append(f"{chr(10) if row['path'] else ''}{row['why']}", style="yellow")
        table.add_row(Text(row["field"], style="bold"), Text(value), about)
    return table


def _write_table(writes: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="what is written", title_justify="left", box=None, pad_edge=False)
    for heading in ("status", "field", "would be", "the desk has"):
        table.add_column(heading, overflow="fold")
    for write in writes:
        first = Text(write["status"], style="bold")
        for row in _lines(write):
            table.add_row(first, *row)
            first = Text("")
    return table


def _lines(write: dict[str, Any]) -> list[tuple[Text, Text, Text]]:
    changed = {True: ("", ""), False: (" = unchanged", "dim"), None: ("", "")}
    lines = []
    for field in write["fields"]:
        text, style = changed[field["changes"]]
        unknown = "" if write["status"] in (FAULT, FAULT_CLEARED) else "(not shown)"
        now = Text(unknown if field["now"] is None else field["now"] or "(empty)")
        now.append(text, style=style)
        lines.append((Text(field["field"]), Text(field["value"] or "(empty)"), now))
    lines += [
        (Text(kind, style="italic"), Text(write[kind]), Text(""))
        for kind in ("note", "comment")
        if write[kind]
    ]
    for one in write["expect"]:
        told = {True: "holds", False: "does not hold: dead letter", None: ""}[one["holds"]]
        style = "red" if one["holds"] is False else "dim"
        lines.append(
            (
                Text(f"only if {one['field']}", style="dim"),
                Text(" or ".join(one["allowed"]), style="dim"),
                Text(f"{cell(one['now'])}  {told}", style=style),
            )
        )
    if write["empty"]:
        names = ", ".join(f"{{{name}}}" for name in write["empty"])
        lines.append((Text("empty", style="yellow"), Text(names, style="yellow"), Text("")))
    return lines


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="See what a desk's field mapping does.")
    group.command("preview")(preview_)
    group.command("import")(import_)
    app.add_typer(group, name="map")
