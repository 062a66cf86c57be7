"""`/api/v1/deliveries` and `/api/v1/outbox`: what has to leave, what is dead, and what to do."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from dragoman.domain.case import Case
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.flow.operate import Decision
from dragoman.ports.journal import Find
from dragoman.web.auth import Actor, read
from dragoman.web.models import (
    Because,
    BulkReplay,
    DeliveryDetail,
    DeliveryView,
    Page,
    Replay,
    Replayed,
    TallyView,
)
from dragoman.web.paging import Listing, page
from dragoman.web.problems import answers
from dragoman.web.state import Here

router = APIRouter(prefix="/api/v1", tags=["deliveries"])


class DeliveryFilter(Listing):
    """Which deliveries. state may be given several times."""

    state: list[DeliveryState] = Field(default_factory=list)
    target: str = ""
    case_id: str = ""
    order_id: str = ""


@router.get("/deliveries", dependencies=[read], responses=answers(401, 403, 422, 503))
async def list_deliveries(
    web: Here, asked: Annotated[DeliveryFilter, Query()]
) -> Page[DeliveryView]:
    """List deliveries and dead letters, newest first."""
    where = asked.model_dump(include={"target", "case_id", "order_id"})
    where["state"] = [state.value for state in asked.state]
    found = await page(web, Delivery, where, asked, DeliveryView.model_validate)
    ids = sorted({one.case_id for one in found.items if one.case_id})
    query = Find(where={"id": ids}, limit=len(ids))
    rows = (await web.gateway.kit.journal.find(Case, query)).rows if ids else ()
    numbers = {case.id: case.number for case in rows}
    items = [
        one.model_copy(update={"case_number": numbers.get(one.case_id, "")}) for one in found.items
    ]
    return Page(items=items, next=found.next)


@router.post("/deliveries/replay", responses=answers(401, 403, 422, 503))
async def replay_many(web: Here, caller: Actor, body: BulkReplay) -> Replayed:
    """Send all dead letters of a target or a case again, oldest first."""
    where = {"state": DeliveryState.DEAD.value}
    where |= {k: v for k, v in (("target", body.target), ("case_id", body.case_id)) if v}
    decision = Decision(actor=caller.actor, reason=body.reason)
    query = Find(where=where, limit=body.limit)
    found = await web.gateway.kit.journal.find(Delivery, query)
    ids = [delivery.id for delivery in found.rows]
    for delivery_id in ids:
        await web.gateway.operators.replay(delivery_id, decision)
    return Replayed(ids=ids, left=bool(found.next))


@router.get("/deliveries/{delivery}", dependencies=[read], responses=answers(401, 403, 404, 503))
async def get_delivery(web: Here, delivery: str) -> DeliveryDetail:
    """Show one delivery with its payload."""
    return DeliveryDetail.model_validate(await web.gateway.operators.delivery(delivery))


@router.post("/deliveries/{delivery}/replay", responses=answers(401, 403, 404, 409, 422, 503))
async def replay(web: Here, caller: Actor, delivery: str, body: Replay) -> DeliveryDetail:
    """Send a dead letter again, with another payload if one is given."""
    decision = Decision(actor=caller.actor, reason=body.reason)
    await web.gateway.operators.replay(delivery, decision, body.payload)
    return DeliveryDetail.model_validate(await web.gateway.operators.delivery(delivery))


@router.post("/deliveries/{delivery}/drop", responses=answers(401, 403, 404, 409, 422, 503))
async def drop(web: Here, caller: Actor, delivery: str, body: Because) -> DeliveryDetail:
    """Give a delivery up for good. If it was its case's final write, the case closes.

    One that is being made now is refused: it may have arrived.
    """
    await web.gateway.operators.drop(delivery, Decision(actor=caller.actor, reason=body.reason))
    return DeliveryDetail.model_validate(await web.gateway.operators.delivery(delivery))


@router.get("/outbox", dependencies=[read], responses=answers(401, 403, 503))
async def outbox(web: Here) -> list[TallyView]:
    """Show the sums of every target, which must add up."""
    tallies = await web.gateway.operators.tallies()
    return [TallyView.model_validate(tally) for tally in tallies]
