"""`/api/v1/status`, `/api/v1/entries`, `/metrics` and `/openapi.json`: how the gateway is."""

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field

from dragoman.domain.change import Entry
from dragoman.domain.delivery import BreakerState, DeliveryState
from dragoman.runtime.orphans import orphans
from dragoman.web.auth import public, read
from dragoman.web.health import readiness
from dragoman.web.models import (
    EntryView,
    MappingStatus,
    Page,
    PollerStatus,
    Status,
    TargetStatus,
)
from dragoman.web.paging import Listing, page
from dragoman.web.problems import Problem, answers
from dragoman.web.state import Here, Web

router = APIRouter(tags=["status"])


class EntryFilter(Listing):
    """Which entries. With newest_first=false, `after` a seq gives what came after it."""

    newest_first: bool = False
    action: list[str] = Field(default_factory=list)
    case_id: str = ""
    order_id: str = ""
    robot_id: str = ""
    desk: str = ""


@router.get("/api/v1/status", dependencies=[read], responses=answers(401, 403))
async def status(web: Here) -> Status:
    """Show versions, checks, breakers, pollers and counts."""
    gateway = web.gateway
    site = gateway.kit.site
    checks = await readiness(web)
    return Status(
        site=gateway.parts.site_name,
        version=gateway.parts.version,
        ready=all(checks.values()),
        checks=checks,
        cases=Counter(case.state.value for case in site.cases.values()),
        robots=Counter(robot.presence.value for robot in site.robots.values()),
        targets=targets(web),
        pollers=[
            PollerStatus(desk=name, healthy=poller.healthy, last_error=poller.last_error)
            for name, poller in gateway.pollers.items()
        ],
        mappings=[
            MappingStatus(
                desk=name,
                checked_at=fit.at,
                drift=None if fit.drift is None else list(fit.drift),
                error=fit.error,
            )
            for name, fit in gateway.fitting.known.items()
        ],
        robot_messages={**asdict(gateway.track.counters), "shed": gateway.shed},
    )


def targets(web: Web) -> list[TargetStatus]:
    """Every target with its breaker and what waits for it, then those nobody carries for."""
    gateway = web.gateway
    waiting = gateway.kit.site.tally()
    none: Counter[DeliveryState] = Counter()
    carried = [
        TargetStatus(
            target=target,
            breaker=courier.breaker.state,
            since=courier.breaker.since,
            reason=courier.breaker.reason,
            in_flight=courier.in_flight,
            queued=waiting.get(target, none)[DeliveryState.QUEUED] - courier.in_flight,
            dead=waiting.get(target, none)[DeliveryState.DEAD],
        )
        for target, courier in sorted(gateway.couriers.items())
    ]
    return carried + [
        TargetStatus(
            target=target,
            breaker=BreakerState.OPEN,
            since=None,
            reason="it is not in the configuration",
            in_flight=0,
            queued=counts[DeliveryState.QUEUED],
            dead=counts[DeliveryState.DEAD],
            orphaned=True,
        )
        for target, counts in orphans(gateway.kit.site, gateway.couriers).items()
    ]


@router.get("/api/v1/entries", dependencies=[read], responses=answers(401, 403, 422, 503))
async def entries(web: Here, asked: Annotated[EntryFilter, Query()]) -> Page[EntryView]:
    """Page through the journal, oldest first; to follow it, pass the last seq as `after`."""
    where = asked.model_dump(include={"action", "case_id", "order_id", "robot_id", "desk"})
    return await page(web, Entry, where, asked, EntryView.model_validate)


@router.get(
    "/metrics",
    dependencies=[read],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **answers(401, 403)},
)
async def metrics(web: Here) -> Response:
    """Show metrics in Prometheus' text format."""
    return Response(generate_latest(web.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json", dependencies=[public], include_in_schema=False)
async def openapi(request: Request) -> dict[str, Any]:
    """Describe the API."""
    description: dict[str, Any] = request.app.openapi()
    description["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    return description
