"""A fleet that the configuration no longer has, and orders that can't be said: nothing dies."""

from dataclasses import replace
from types import SimpleNamespace

from dragoman.domain.case import CaseState
from dragoman.domain.change import Change
from dragoman.domain.delivery import Delivery
from dragoman.domain.errors import Permanent
from dragoman.domain.robot import Robot
from dragoman.domain.site import Site
from dragoman.flow.operate import Decision
from dragoman.ports.fleet import AskState, Command, Parcel, SendOrder
from dragoman.testing.memory_journal import MemoryJournal, MemoryStore
from dragoman.web.status import targets
from tests.runtime.rig import Rig, until

SO = Decision(actor="operator:x", reason="so")


async def test_a_renamed_fleet_keeps_nothing_from_starting_and_is_told() -> None:
    store = MemoryStore()
    first = Rig(journal=MemoryJournal(store))
    async with first.running() as gateway:
        site = gateway.kit.site
        first.fleet.robots["acme/r0"].busy = True
        number = first.memory.open("look", location="dock")
        await gateway.kit.journal.commit(gateway.parts.desks["d"].intake.fetch(number))
        await until(lambda: _state(site) is CaseState.ACCEPTED)
    second = Rig(journal=MemoryJournal(store), fleet_name="depot", robots=0)
    async with second.running() as gateway:
        site, journal = gateway.kit.site, gateway.kit.journal
        (case,) = site.cases.values()
        robot = replace(site.robots["acme/r0"], bound="", bound_since=None)
        pool = gateway.parts.assign.roster.pool([robot], {}, gateway.kit.clock.now())
        assert pool.excluded == {"acme/r0": "its fleet hall is not in the configuration"}
        await gateway.operators.act(case.id, "cancel", SO)
        await until(lambda: any(e.action == "order.cancel_unsaid" for e in store.entries))
        assert site.cases[case.id].state is CaseState.STOPPING
        await gateway.operators.act(case.id, "confirm-stopped", SO)
        waiting = Delivery(
            id="orphan",
            target="fleet:hall",
            lane="acme/r0",
            verb="ask",
            payload={},
            created_at=gateway.kit.clock.now(),
        )
        await journal.commit(Change(deliveries=(waiting,)))
    third = Rig(journal=MemoryJournal(store), fleet_name="depot", robots=0)
    async with third.running() as gateway:
        await gateway.kit.journal.commit(Change())
        (told,) = [e for e in store.entries if e.action == "target.orphaned"]
        assert told.data == {"target": "fleet:hall", "queued": 1}
        shown = {one.target: one for one in targets(SimpleNamespace(gateway=gateway))}  # type: ignore[arg-type] # only the gateway is looked at
        assert (shown["fleet:hall"].orphaned, shown["fleet:hall"].queued) == (True, 1)
        assert not shown["fleet:depot"].orphaned
        await gateway.operators.drop("orphan", SO)
        assert "fleet:hall" not in {t.target for t in targets(SimpleNamespace(gateway=gateway))}  # type: ignore[arg-type] # as above


async def test_an_order_that_cannot_be_said_holds_its_case_and_no_other() -> None:
    rig = Rig(robots=2)
    async with rig.running() as gateway:
        site, intake = gateway.kit.site, gateway.parts.desks["d"].intake
        compose = rig.fleet.compose

        def picky(command: Command, robot: Robot, now: object) -> Parcel:
            if isinstance(command, SendOrder) and robot.id == "acme/r1":
                raise Permanent("this robot's dialect has no such order")
            assert isinstance(command, SendOrder | AskState)
            return compose(command, robot, gateway.kit.clock.now())

        rig.fleet.compose = picky  # type: ignore[method-assign] # a robot with a dialect of its own
        numbers = [rig.memory.open("look", location="dock") for _ in range(2)]
        fetches = [intake.fetch(number) for number in numbers]
        for fetch in fetches:
            await gateway.kit.journal.commit(fetch)
        await until(lambda: _state(site) is CaseState.HELD)
        (held,) = site.cases.values()
        assert "can't be said to robot acme/r1: this robot's dialect" in held.reason
        assert not site.robots["acme/r1"].bound
        assert [r.outcomes[-1][1] for r in rig.fleet.robots.values() if r.outcomes] == ["finished"]


def _state(site: Site) -> CaseState | None:
    """Of the only open case."""
    states = [case.state for case in site.cases.values()]
    return states[0] if len(states) == 1 else None
