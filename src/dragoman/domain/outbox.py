"""From a step of the lifecycle to one transaction: effects become values and outbox rows.

Called by every step of the flow through flow/kit.py. What a message looks like is asked of the
`Outlets` that the composition root passes in; so this stays pure and the journal holds exactly
the bytes that will leave.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from dragoman.domain.case import ENDED
from dragoman.domain.change import Change, Entry
from dragoman.domain.coalescing import host, joined
from dragoman.domain.delivery import Delivery, dropped
from dragoman.domain.effects import Bind, Effect, Free, PublishCancel, PublishOrder, Tell, Withdraw
from dragoman.domain.errors import Permanent
from dragoman.domain.events import Confirmed
from dragoman.domain.lifecycle import Job, Step, advance
from dragoman.domain.order import Assignment, Order
from dragoman.domain.policy import Policy
from dragoman.domain.robot import Robot
from dragoman.domain.site import Site
from dragoman.domain.status import FINAL, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A message for a robot. payload: JSON-ready. header: the counter that it used up."""

    payload: Mapping[str, object]
    header: str


class Outlets(Protocol):
    """How things are said to robots, desks and feeds; configured, without I/O."""

    def order(self, order: Order, robot: Robot, now: datetime) -> Composed:
        """The message that gives the robot this order."""
        ...

    def cancel(self, order_id: str, action_id: str, robot: Robot, now: datetime) -> Composed:
        """The message that tells the robot to stop this order."""
        ...

    def ask_state(self, action_id: str, robot: Robot, now: datetime) -> Composed:
        """The message that asks the robot how it is."""
        ...

    def desk(self, status: Status) -> Mapping[str, object] | None:
        """What to write at the case's desk, or None if nothing is configured for this status."""
        ...

    def feeds(self, status: Status, event_id: str) -> Sequence[tuple[str, Mapping[str, object]]]:
        """(feed name, CloudEvent) for each feed that wants this status."""
        ...


