"""From a case to an order: the mission of its kind, the place it names, the robot's position.

Called by flow/assign. The order is a full base (every node released), the first node being where
the robot stands, since stitching confuses real vehicles (docs/reference/vehicles-seen.md).
"""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache

from dragoman.domain.case import Case
from dragoman.domain.errors import BadInput
from dragoman.domain.mapping import case_values
from dragoman.domain.order import Action, Order, Place, Stop
from dragoman.domain.policy import Mission
from dragoman.domain.robot import RobotReport
from dragoman.domain.template import parse

PLACEHOLDERS = ("case", "number", "title", "kind", "location", "priority")
"""What an action's parameters may use, beside `field.NAME`; checked when the configuration is."""


def place_of(case: Case, locations: Mapping[str, Place]) -> Place:
    """The place that the case's location names, in any case and spacing.

    Raises BadInput if there is none, naming the location and the nearest known ones, or saying
    that the record gives none.
    """
    place = locations.get(case.location) or locations.get(normal(case.location))
    if place is None:
        raise _nowhere(case.location, locations)
    return place


def _nowhere(location: str, locations: Mapping[str, Place]) -> BadInput:
    names = sorted(locations)
    near = get_close_matches(normal(location), names, n=8) or names[:8]
    known = f"known names: {', '.join(near)}" if near else "none is known"
    if not location.strip():
        mend = f"fill it in at the desk, or mend the mapping; {known}"
        return BadInput("the record gives no location", field="location", mend=mend)
    return BadInput(
        "no location is configured by this name",
        field="location",
        value=location,
        mend=f"add it under [locations], or edit it at the desk; {known}",
    )


@lru_cache(maxsize=4096)
def normal(name: str) -> str:
    """A location's name, blind to case and spacing. Asked again for each waiting case and pass."""
    return " ".join(name.casefold().split())


def plan(case: Case, mission: Mission, place: Place, report: RobotReport, order_id: str) -> Order:
    """The order for this robot: from where it stands to the place, with the mission's actions."""
    values = case_values(case)
    actions = tuple(
        Action(
            id=f"{order_id}-a{number}",
            type=template.type,
            blocking=template.blocking,
            parameters={
                name: parse(text, PLACEHOLDERS).fill(values)
                for name, text in template.parameters.items()
            },
        )
        for number, template in enumerate(mission.actions, start=1)
    )
    here = _here(report, place)
    goal = Stop(place=place, actions=actions)
    stops = (goal,) if here.node_id == place.node_id else (Stop(place=here), goal)
    return Order(id=order_id, case_id=case.id, robot_id=report.robot_id, stops=stops)


def _here(report: RobotReport, place: Place) -> Place:
    """The node the robot stands on, at its own position; the goal's map if it tells none."""
    position = report.position
    if position is None:
        return Place(node_id=report.last_node_id or "start", x=0.0, y=0.0, map_id=place.map_id)
    node = report.last_node_id or "start"
    return Place(node_id=node, x=position.x, y=position.y, map_id=position.map_id)
