"""`dragoman journal …`: the journal's file: back it up, restore, archive, verify, look at it."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from dragoman.cli.state import Json, State
from dragoman.cli.tables import show_fields, show_table
from dragoman.domain.errors import Permanent
from dragoman.journal.sqlite import maintenance


def backup(
    ctx: typer.Context,
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; must not exist yet.")],
    _json: Json = False,
) -> None:
    """Copy the journal, beside a running gateway too, and verify the copy."""
    here = State.of(ctx)
    seq = maintenance.backup(_file(here), to, datetime.now(UTC))
    here.show({"file": str(to), "last_seq": seq}, f"{to} holds the journal up to entry {seq}.")


def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a journal; it is kept.")] = False,
    _json: Json = False,
) -> None:
    """Put a backup in the journal's place, with the gateway stopped."""
    here = State.of(ctx)
    kept = maintenance.restore(file, _file(here), datetime.now(UTC), force=force)
    text = f"Restored {file}." + (f" The journal that was there is {kept}." if kept else "")
    here.show({"restored": str(file), "kept": None if kept is None else str(kept)}, text)


def archive(
    ctx: typer.Context,
    to: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Default: a new one in [retention].")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="Instead of retention.closed_days.")
    ] = None,
    _json: Json = False,
) -> None:
    """Move cases that were closed long ago to an archive file, with the gateway stopped."""
    here = State.of(ctx)
    config = here.config()
    now = datetime.now(UTC)
    before = now - timedelta(days=days or config.retention.closed_days)
    to = to or config.archive_file(now)
    moved = maintenance.archive(_file(here), before, to, now)
    text = f"{moved.cases} cases and {moved.deliveries} deliveries went to {to}."
    here.show({"file": str(to), **asdict(moved)}, text if moved else "Nothing is that old.")


def verify(ctx: typer.Context, _json: Json = False) -> None:
    """Check the file's structure, that no entry is missing, and that the sums add up."""
    here = State.of(ctx)
    file = _file(here)
    problems = maintenance.verify(file, datetime.now(UTC))
    text = "\n".join(problems) or f"{file} is sound."
    here.show({"file": str(file), "sound": not problems, "problems": problems}, text)
    if problems:
        raise typer.Exit(1)


def stats(ctx: typer.Context, _json: Json = False) -> None:
    """Show sizes and counts."""
    here = State.of(ctx)
    found = asdict(maintenance.stats(_file(here)))
    sums = found.pop("tallies")

    def people() -> None:
        show_fields(found)
        show_table({key: key for key in sums[0]} if sums else {}, sums, "No deliveries.")

    here.present({**found, "tallies": sums}, people)


def _file(here: State) -> Path:
    file = here.config().journal_file
    if file.is_dir():
        raise Permanent("the journal is no file", value=str(file))
    return file


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Back up, restore, archive, verify, look.")
    for command in (backup, restore, archive, verify, stats):
        group.command()(command)
    app.add_typer(group, name="journal")