@dataclass(slots=True, kw_only=True)
class Draft:
    """A transaction being put together; later effects see the robots as earlier ones left them."""

    site: Site
    outlets: Outlets
    policy: Policy
    new_id: Callable[[], str]
    now: datetime
    robots: dict[str, Robot] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def robot(self, robot_id: str) -> Robot:
        """The robot as this transaction leaves it. Raises KeyError if it is unknown."""
        return self.robots.get(robot_id) or self.site.robots[robot_id]

    def add(self, step: Step) -> Job:
        """Take in a step with all its effects; the job as it is then.

        An ended case that has nothing to tell its desk closes at once.
        """
        if not step:
            return step.job
        attempt = step.job.assignment
        final = False
        for effect in step.effects:
            attempt, told_last = self._realise(effect, step, attempt)
            final = final or told_last
        self.entries.extend(step.entries)
        done = replace(step, job=replace(step.job, assignment=attempt))
        self.steps.append(done)
        told = any(isinstance(e, Tell) and e.status.told in FINAL for e in step.effects)
        if told and not final and done.job.case.state in ENDED:
            event = Confirmed(how="nothing has to be told to the desk")
            return self.add(advance(done.job, event, self.now, self.policy))
        return done.job

    def add_whole(self, step: Step) -> Job:
        """As `add`; but of a step that can't be told to its robot, nothing stays.

        Raises Permanent then.
        """
        before = (dict(self.robots), [*self.deliveries], [*self.entries], [*self.steps])
        try:
            return self.add(step)
        except Permanent:
            self.robots, self.deliveries, self.entries, self.steps = before
            raise

    def ask(self, robot_id: str, not_after: datetime) -> None:
        """Ask a robot how it is. Raises Permanent if its dialect has no such question."""
        robot = self.robot(robot_id)
        composed = self.outlets.ask_state(f"ask-{self.new_id()}", robot, self.now)
        self._to_robot(robot, composed, "ask", None, not_after)

    def call_back(self, robot_id: str, order_id: str, not_after: datetime) -> None:
        """Tell a robot to stop an order that is over, whatever it thinks."""
        robot = self.robot(robot_id)
        action_id = f"{order_id}-stop-{self.new_id()}"
        composed = self.outlets.cancel(order_id, action_id, robot, self.now)
        self._to_robot(robot, composed, "cancel", None, not_after)

    def change(self) -> Change:
        """The transaction. An attempt that no step changed is left out."""
        known = self.site.assignments
        attempts = [step.job.assignment for step in self.steps if step.job.assignment]
        return Change(
            entries=tuple(self.entries),
            cases=tuple(step.job.case for step in self.steps),
            assignments=tuple(a for a in attempts if known.get(a.order_id) is not a),
            robots=tuple(self.robots.values()),
            deliveries=tuple(self.deliveries),
        )

    def _realise(
        self, effect: Effect, step: Step, attempt: Assignment | None
    ) -> tuple[Assignment | None, bool]:
        """Carry out one effect; whether it was the desk's final write, too."""
        match effect:
            case Tell():
                return attempt, self._tell(effect.status)
            case Bind():
                robot = self.robot(effect.robot_id)
                self.robots[robot.id] = replace(robot, bound=effect.order_id, bound_since=self.now)
            case Free():
                self._free(effect)
            case Withdraw():
                for delivery in self.site.pending(effect.order_id):
                    self.deliveries.append(dropped(delivery, effect.reason, self.now))
            case PublishOrder():
                return self._order(effect, step, attempt), False
            case PublishCancel():
                self._cancel(effect, step)
        return attempt, False

    def _free(self, effect: Free) -> None:
        robot = self.robot(effect.robot_id)
        if robot.bound != effect.order_id:
            return
        rest = self.now + timedelta(seconds=self.policy.cool_down) if effect.rest else None
        self.robots[robot.id] = replace(
            robot,
            bound="",
            bound_since=None,
            last=effect.order_id,
            jobs=robot.jobs + effect.done,
            rests_until=rest or robot.rests_until,
        )

    def _cancel(self, effect: PublishCancel, step: Step) -> None:
        """Tell the robot to stop. If it can't be told, its silence makes the case uncertain."""
        robot = self.robot(effect.robot_id)
        try:
            composed = self.outlets.cancel(effect.order_id, effect.action_id, robot, self.now)
        except Permanent as error:
            self.entries.append(
                Entry(
                    action="order.cancel_unsaid",
                    at=self.now,
                    text=f"Robot {robot.id} can't be told to stop: {error}",
                    case_id=step.job.case.id,
                    order_id=effect.order_id,
                    robot_id=robot.id,
                    trace_id=step.job.case.trace_id,
                    data={"reason": str(error)},
                )
            )
            return
        self._to_robot(robot, composed, "cancel", step, effect.not_after)

    def _order(
        self, effect: PublishOrder, step: Step, attempt: Assignment | None
    ) -> Assignment | None:
        robot = self.robot(effect.order.robot_id)
        if attempt is not None and attempt.parcel:
            composed = Composed(payload=attempt.parcel, header="")
        else:
            composed = self.outlets.order(effect.order, robot, self.now)
        self._to_robot(robot, composed, "order", step, effect.not_after)
        return None if attempt is None else replace(attempt, parcel=composed.payload)

    def _to_robot(
        self, robot: Robot, composed: Composed, verb: str, step: Step | None, not_after: datetime
    ) -> None:
        if composed.header:
            count = robot.headers.get(composed.header, 0) + 1
            headers = {**robot.headers, composed.header: count}
            self.robots[robot.id] = replace(robot, headers=headers)
        job = step.job if step is not None else None
        attempt = job.assignment if job is not None else None
        self.deliveries.append(
            Delivery(
                id=self.new_id(),
                target=f"fleet:{robot.fleet}",
                lane=robot.id,
                verb=verb,
                payload=composed.payload,
                created_at=self.now,
                case_id=job.case.id if job else "",
                order_id=attempt.order_id if attempt else "",
                trace_id=job.case.trace_id if job else "",
                not_after=not_after,
            )
        )

    def _tell(self, status: Status) -> bool:
        """Queue the desk's write and the feeds' events; whether a final write was queued."""
        case = status.case
        written = self.outlets.desk(status)
        if written is not None:
            payload = {**written, "external_id": case.external_id, "status": status.told.value}
            self._out(f"desk:{case.desk}", "write", payload, status)
        for feed, event in self.outlets.feeds(status, self.new_id()):
            self._out(f"feed:{feed}", "publish", event, status)
        return written is not None and status.told in FINAL

    def _out(self, target: str, verb: str, payload: Mapping[str, object], status: Status) -> None:
        case = status.case
        delivery = Delivery(
            id=self.new_id(),
            target=target,
            lane=case.id,
            verb=verb,
            payload=payload,
            created_at=self.now,
            case_id=case.id,
            order_id=status.order_id,
            trace_id=case.trace_id,
            final=verb == "write" and status.told in FINAL,
        )
        if verb == "write":
            self._write(delivery)
        else:
            self.deliveries.append(delivery)

    def _write(self, delivery: Delivery) -> None:
        """Queue a write at the desk, within one that still waits if there is such."""
        lane = dict(self.site.lanes.get((delivery.target, delivery.lane), {}))
        place = (delivery.target, delivery.lane)
        lane.update({d.id: d for d in self.deliveries if (d.target, d.lane) == place})
        waiting = host(lane.values(), self.site.out)
        together = joined(waiting, delivery) if waiting is not None else None
        self.deliveries = [d for d in self.deliveries if together is None or d.id != together.id]
        self.deliveries.append(together or delivery)
