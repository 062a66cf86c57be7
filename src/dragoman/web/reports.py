"""`/api/v1/reports/sync`: whether desks and robots agree, by shift, and what is still open."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from dragoman.domain.delivery import Delivery
from dragoman.domain.reconcile.mismatch import Side
from dragoman.domain.reconcile.report import CONFIDENCE, LIMIT
from dragoman.web.auth import read
from dragoman.web.models import Shown
from dragoman.web.problems import answers
from dragoman.web.state import Here

router = APIRouter(prefix="/api/v1/reports", tags=["reports"])


class Shifts(BaseModel):
    """How many shifts: the running one and those before it."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=2, ge=1, le=100)


class ShiftView(Shown):
    """Aware, in UTC."""

    start: datetime
    end: datetime


class TimesView(Shown):
    """Seconds. count: how many were measured."""

    count: int
    median_s: float | None
    longest_s: float | None


class SyncView(Shown):
    """One shift. rate_at_most: the upper bound of the true rate at the confidence of 95 %.

    See docs/adr/0008-what-counts-as-an-error.md for what each figure counts.
    """

    shift: ShiftView
    active: int
    compared: int
    coverage: float
    errors: int
    by_kind: dict[str, int]
    unreachable: int
    open: int
    swept: bool
    rate: float
    rate_at_most: float
    too_many: bool
    detect: TimesView
    heal: TimesView


class MismatchView(BaseModel):
    """A mismatch that counts and isn't settled. delivery: by which it is replayed or dropped.

    state: queued while a rule mends it, dead while it waits for a person.
    """

    delivery: str
    state: str
    side: str
    kind: str
    key: str
    text: str
    case_id: str
    since: datetime


class SyncReports(BaseModel):
    """Newest shift first; it still runs. limit: the rate above which a shift has too many."""

    site: str
    enabled: bool
    limit: float = LIMIT
    confidence: float = CONFIDENCE
    shifts: list[SyncView]
    open: list[MismatchView]


@router.get("/sync", dependencies=[read], responses=answers(401, 403, 422, 503))
async def sync(web: Here, asked: Annotated[Shifts, Query()]) -> SyncReports:
    """Show errors, coverage and the confidence bound of each shift, and every open mismatch."""
    reconciler = web.gateway.reconciler
    reports = reconciler.reports
    found = [await reports.of(shift) for shift in reports.last(asked.limit)]
    rows = [row for side in Side for row in reconciler.book.rows(side)]
    return SyncReports(
        site=web.gateway.parts.site_name,
        enabled=reconciler.plan.enabled,
        shifts=[SyncView.model_validate(one) for one in found],
        open=[_shown(row) for row in sorted(rows, key=lambda row: row.created_at)],
    )


def _shown(row: Delivery) -> MismatchView:
    return MismatchView(
        delivery=row.id,
        state=row.state.value,
        side=str(row.payload.get("side", "")),
        kind=str(row.payload.get("kind", row.verb)),
        key=row.lane,
        text=row.reason,
        case_id=row.case_id,
        since=row.created_at,
    )
