"""`/api/v1/robots`: who there is, how they are, what they did; taking one out of service.

A robot's id has a slash in it (manufacturer/serial), so that it is the rest of the path.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from dragoman.domain.change import Entry
from dragoman.domain.robot import Robot
from dragoman.flow.operate import Decision
from dragoman.web.auth import Actor, read
from dragoman.web.models import Because, EntryView, Page, ReportView, RobotView
from dragoman.web.paging import Listing, page
from dragoman.web.problems import answers
from dragoman.web.state import Here, Web

router = APIRouter(prefix="/api/v1", tags=["robots"])


class RobotFilter(BaseModel):
    """Which robots. free: bound to no order."""

    model_config = ConfigDict(extra="forbid")

    fleet: str = ""
    free: bool | None = None


class RobotAction(Because):
    """What to do with a robot. ban: no new work; what it has at hand goes on."""

    action: Literal["ban", "unban"]


@router.get("/robots", dependencies=[read], responses=answers(401, 403, 422))
async def list_robots(web: Here, asked: Annotated[RobotFilter, Query()]) -> list[RobotView]:
    """List all robots with their newest states."""
    robots = sorted(web.gateway.kit.site.robots.values(), key=lambda robot: robot.id)
    return [
        _shown(web, robot)
        for robot in robots
        if asked.fleet in ("", robot.fleet) and asked.free in (None, not robot.bound)
    ]


@router.get(
    "/robots/{robot:path}/history", dependencies=[read], responses=answers(401, 403, 404, 422, 503)
)
async def history(web: Here, robot: str, asked: Annotated[Listing, Query()]) -> Page[EntryView]:
    """Page through what the journal says of a robot, newest first."""
    found = await web.gateway.operators.robot(robot)
    return await page(web, Entry, {"robot_id": found.id}, asked, EntryView.model_validate)


@router.post("/robots/{robot:path}/actions", responses=answers(401, 403, 404, 409, 422, 503))
async def act_on_robot(web: Here, caller: Actor, robot: str, body: RobotAction) -> RobotView:
    """Take a robot out of service, or back in."""
    found = await web.gateway.operators.robot(robot)
    decision = Decision(actor=caller.actor, reason=body.reason)
    lift = body.action == "unban"
    return _shown(web, await web.gateway.operators.ban(found.id, decision, lift=lift))


@router.get("/robots/{robot:path}", dependencies=[read], responses=answers(401, 403, 404))
async def get_robot(web: Here, robot: str) -> RobotView:
    """Show one robot with its newest state."""
    return _shown(web, await web.gateway.operators.robot(robot))


def _shown(web: Web, robot: Robot) -> RobotView:
    report = web.gateway.track.latest.get(robot.id) or web.gateway.kit.site.reports.get(robot.id)
    shown = RobotView.model_validate(robot)
    if report is None:
        return shown
    return shown.model_copy(update={"report": ReportView.model_validate(report)})
