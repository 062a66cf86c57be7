"""What the REST API answers and takes: pydantic models of the domain's values.

Used by the routes; they are the API's contract, so a field of the domain shows here or nowhere.
Times are RFC 3339 in UTC.
"""

import json
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from dragoman.domain.case import CaseState
from dragoman.domain.delivery import BreakerState, DeliveryState
from dragoman.domain.order import AssignmentState
from dragoman.domain.robot import Link, Presence

Item = TypeVar("Item")
Action = Literal["hold", "release", "cancel", "reassign", "confirm-stopped"]


class Shown(BaseModel):
    """Made of a value of the domain with the same names."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Page(BaseModel, Generic[Item]):
    """One page of a list. next: pass it as `after` for the next page; "" at the end."""

    items: list[Item]
    next: str


class CaseView(Shown):
    """A case. due_at: when its present state ends by itself. excluded: robot → why not again."""

    id: str
    desk: str
    external_id: str
    number: str
    kind: str
    title: str
    priority: int
    location: str
    state: CaseState
    outcome: CaseState | None
    reason: str
    order_id: str
    attempts: int
    excluded: dict[str, str]
    opened_at: datetime
    received_at: datetime
    since: datetime
    due_at: datetime | None
    due_by: datetime | None
    fields: dict[str, str]
    trace_id: str


class AssignmentView(Shown):
    """One attempt: this case, by this robot, under this order id."""

    order_id: str
    case_id: str
    attempt: int
    robot_id: str
    state: AssignmentState
    assigned_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    sends: int
    cancels: int
    reason: str


class CaseDetail(CaseView):
    """A case with all its attempts. waiting: why it has no robot, while it is queued. dead: the
    dead letters that hold it up.
    """

    assignments: list[AssignmentView] = Field(default_factory=list)
    waiting: str = ""
    dead: list["DeliveryView"] = Field(default_factory=list)


class EntryView(Shown):
    """One line of the journal. actor: gateway, desk:NAME, robot:ID, operator:NAME."""

    seq: int
    at: datetime
    action: str
    text: str
    case_id: str
    order_id: str
    robot_id: str
    desk: str
    trace_id: str
    actor: str
    data: dict[str, Any]


class Explanation(BaseModel):
    """Why this robot: the entry of a decision, with every candidate's cost or exclusion."""

    case_id: str
    order_id: str
    robot_id: str
    at: datetime
    text: str
    decision: dict[str, Any]


class PositionView(Shown):
    """Metres and radians."""

    x: float
    y: float
    theta: float
    map_id: str


class ActionReportView(Shown):
    """One entry of actionStates."""

    id: str
    type: str
    status: str
    result: str


class RobotErrorView(Shown):
    """One error that a robot reports."""

    type: str
    level: str
    description: str


class ReportView(Shown):
    """A robot's newest state. battery: per cent."""

    received_at: datetime
    reported_at: datetime
    order_id: str
    last_node_id: str
    driving: bool
    paused: bool
    mode: str
    e_stop: bool
    battery: float | None
    charging: bool
    position: PositionView | None
    actions: list[ActionReportView]
    errors: list[RobotErrorView]


class RobotView(Shown):
    """A robot. bound: the order that it is bound to. banned, quarantined: why it gets no work."""

    id: str
    fleet: str
    manufacturer: str
    serial: str
    dialect: str
    capabilities: list[str]
    link: Link
    presence: Presence
    bound: str
    bound_since: datetime | None
    banned: str
    quarantined: str
    rests_until: datetime | None
    jobs: int
    boots: int
    report: ReportView | None = None


class DeliveryView(Shown):
    """One effect on its way out, or a dead letter, without its payload.

    case_number: in lists only; "" if it has no case, or the case is archived.
    """

    id: str
    target: str
    lane: str
    verb: str
    state: DeliveryState
    attempts: int
    reason: str
    case_id: str
    case_number: str = ""
    order_id: str
    created_at: datetime
    next_at: datetime | None
    ended_at: datetime | None
    final: bool


class DeliveryDetail(DeliveryView):
    """A delivery with its payload."""

    payload: dict[str, Any]


class TallyView(Shown):
    """The sum of one target: matched = delivered + failed + in flight + queued + dead."""

    target: str
    matched: int
    delivered: int
    failed: int
    in_flight: int
    queued: int
    dead: int
    adds_up: bool


class TargetStatus(BaseModel):
    """One target of the outbox: its breaker, and what waits for it.

    orphaned: it isn't in the configuration any more, so nothing leaves.
    """

    target: str
    breaker: BreakerState
    since: datetime | None
    reason: str
    in_flight: int
    queued: int
    dead: int
    orphaned: bool = False


class PollerStatus(BaseModel):
    """One desk's poller. healthy: null until it has asked once."""

    desk: str
    healthy: bool | None
    last_error: str


class MappingStatus(BaseModel):
    """One desk's mapping, as checked after the start. drift: null while that isn't known."""

    desk: str
    checked_at: datetime | None
    drift: list[str] | None
    error: str


class Status(BaseModel):
    """How the gateway is."""

    site: str
    version: str
    ready: bool
    checks: dict[str, bool]
    cases: dict[str, int]
    robots: dict[str, int]
    targets: list[TargetStatus]
    pollers: list[PollerStatus]
    mappings: list[MappingStatus]
    robot_messages: dict[str, int]


def _unicode(value: Any) -> Any:
    """Refuses half a surrogate pair, which JSON can hold and UTF-8 can't, and so no journal."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            "this text holds half of a surrogate pair; send whole characters"
        ) from error
    return value


class Because(BaseModel):
    """Why a person decides so; it is kept in the audit trail."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=1000, pattern=r"\S")


class CaseAction(Because):
    """What to do with a case."""

    action: Action


class Replay(Because):
    """payload: instead of the stored one, if a person has mended it."""

    payload: Annotated[dict[str, Any] | None, AfterValidator(_unicode)] = None


class BulkReplay(Because):
    """Which dead letters go out again, by target, case or both; at most `limit`, oldest first."""

    target: str | None = None
    case_id: str | None = None
    limit: int = Field(default=1000, ge=1, le=10_000)

    @model_validator(mode="after")
    def _filtered(self) -> Self:
        if not self.target and not self.case_id:
            raise ValueError("nothing says which dead letters; give target, case_id or both")
        return self


class Replayed(BaseModel):
    """ids: those that go out again. left: whether there are more that fit."""

    ids: list[str]
    left: bool
