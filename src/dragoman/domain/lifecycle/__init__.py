"""A case's life as an explicit state machine of pure functions.

    received → queued → assigned → ordered → accepted → executing → done ─┐
       │         │ ▲        └─────────┴──────┬───┴──────────┘  └→ failed ─┤
       │         ▼ └──────────────────── stopping ──────→ cancelled ──────┤→ closed
       └→ rejected  held ◀───────────────  │ ▲                            │
             │                             ▼ │                            │
             └─────────────────────── uncertain (an order may be out) ────┘

`advance` is the one way in: (job, event, now) → step. An event that means nothing in the
present state gives a step without entries, so duplicates and late-comers are harmless. Rules:
G2: only a QUEUED case takes a robot, and a case leaves STOPPING or UNCERTAIN only when its robot
is known to have stopped. G3: every state but CLOSED sets `due_at`. One file per source of events.
"""

from datetime import datetime

from dragoman.domain import events as on
from dragoman.domain.lifecycle import deadline, desk, people, robot, start
from dragoman.domain.lifecycle.step import Job, Step, reject
from dragoman.domain.lifecycle.step import opened as open_case
from dragoman.domain.policy import Policy

__all__ = ["Job", "Step", "advance", "open_case", "reject"]


def advance(job: Job, event: on.Event, now: datetime, policy: Policy) -> Step:  # noqa: C901, PLR0912 - one flat table of events reads better than a registry
    """The step that `event` makes, at `now` (aware, UTC)."""
    match event:
        case on.Edited():
            return desk.edited(job, event, now, policy)
        case on.CalledOff():
            return desk.called_off(job, event, now, policy)
        case on.Confirmed():
            return desk.confirmed(job, event, now)
        case on.Chosen():
            return robot.chosen(job, event, now, policy)
        case on.OrderOut():
            return robot.order_out(job, event, now, policy)
        case on.Unsendable():
            return robot.unsendable(job, event, now, policy)
        case on.Accepted():
            return robot.accepted(job, event, now, policy)
        case on.Started():
            return robot.started(job, event, now, policy)
        case on.Progressed():
            return robot.progressed(job, event, now, policy)
        case on.Finished():
            return robot.finished(job, event, now, policy)
        case on.WorkFailed():
            return robot.work_failed(job, event, now, policy)
        case on.Refused():
            return robot.refused(job, event, now, policy)
        case on.Lost():
            return robot.lost(job, event, now, policy)
        case on.Returned():
            return robot.returned(job, event, now, policy)
        case on.Stopped():
            return robot.stopped(job, event, now, policy)
        case on.Due():
            return deadline.due(job, event, now, policy)
        case on.GatewayStarted():
            return start.gateway_started(job, event, now, policy)
        case on.Unheard():
            return start.unheard(job, event, now)
        case on.Unshown():
            return start.unshown(job, event, now, policy)
        case on.Unplaceable():
            return people.unplaceable(job, event, now, policy)
        case on.Hold():
            return people.hold(job, event, now, policy)
        case on.Release():
            return people.release(job, event, now, policy)
        case on.Reassign():
            return people.reassign(job, event, now, policy)
