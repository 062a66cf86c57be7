"""What the demo plays: its options, a small building, and the cases that desk users open.

Made by `run` from the options; everything that looks like chance comes from the seed.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TIME_SCALE = 8.0
"""Robots drive and work so many times faster than real ones, so that a demo is short."""
PER_ROBOT_S = 0.4
"""Cases a second that are opened for each robot: less than they can do, so that few wait."""
MOST_PER_S = 12.0
CHAOS_S = 24.0
"""With chaos, cases are opened over at least so many seconds, to have work under way all along."""

LOCATIONS: Mapping[str, tuple[str, float, float]] = {
    "Goods In, Dock 1": ("dock-1", 1.0, -6.0),
    "Goods In, Dock 2": ("dock-2", 9.0, -6.0),
    "Goods Out, Dock 3": ("dock-3", 17.0, -6.0),
    "Workshop": ("workshop", 22.0, 4.0),
    "Laboratory": ("laboratory", 22.0, 12.0),
    "Server Room": ("server-room", 17.0, 26.0),
    "Canteen": ("canteen", 6.0, 26.0),
    "Reception": ("reception", -5.0, 10.0),
}
"""Names as the desk has them → node, x, y in metres. The robots' homes lie between them."""

_WISHES: Mapping[str, tuple[str, ...]] = {
    "hardware": (
        "Forklift charger shows a red light",
        "Badge printer is jammed",
        "Door sensor sends no signal",
    ),
    "network": (
        "No wireless network at the packing tables",
        "Measure the signal strength again",
        "Access point blinks orange",
    ),
    "inquiry": (
        "Please take the returned scanner away",
        "Bring a box of labels",
        "A parcel waits for the second shift",
    ),
}
"""Category of the incident → short descriptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `dragoman demo` was asked for. keep: where the site's folder goes, None for a folder
    that is removed. intake: "both", "webhook" or "poll". timeout_s: for all cases to be closed.
    """

    cases: int = 40
    robots: int = 20
    seed: int = 1
    chaos: bool = False
    intake: str = "both"
    timeout_s: float = 120.0
    keep: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A case to open. wait_s: seconds after the one before; fields: what the desk user fills in."""

    wait_s: float
    fields: Mapping[str, str]


def openings(options: Options) -> Iterator[Opening]:
    """The cases, in the order of opening."""
    rng = random.Random(options.seed)  # noqa: S311  # a scene to repeat, no secret
    per_s = min(MOST_PER_S, options.robots * PER_ROBOT_S)
    if options.chaos:
        per_s = min(per_s, options.cases / CHAOS_S)
    for _ in range(options.cases):
        category = rng.choice(list(_WISHES))
        place = rng.choice(list(LOCATIONS))
        wish = rng.choice(_WISHES[category])
        yield Opening(
            wait_s=rng.uniform(0.5, 1.5) / per_s,
            fields={
                "short_description": wish,
                "description": f"{wish}. Seen at {place}.",
                "category": category,
                "location": place,
                "impact": rng.choice("1233"),
                "urgency": rng.choice("1233"),
                "assignment_group": "Robot Fleet",
            },
        )
