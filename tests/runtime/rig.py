"""A whole gateway over fakes: desk, fleet and journal in memory, the real loops around them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from operator import itemgetter

from dragoman.domain.delivery import RetryPolicy
from dragoman.domain.mapping import (
    CASE_VALUES,
    FAULT,
    FAULT_CLEARED,
    FAULT_VALUES,
    Incoming,
    Outgoing,
    Rule,
    Update,
    Written,
)
from dragoman.domain.order import Place
from dragoman.domain.policy import ActionTemplate, Mission, Policy, Weights
from dragoman.domain.status import Told
from dragoman.domain.template import parse
from dragoman.flow.assign import Assign
from dragoman.flow.faults import Faults
from dragoman.flow.intake import Intake
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile.reading import Reader
from dragoman.plugins import Notice
from dragoman.ports.clock import Clock
from dragoman.ports.desk import Desk
from dragoman.ports.journal import Journal
from dragoman.runtime.announcing import AnnouncingJournal
from dragoman.runtime.clock import SystemClock
from dragoman.runtime.gateway import Gateway
from dragoman.runtime.outlets import ConfiguredOutlets
from dragoman.runtime.parts import DeskParts, Parts
from dragoman.runtime.poller import Pace
from dragoman.runtime.reconciler import Plan
from dragoman.solver import solve
from dragoman.testing.fakes.desk import MemoryDesk
from dragoman.testing.fakes.fleet import MemoryFleet
from dragoman.testing.memory_journal import MemoryJournal

PLACES = {"dock": Place(node_id="dock", x=5.0, y=5.0, map_id="map")}
MISSION = Mission(kind="look", actions=(ActionTemplate(type="inspect"),), expected_s=20.0)
PATIENCE_S = 20.0


def mapping() -> Incoming:
    """Of the records of MemoryDesk."""
    names = {"number": "id", "title": "title", "location": "location", "opened_at": "updated"}
    rules = {name: Rule(path=key, read=itemgetter(key)) for name, key in names.items()}
    rules["kind"] = Rule(const="look")
    phases = {"done": "closed", "cancelled": "cancelled"}
    rules["phase"] = Rule(
        path="state", read=itemgetter("state"), map={"new": "open", **phases}, default="open"
    )
    return Incoming(rules=rules)


def outgoing() -> Outgoing:
    """Each status is a comment; `done` sets the state, and faults are told."""
    status = parse("{status}", CASE_VALUES)
    updates = {told.value: Update(comment=status) for told in Told}
    updates["done"] = Update(fields={"state": Written(value=status)})
    updates[FAULT] = Update(comment=parse("{key}", FAULT_VALUES))
    updates[FAULT_CLEARED] = Update(comment=parse("{key} is over", FAULT_VALUES))
    return Outgoing(updates=updates)


@dataclass(kw_only=True)
class Rig:
    """What the gateway is made of; `build` puts it together, `running` lets it run."""

    clock: Clock = field(default_factory=SystemClock)
    robots: int = 1
    poll: bool = False
    incoming: Incoming = field(default_factory=mapping)
    fleet_name: str = "hall"
    journal: Journal | None = None
    policy: Policy = field(default_factory=Policy)
    desk: Desk | None = None
    plan: Plan | None = None

    def build(self) -> Gateway:
        journal = AnnouncingJournal(self.journal or MemoryJournal(now=self.clock.now))
        self.fleet = MemoryFleet(self.fleet_name, self.clock.now)
        for number in range(self.robots):
            self.fleet.add(f"acme/r{number}")
        written = outgoing()
        outlets = ConfiguredOutlets(
            fleets={self.fleet_name: self.fleet},
            desks={"d": written},
            feed_names=(),
            event_of=lambda _status, _id: {},
        )
        kit = Kit(journal=journal, clock=self.clock, outlets=outlets, policy=self.policy)
        assign = Assign(
            kit=kit,
            missions={"look": MISSION},
            locations=PLACES,
            weights=Weights(),
            solver=solve,
            fleets=frozenset({self.fleet_name}),
        )
        self.memory = MemoryDesk(clock=self.clock.now)
        intake = Intake(kit=kit, desk="d", mapping=self.incoming, kinds=frozenset({"look"}))
        parts = DeskParts(
            desk=self.desk or self.memory,
            intake=intake,
            notice=lambda body: Notice(external_id=str(body["id"])),
            retry=RetryPolicy(base_s=0.02, cap_s=0.1),
            reader=Reader(desk=self.desk or self.memory, mapping=self.incoming),
            pace=Pace(least=0.02, most=0.05, per_minute=0) if self.poll else None,
        )
        faults = Faults(
            kit=kit, desk="d", outgoing=written, levels=frozenset({"FATAL"}), ignore=frozenset()
        )
        return Gateway(
            Parts(
                site_name="test",
                version="0",
                kit=kit,
                journal=journal,
                assign=assign,
                desks={"d": parts},
                fleets={self.fleet_name: self.fleet},
                faults=faults,
                plan=self.plan,
            )
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gateway]:
        """The gateway at work, from its start on."""
        gateway = self.build()
        ready = asyncio.Event()
        task = asyncio.create_task(gateway.run(ready.set))
        waiting = asyncio.create_task(ready.wait())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            yield gateway
        finally:
            waiting.cancel()
            task.cancel()
            await asyncio.gather(task, waiting, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition, within a deadline."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - a state, no event
            await asyncio.sleep(0.01)
