"""Reads the places of a site from a CSV file, `site.locations_file`.

Called by load.py, which treats each row like a `[locations."NAME"]` table.
"""

import csv
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dragoman.config.model import LocationTable
from dragoman.config.problems import Problem
from dragoman.config.wording import sentence
from dragoman.domain.errors import NeedsHuman

COLUMNS = ("name", "node", "x", "y", "map", "theta")
"""The header that the file must have; theta may be left out."""


def read_locations(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The rows by name, and the problems of single rows. x, y in metres, theta in radians.

    Raises NeedsHuman if the file can't be read or has another header.
    """
    rows: dict[str, Any] = {}
    problems: list[Problem] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = tuple(reader.fieldnames or ())
            if header not in (COLUMNS, COLUMNS[:-1]):
                raise NeedsHuman(
                    f"{path} has another header than expected",
                    value=",".join(header),
                    mend=f"let its first line be {','.join(COLUMNS)}",
                )
            for row in reader:
                name, table, problem = _row(row)
                if name in rows:
                    problem = "this name stands in the file twice"
                if problem:
                    mend = "mend the row; x, y are metres and theta radians"
                    problems.append(
                        Problem(
                            path=("locations", name),
                            text=problem,
                            mend=mend,
                            file=str(path),
                            line=reader.line_num,
                        )
                    )
                else:
                    rows[name] = table
    except OSError as error:
        raise NeedsHuman(
            f"{path} can't be read: {error.strerror or error}", mend="name a readable CSV file"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise NeedsHuman(f"{path} is no CSV file: {error}", mend="save it as UTF-8 CSV") from error
    return rows, problems


def _row(row: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
    """Name, table and problem ("" if there is none) of a row."""
    if None in row or None in row.values():
        return str(row.get("name") or ""), {}, "the row has more or fewer columns than the header"
    name = str(row.pop("name")).strip()
    table = {key: _read(key, value.strip()) for key, value in row.items() if value.strip()}
    if not name:
        return "", {}, "the name is empty"
    try:
        LocationTable.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "float_type":
            return name, {}, f"{first['loc'][0]}: {first['input']!r} is no number"
        return name, {}, f"{first['loc'][0]}: {'; '.join(filter(None, sentence(first)))}"
    return name, table, ""


def _read(key: str, text: str) -> str | float:
    """CSV knows texts only. What is no number stays one, to be refused as such."""
    try:
        return float(text) if key in ("x", "y", "theta") else text
    except ValueError:
        return text
