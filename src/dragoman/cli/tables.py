"""Tables and times for people, by rich. Used by the commands that list things."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 160
"""Columns of a table that goes to no terminal."""


def console() -> Console:
    """For stdout, as it is now."""
    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = WIDTH
    return found


def show_table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], none: str) -> None:
    """Print rows. columns: heading → key. none: what to say when there are no rows."""
    out = console()
    if not rows:
        out.print(Text(none))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(key))) for key in columns.values()))
    out.print(table)


def show_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values, a line each; what is empty is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in (None, "", [], {}):
            table.add_row(Text(name), Text(cell(value)))
    console().print(table)


def cell(value: Any) -> str:
    """A value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {cell(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(cell(one) for one in value)
    return _when(value) if isinstance(value, str) else str(value)


def _when(text: str) -> str:
    """A time without its fraction; any other text as it is."""
    if len(text) < 20 or text[10] != "T":
        return text
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text
