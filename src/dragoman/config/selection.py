"""Compares what a mapping reads with the fields that the desk is asked for.

Used by load.py. Where the setting `fields` lacks a name, no record ever has it, and nobody
sees that before a case lacks a value.
"""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

from pydantic import ValidationError

from dragoman.config.mapping import rules
from dragoman.config.model import ReadTable
from dragoman.config.paths import Chain, alternatives
from dragoman.config.positions import Path
from dragoman.config.problems import Problem


@runtime_checkable
class Selecting(Protocol):
    """The options of a desk that can be asked for some fields only."""

    def selected(self) -> Collection[Chain] | None:
        """Where the fields that are asked for stand in a record, as keys one below the other.

        None: whole records are read. What an adapter adds by itself is among them.
        """
        ...


def unasked(at: Path, read: object, options: Any) -> Iterator[Problem]:
    """A problem for each name that a `read` table reads and that no record will have."""
    selected = options.selected() if isinstance(options, Selecting) else None
    if selected is None:
        return
    try:
        table = ReadTable.model_validate(read)
    except ValidationError:
        return  # told with the whole file
    paths = [(where, rule.path) for where, rule in rules(table)]
    for where, path in [(("read", "when"), table.when), *paths]:
        for chain in _never(path, selected) if path else ():
            yield _problem((*at, *where), chain, path or "", selected)


def _never(path: str, selected: Collection[Chain]) -> list[Chain]:
    """The chains that no record has. One side of `a || b` that it has is enough."""
    lacking = [
        [chain for chain in sorted(side) if not any(_fits(chain, one) for one in selected)]
        for side in alternatives(path)
        if side
    ]
    return [chain for one in lacking for chain in one] if all(lacking) else []


def _fits(chain: Chain, selected: Chain) -> bool:
    """Whether one leads to the other."""
    return all(one == other for one, other in zip(chain, selected, strict=False))


def _problem(at: Path, chain: Chain, path: str, selected: Collection[Chain]) -> Problem:
    depth = max(_shared(chain, one) for one in selected)
    near = get_close_matches(
        chain[depth], [one[depth] for one in selected if len(one) > depth], n=1
    )
    also = f", or did you mean {near[0]}?" if near else ""
    return Problem(
        path=at,
        text=f"the desk isn't asked for {'.'.join(chain[: depth + 1])}, so no record has it",
        mend=f"add it to the setting fields of this desk{also}",
        value=f'"{path[:80]}"',
    )


def _shared(chain: Chain, selected: Chain) -> int:
    same = 0
    for one, other in zip(chain, selected, strict=False):
        if one != other:
            break
        same += 1
    return min(same, len(chain) - 1)
