"""Problems of a configuration file, all of them at once, each with its line and its mend.

`ConfigInvalid` is raised by load.py and shown by cli/check.py. `told` turns what pydantic says
into our words; it never repeats a value that could be a secret.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dragoman.config import positions
from dragoman.config.catalogue import keys_at
from dragoman.config.wording import sentence
from dragoman.domain.errors import NeedsHuman

SECRETIVE = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)
"""Names of settings that may hold a secret."""

_ABSENT = object()
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong. path: keys from the root of the file; line: 0 while it isn't known."""

    path: positions.Path
    text: str
    mend: str = ""
    value: str = ""
    file: str = ""
    line: int = 0

    @property
    def field(self) -> str:
        """The path as one would write it in TOML: `desks.snow.webhook.secrets[0]`."""
        name = ""
        for part in self.path:
            if isinstance(part, int):
                name += f"[{part}]"
            else:
                name += ("." if name else "") + (part if _BARE.fullmatch(part) else f'"{part}"')
        return name

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        what = f"{self.field} = {self.value}: " if self.value else f"{self.field}: "
        mend = f"; {self.mend}" if self.mend else ""
        return where + (what if self.path else "") + self.text + mend

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "file": self.file,
            "line": self.line,
            "field": self.field,
            "value": self.value,
            "text": self.text,
            "mend": self.mend,
        }


class ConfigInvalid(NeedsHuman):
    """The file can't be used; `problems` says why, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def located(
    problems: Sequence[Problem], file: Path, lines: Mapping[positions.Path, int]
) -> list[Problem]:
    """The problems with file and line, in the order of the file, each once."""
    found = []
    for problem in problems:
        if not problem.file:
            known = (problem.path[:n] for n in range(len(problem.path), 0, -1))
            line = next((lines[path] for path in known if path in lines), problem.line)
            found.append(replace(problem, file=str(file), line=line))
        else:
            found.append(problem)
    return sorted(dict.fromkeys(found), key=lambda p: (p.file != str(file), p.line))


def told(
    error: ValidationError,
    model: type[BaseModel],
    raw: object,
    at: positions.Path = (),
    also: Sequence[str] = (),
) -> Iterator[Problem]:
    """What pydantic found in `raw`, the table at `at`. also: keys it has beside the model's."""
    details = error.errors(include_url=False)
    paths = [_path(one["loc"], raw) for one in details]
    for one, path in zip(details, paths, strict=True):
        hidden = one["type"] == "too_short" and any(
            other[: len(path)] == path and len(other) > len(path) for other in paths
        )
        if not hidden:
            yield _problem(one, path, model, at, also)


def _path(loc: Sequence[str | int], raw: object) -> positions.Path:
    """Without the marks that pydantic adds for keys of dictionaries and members of unions."""
    path: list[str | int] = []
    for number, part in enumerate(loc, start=1):
        inner = _inside(raw, part)
        if inner is not _ABSENT or (number == len(loc) and part != "[key]"):
            path.append(part)
            raw = inner
    return tuple(path)


def _inside(raw: object, part: str | int) -> object:
    if isinstance(raw, Mapping):
        return raw.get(part, _ABSENT)
    if isinstance(raw, list | tuple) and isinstance(part, int) and part < len(raw):
        return raw[part]
    return _ABSENT


def _problem(
    one: ErrorDetails,
    path: positions.Path,
    model: type[BaseModel],
    at: positions.Path,
    also: Sequence[str],
) -> Problem:
    whole = (*at, *path)
    if one["type"] == "extra_forbidden":
        known = [*keys_at(model, path[:-1]), *(also if len(path) == 1 else ())]
        return unknown_key(whole, known)
    if one["type"] == "missing":
        return Problem(path=whole, text="this setting is missing", mend="add it")
    text, mend = sentence(one)
    return Problem(path=whole, text=text, mend=mend, value=_shown(one, whole))


def unknown_key(path: positions.Path, known: Sequence[str]) -> Problem:
    """A key that no setting has. Its value isn't shown: it may be a misspelt secret."""
    near = get_close_matches(str(path[-1]), known, n=1)
    mend = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
    return Problem(path=path, text="there is no such setting", mend=mend)


def _shown(one: ErrorDetails, path: positions.Path) -> str:
    """The refused value as TOML would write it, "" if it is a table or could be a secret."""
    value: Any = one.get("input")
    secretive = one["type"].startswith("secret") or any(SECRETIVE.search(str(p)) for p in path)
    if secretive or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value[:80]}"' if isinstance(value, str) else str(value)
