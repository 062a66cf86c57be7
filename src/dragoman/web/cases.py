"""`/api/v1/cases` and `/api/v1/assignments`: what was asked, who does it, why, and what now."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Entry
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.domain.errors import NotFound
from dragoman.domain.order import Assignment
from dragoman.flow.operate import Decision
from dragoman.web.auth import Actor, read
from dragoman.web.models import (
    AssignmentView,
    CaseAction,
    CaseDetail,
    CaseView,
    DeliveryView,
    EntryView,
    Explanation,
    Page,
)
from dragoman.web.paging import Listing, page
from dragoman.web.problems import answers
from dragoman.web.state import Here, Web

router = APIRouter(prefix="/api/v1", tags=["cases"])


class CaseFilter(Listing):
    """Which cases. state may be given several times."""

    state: list[CaseState] = Field(default_factory=list)
    desk: str = ""
    kind: str = ""
    number: str = ""
    external_id: str = ""


class AssignmentFilter(Listing):
    """Which attempts. case_id, robot_id and order_id find them from either side."""

    robot_id: str = ""
    order_id: str = ""
    case_id: str = ""
    desk: str = ""
    external_id: str = ""


@router.get("/cases", dependencies=[read], responses=answers(401, 403, 422, 503))
async def list_cases(web: Here, asked: Annotated[CaseFilter, Query()]) -> Page[CaseView]:
    """List cases, closed ones included, newest first."""
    where = asked.model_dump(include={"desk", "kind", "number", "external_id"})
    where["state"] = [state.value for state in asked.state]
    return await page(web, Case, where, asked, CaseView.model_validate)


@router.get("/cases/{case}", dependencies=[read], responses=answers(401, 403, 404, 503))
async def get_case(web: Here, case: str) -> CaseDetail:
    """Show one case by id, number, external id or one of its order ids, with its attempts."""
    return await _detail(web, await web.gateway.operators.case(case))


@router.get("/cases/{case}/timeline", dependencies=[read], responses=answers(401, 403, 404, 503))
async def timeline(web: Here, case: str) -> list[EntryView]:
    """Show all that the journal says of a case, in order."""
    found = await web.gateway.operators.case(case)
    entries = await web.gateway.operators.timeline(found)
    return [EntryView.model_validate(entry) for entry in entries]


@router.get("/cases/{case}/explain", dependencies=[read], responses=answers(401, 403, 404, 503))
async def explain(web: Here, case: str) -> list[Explanation]:
    """Show each decision on a case: every candidate's cost, or why it was excluded."""
    found = await web.gateway.operators.case(case)
    where = {"case_id": found.id, "action": "case.assigned"}
    entries = await web.gateway.operators.all(Entry, where)
    if not entries:
        raise NotFound("no robot was chosen for this case yet", field="case", value=case)
    return [
        Explanation(
            case_id=entry.case_id,
            order_id=entry.order_id,
            robot_id=entry.robot_id,
            at=entry.at,
            text=entry.text,
            decision=dict(entry.data),
        )
        for entry in entries
    ]


@router.post("/cases/{case}/actions", responses=answers(401, 403, 404, 409, 422, 503))
async def act_on_case(web: Here, caller: Actor, case: str, body: CaseAction) -> CaseDetail:
    """Hold, release, cancel or reassign a case, or confirm that its robot has stopped.

    The answer shows the case as it is after the action, which is durable by then. A number that
    cases of several desks have is refused, with their ids.
    """
    found = await web.gateway.operators.case_to_act_on(case)
    decision = Decision(actor=caller.actor, reason=body.reason)
    moved = await web.gateway.operators.act(found.id, body.action, decision)
    return await _detail(web, moved)


@router.get("/assignments", dependencies=[read], responses=answers(401, 403, 422, 503))
async def list_assignments(
    web: Here, asked: Annotated[AssignmentFilter, Query()]
) -> Page[AssignmentView]:
    """List attempts: which case was which order of which robot, from any of the three."""
    columns = {"robot_id", "order_id", "case_id", "desk", "external_id"}
    where = asked.model_dump(include=columns)
    return await page(web, Assignment, where, asked, AssignmentView.model_validate)


async def _detail(web: Web, case: Case) -> CaseDetail:
    attempts = await web.gateway.operators.all(Assignment, {"case_id": case.id})
    waiting = web.gateway.operators.why_waiting(case) if case.state is CaseState.QUEUED else ""
    dead = await web.gateway.operators.all(
        Delivery, {"case_id": case.id, "state": DeliveryState.DEAD.value}
    )
    return CaseDetail(
        **CaseView.model_validate(case).model_dump(),
        assignments=[AssignmentView.model_validate(attempt) for attempt in attempts],
        waiting=waiting,
        dead=[DeliveryView.model_validate(letter) for letter in dead],
    )
