"""The named SQL of this folder, read once at import from the files beside it.

Used by the other modules here as `SQL["name"]`; a misspelt name fails at once with KeyError.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from sqlite3 import complete_statement
from typing import Final

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def named(text: str) -> dict[str, str]:
    """Statements by name, of a text in which each starts with a line `-- name: NAME`."""
    parts = _NAME.split(text)[1:]
    return {name: body.strip().rstrip(";") for name, body in zip(*[iter(parts)] * 2, strict=True)}


def split(script: str) -> list[str]:
    """The single statements of a script (a trigger's body has semicolons of its own)."""
    statements: list[str] = []
    pending = ""
    for piece in re.split(r"(?<=;)", script):
        pending += piece
        if complete_statement(pending):
            statements.append(pending.strip())
            pending = ""
    return statements


def _migrations() -> dict[int, str]:
    folder = files(__package__) / "migrations"
    found = {int(item.name[:4]): item.read_text("utf-8") for item in folder.iterdir()}
    return dict(sorted(found.items()))


def _read(name: str) -> dict[str, str]:
    return named((files(__package__) / name).read_text("utf-8"))


SQL: Final[Mapping[str, str]] = _read("queries.sql")
BATCH: Final[tuple[str, ...]] = tuple(split((files(__package__) / "batch.sql").read_text("utf-8")))
ARCHIVE: Final[Mapping[str, str]] = _read("archive.sql")
MIGRATIONS: Final[Mapping[int, str]] = _migrations()
