"""Which promise does not hold: one checker for every run of the simulator.

`broken` may be asked at any moment; `unfinished` after the world was healed.
"""

from collections.abc import Iterator

from dragoman.domain.case import WORKING, CaseState
from dragoman.domain.order import LIVE
from dragoman.testing.robots.ledger import Execution, Outcome
from dragoman.testing.sim.world import World


def broken(world: World) -> Iterator[str]:
    """Violations of G2 (not twice), G3 (deadlines, no robot bound to the dead), and the sums."""
    yield from _twice(world)
    site = world.kit.site
    for case in site.cases.values():
        if case.due_at is None:
            yield f"G3: {case.number} is {case.state.value} without a deadline"
        attempt = site.assignments.get(case.order_id)
        if case.state in WORKING and (attempt is None or attempt.state not in LIVE):
            yield f"G3: {case.number} is {case.state.value} without a live attempt"
        if case.state is CaseState.QUEUED and case.order_id:
            yield f"G2: {case.number} waits for a robot and has order {case.order_id}"
    for robot in site.robots.values():
        bound = site.assignments.get(robot.bound) if robot.bound else None
        if robot.bound and (bound is None or bound.state not in LIVE):
            yield f"G3: {robot.id} is bound to {robot.bound}, which is over"
    live = [a for a in site.assignments.values() if a.state in LIVE]
    for name, key in (("case", "case_id"), ("robot", "robot_id")):
        seen = [getattr(attempt, key) for attempt in live]
        if len(seen) != len(set(seen)):
            yield f"G2: two live orders for one {name}: {sorted(seen)}"


def _twice(world: World) -> Iterator[str]:
    """By the vehicles' own ledgers, not by anything that the gateway says."""
    by_case: dict[str, list[Execution]] = {}
    for vehicle in world.vehicles.values():
        for execution in vehicle.ledger.executions:
            by_case.setdefault(execution.case_ref, []).append(execution)
    for case, executions in by_case.items():
        finished = [e for e in executions if e.outcome is Outcome.FINISHED]
        running = [e for e in executions if e.outcome is Outcome.RUNNING]
        if len(finished) > 1 or len(running) > 1 or (finished and running):
            told = ", ".join(f"{e.robot_id} {e.outcome.value} {e.order_id}" for e in executions)
            yield f"G2: {case} was executed more than once: {told}"


def unfinished(world: World) -> Iterator[str]:
    """After healing: cases that hang (G3), and desks that were not told the outcome (G4)."""
    site = world.kit.site
    waiting = {CaseState.HELD, CaseState.UNCERTAIN}
    for case in site.cases.values():
        dead = any(
            delivery.state.value == "dead"
            for key, lane in site.lanes.items()
            if key[1] == case.id
            for delivery in lane.values()
        )
        if case.state not in waiting and not dead:
            yield f"G3: {case.number} is still {case.state.value}: {case.reason}"
    for ticket in world.desk.tickets.values():
        open_case = site.case_of("sim", ticket.id)
        if open_case is None and ticket.phase == "open" and _known(world, ticket.id):
            told = [status for _, status in ticket.told]
            if not told or told[-1] not in {"failed", "rejected"}:
                yield f"G4: ticket {ticket.id} is open and was told {told}"
        keys = [key for key, _ in ticket.told]
        if keys != sorted(keys):
            yield f"G4: ticket {ticket.id} was told out of order: {ticket.told}"


def _known(world: World, ticket_id: str) -> bool:
    return any(
        entry.action == "case.received" and entry.text.startswith(f"SIM{ticket_id} ")
        for entry in world.journal.store.entries
    )
