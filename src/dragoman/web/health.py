"""Is it alive, is it ready: for supervisors and load balancers. No token, so no details."""

import asyncio

from fastapi import APIRouter, Response
from pydantic import BaseModel

from dragoman.domain.change import Change
from dragoman.domain.errors import DragomanError
from dragoman.web.auth import public
from dragoman.web.state import Here, Web

JOURNAL_S = 2.0
"""A journal that takes longer than this isn't called writable."""

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    alive: bool = True


class Ready(BaseModel):
    """Whether the gateway itself can work, and the parts of that: journal, fleets.

    Desks are no part: while one is down, cases of the others go on, and nothing is lost.
    """

    ready: bool
    checks: dict[str, bool]


@router.get("/healthz", dependencies=[public], summary="Is it alive")
async def healthz() -> Alive:
    """200 while the event loop runs."""
    return Alive()


@router.get(
    "/readyz",
    dependencies=[public],
    summary="Is it ready",
    responses={503: {"model": Ready, "description": "Not ready: some check is false."}},
)
async def readyz(web: Here, response: Response) -> Ready:
    """200 when the journal can write and every fleet has its broker."""
    checks = await readiness(web)
    ready = all(checks.values())
    if not ready:
        response.status_code = 503
    return Ready(ready=ready, checks=checks)


async def readiness(web: Web) -> dict[str, bool]:
    """The checks by name."""
    gateway = web.gateway
    return {
        "journal": await _journal_works(web),
        "fleets": all(fleet.connected for fleet in gateway.parts.fleets.values()),
    }


async def _journal_works(web: Web) -> bool:
    """Whether everything committed until now becomes durable, soon."""
    try:
        async with asyncio.timeout(JOURNAL_S):
            await web.gateway.kit.journal.commit(Change())
    except (DragomanError, TimeoutError):
        return False
    return True
