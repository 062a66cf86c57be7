"""The switches that make a simulated vehicle misbehave, and how they are spelled in text.

`Vehicle.misbehave` takes a whole `Misbehaviour`, at construction and at any time later; the
control lines of `python -m dragoman.testing.robots` are read by `parse`.
"""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Lie(StrEnum):
    """What a lying vehicle reports in its states."""

    IDLE = "idle"
    """No order, though it has one."""
    FINISHED = "finished"
    """Its order is finished, though it is still at it."""
    OTHER = "other"
    """It is at an order that nobody gave it."""
    NEVER_SENT = "never-sent"
    """It has finished an order that nobody gave it."""


class Garbage(StrEnum):
    """What a broken vehicle may publish on its state topic."""

    JSON = "json"
    """Not JSON at all."""
    HUGE = "huge"
    """A state of 5 MB."""
    FOREIGN = "foreign"
    """A state with the identity of another vehicle in it."""
    SCHEMA = "schema"
    """JSON that is no state."""
    FUTURE = "future"
    """A state from ten years ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """All switches; the default is a vehicle that behaves.

    reject: error type with which orders are refused ("orderError"); rejects: how many, None for
    all. silent: takes orders and does them, but publishes nothing. frozen: neither reads nor
    publishes nor moves, and goes on later with what came meanwhile (SIGSTOP). lie: what its
    states claim. flood_hz: states a second. duplicate: every message twice. reorder: every two
    states swapped. slow_acceptance_s: orders are looked at so much later. clock_skew_s: its clock
    is ahead by so much. fail_actions: actions of orders end FAILED. fatal: type of a FATAL error;
    it stops until cleared. e_stop: AUTOACK, MANUAL or REMOTE stops it. mode: any but AUTOMATIC
    and SEMIAUTOMATIC drops its order.
    """

    reject: str = ""
    rejects: int | None = None
    silent: bool = False
    frozen: bool = False
    lie: Lie | None = None
    flood_hz: float = 0.0
    duplicate: bool = False
    reorder: bool = False
    slow_acceptance_s: float = 0.0
    clock_skew_s: float = 0.0
    fail_actions: bool = False
    fatal: str = ""
    e_stop: str = "NONE"
    mode: str = "AUTOMATIC"

    @property
    def holds_still(self) -> bool:
        """It can't move or act for now."""
        return bool(self.fatal) or self.e_stop != "NONE" or self.frozen

    @property
    def controllable(self) -> bool:
        """It is in a mode in which it takes orders (VDA 5050 6.10.6, table 1)."""
        return self.mode in ("AUTOMATIC", "SEMIAUTOMATIC")


BEHAVED = Misbehaviour()


def parse(words: list[str], base: Misbehaviour = BEHAVED) -> Misbehaviour:
    """Read switches like `silent` or `reject=orderError`; the others stay as in `base`.

    Raises ValueError that names the switch and what would fit.
    """
    defaults = dataclasses.asdict(BEHAVED)
    changes: dict[str, Any] = {}
    for word in words:
        name, given, text = word.partition("=")
        if name not in defaults:
            raise ValueError(f"no switch {name!r}; there are {', '.join(defaults)}")
        if isinstance(defaults[name], bool):
            changes[name] = _boolean(name, text if given else "true")
        elif not given:
            raise ValueError(f"the switch {name} needs a value: {name}=…")
        elif name == "lie":
            changes[name] = Lie(text) if text else None
        elif name == "rejects":
            changes[name] = int(text) if text else None
        else:
            changes[name] = type(defaults[name])(text)
    return dataclasses.replace(base, **changes)


def _boolean(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"the switch {name} is true or false, not {text!r}")
    return text == "true"
