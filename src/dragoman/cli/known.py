"""Names that a command line gives, looked up, or refused with those that are known.

Used by the commands that try a desk (desk.py, mapping.py) and by those that list.
"""

from collections.abc import Iterable
from difflib import get_close_matches

import typer

from dragoman.config.model import Config, DeskTable
from dragoman.domain.errors import NotFound
from dragoman.domain.mapping import FAULT, FAULT_CLEARED
from dragoman.domain.status import Told

STATUSES = (*(told.value for told in Told), FAULT, FAULT_CLEARED)
"""All that a mapping can tell a desk at."""


def desk_named(config: Config, name: str) -> DeskTable:
    """The table of a desk. Raises NotFound."""
    if name not in config.desks:
        known = ", ".join(config.desks) or "none"
        raise NotFound("there is no desk of this name", value=name, mend=f"known are {known}")
    return config.desks[name]


def check_status(status: str) -> None:
    """Raises NotFound for one that isn't; "" stands for all."""
    if status and status not in STATUSES:
        known = ", ".join(STATUSES)
        raise NotFound("there is no such status", value=status, mend=f"known are {known}")


def check_states(states: Iterable[str], known: Iterable[str]) -> None:
    """Raises typer.BadParameter, which ends with USAGE, for a --state that isn't."""
    names = [str(one) for one in known]
    for state in states:
        if state not in names:
            near = get_close_matches(state, names, n=1)
            mend = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
            raise typer.BadParameter(f"there is no state {state!r}; {mend}", param_hint="--state")
