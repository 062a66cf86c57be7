"""When both sides are compared, in virtual time: windows, second looks, sweeps, ends of shifts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

import pytest

from dragoman.domain.delivery import DeliveryState
from dragoman.domain.errors import RetryLater
from dragoman.domain.mapping import Incoming, Rule
from dragoman.domain.policy import Policy
from dragoman.domain.reconcile.mismatch import Rules, Side
from dragoman.domain.status import Status
from dragoman.flow.intake import Intake
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile import Reader
from dragoman.ports.desk import DeskPage, DeskRecord
from dragoman.runtime.pacing import Budget
from dragoman.runtime.reconciler import DeskLoop, Plan, Reconciler
from dragoman.testing.fakes.desk import MemoryDesk
from dragoman.testing.memory_journal import MemoryJournal
from dragoman.testing.sim.gateway import SimOutlets
from dragoman.testing.sim.stores import VirtualClock
from dragoman.testing.sim.wires import SimFleet
from tests.runtime.rig import Rig as WholeRig
from tests.runtime.rig import until


class TimedDesk(MemoryDesk):
    """asked: when each reading call came, in virtual time. away: why it doesn't answer."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock=clock.now)
        self.virtual = clock
        self.asked: list[datetime] = []
        self.away = False

    async def survey(self, after: str, limit: int) -> DeskPage:
        self._came()
        return await super().survey(after, limit)

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        self._came()
        return await super().read_many(external_ids)

    def _came(self) -> None:
        self.asked.append(self._clock())
        if self.away:
            raise RetryLater("maintenance")


@dataclass(frozen=True, slots=True)
class Tongueless(SimOutlets):
    """Tells the desk nothing, since nothing here would carry it."""

    def desk(self, status: Status) -> Mapping[str, object] | None:
        return None


class Rig:
    """A site with one desk, and time that passes only when somebody waits."""

    def __init__(
        self,
        plan: Plan,
        cases: int = 0,
        *,
        journal: MemoryJournal | None = None,
        desk: TimedDesk | None = None,
    ) -> None:
        self.clock = VirtualClock() if desk is None else desk.virtual
        self.journal = journal or MemoryJournal(now=self.clock.now)
        self.desk = desk or TimedDesk(self.clock)
        self.desk.batch = 10
        kit = Kit(
            journal=self.journal,
            clock=self.clock,
            outlets=Tongueless(SimFleet(self.clock.now)),
            policy=Policy(),
        )
        rules = {name: Rule(path=name, read=itemgetter(name)) for name in ("title", "priority")}
        rules["opened_at"] = Rule(path="updated", read=itemgetter("updated"))
        rules["number"] = Rule(path="id", read=itemgetter("id"))
        rules["kind"] = Rule(const="look")
        mapping = Incoming(rules=rules)
        self.intake = Intake(kit=kit, desk="d", mapping=mapping, kinds=frozenset({"look"}))
        reader = Reader(desk=self.desk, mapping=mapping, survey=self.desk)
        self.reconciler = Reconciler(
            kit, plan, {"d": reader}, {}, site_name="site", sleep=self.sleep
        )
        self.loop: DeskLoop = self.reconciler.desks["d"]
        self.cases = cases

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.clock.advance(seconds)

    async def begin(self) -> None:
        """The first look, and then the cases."""
        await self.reconciler.turn_of_robots()
        await self.loop.side.window(1, timedelta(0))
        for _ in range(self.cases):
            self.desk.open("look", priority="3")
        await self.intake.page(await self.desk.changes("0", 10_000))

    async def go_on(self, seconds: float) -> None:
        """What the loops do, for so long."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until:
            await self.reconciler.turn(self.loop)
            await self.reconciler.turn_of_robots()
            await self.sleep(self.reconciler._pause(self.loop))

    def actions(self) -> list[str]:
        return [entry.action for entry in self.journal.entries]


async def test_requests_keep_to_their_budget_and_all_cases_have_their_turn() -> None:
    rig = Rig(Plan(per_minute=6, every_s=60.0), cases=200)
    await rig.begin()
    rig.desk.asked.clear()
    await rig.go_on(900)
    gaps = [b - a for a, b in zip(rig.desk.asked, rig.desk.asked[1:], strict=False)]
    assert min(gaps) >= timedelta(seconds=10)
    named = [entry for entry in rig.journal.entries if entry.action == "reconcile.compared"]
    keys = [key for entry in named for key in entry.data["keys"]]  # type: ignore[attr-defined]  # a list
    assert len(keys) == len(set(keys)) == 200


async def test_a_sweep_runs_before_the_end_of_each_shift_and_the_shift_is_reported() -> None:
    rig = Rig(Plan(sweep_before_s=1800.0), cases=5)
    await rig.begin()
    shift = rig.reconciler.reports.shift(rig.clock.now())
    before = (shift.end - rig.clock.now()).total_seconds()
    await rig.go_on(before - 1900)
    assert "reconcile.swept" not in rig.actions()
    await rig.go_on(300)
    assert rig.actions().count("reconcile.swept") == 1
    await rig.go_on(1800)
    assert rig.actions().count("reconcile.swept") == 1
    (ended,) = [entry for entry in rig.journal.entries if entry.action == "reconcile.shift"]
    assert (ended.data["compared"], ended.data["errors"], ended.data["swept"]) == (5, 0, True)
    assert ended.data["end"] == shift.end.isoformat()
    assert rig.reconciler.book.told.keys() <= {"reconcile.compared"}, "the next shift counts anew"


async def test_a_change_that_no_poll_told_is_found_in_the_next_window_and_its_second_look() -> None:
    rig = Rig(Plan(), cases=20)
    await rig.begin()
    rig.desk.edit("D00007", priority="1")
    at = rig.clock.now()
    while "reconcile.mismatch" not in rig.actions():
        await rig.go_on(5)
    plan = rig.reconciler.plan
    longest = plan.every_s + plan.rules.grace_s + 10
    (found,) = [entry for entry in rig.journal.entries if entry.action == "reconcile.mismatch"]
    assert found.at - at < timedelta(seconds=longest)
    assert found.data["key"] == "d/D00007"


async def test_a_restart_goes_on_with_the_shift() -> None:
    rig = Rig(Plan(), cases=8)
    await rig.begin()
    await rig.go_on(120)
    again = Reconciler(rig.intake.kit, Plan(), {}, {}, site_name="site", sleep=rig.sleep)
    await again.turn_of_robots()
    assert len(again.book.told["reconcile.compared"]) == 8
    assert rig.actions().count("reconcile.shift") == 0


async def test_a_mismatch_outlives_a_restart_and_is_settled_after_it() -> None:
    rig = Rig(Plan(rules=Rules(left="ask")), cases=4)
    await rig.begin()
    gone = rig.desk.records.pop("D00002")
    await rig.go_on(200)
    (row,) = rig.reconciler.book.rows(Side.DESK)
    assert (row.lane, row.state) == ("d/D00002", DeliveryState.DEAD)
    store = rig.journal.store
    rig.desk.records["D00002"] = gone
    after = Rig(Plan(), journal=MemoryJournal(store, now=rig.clock.now), desk=rig.desk)
    assert [one.lane for one in after.reconciler.book.rows(Side.DESK)] == ["d/D00002"]
    await after.go_on(200)
    assert after.reconciler.book.rows(Side.DESK) == []
    assert after.actions().count("reconcile.mismatch") == 1
    assert after.actions().count("reconcile.settled") == 1


async def test_a_desk_that_is_away_is_asked_again_and_its_sweep_too() -> None:
    rig = Rig(Plan(sweep_before_s=28_800.0), cases=3)
    await rig.begin()
    rig.desk.away = True
    await rig.go_on(600)
    assert "reconcile.swept" not in rig.actions()
    assert rig.loop.error == "maintenance" or "reconcile.unreachable" in rig.actions()
    asked = len(rig.desk.asked)
    assert asked < 60, "not more often than windows and sweeps are due"
    rig.desk.away = False
    await rig.go_on(200)
    assert "reconcile.swept" in rig.actions()
    assert rig.loop.error == ""
    assert rig.loop.compared_at is not None


async def test_a_request_without_an_answer_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.runtime.pacing.ANSWER_WITHIN_S", 0.01)
    rig = Rig(Plan())
    budget = Budget(600, rig.clock, rig.sleep)
    with pytest.raises(RetryLater, match="no answer"):
        async with budget.request():
            await asyncio.Event().wait()


async def test_a_running_gateway_mends_what_no_poll_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.runtime.reconciler.LEAST_PAUSE_S", 0.02)
    rules = Rules(grace_s=0.1)
    plan = Plan(rules=rules, every_s=0.1, per_minute=60_000)
    rig = WholeRig(robots=0, plan=plan)
    async with rig.running() as gateway:
        kit = gateway.kit
        edited, gone = (rig.memory.open("look", location="dock") for _ in range(2))
        for one in (edited, gone):
            await kit.journal.commit(gateway.parts.desks["d"].intake.fetch(one))
        await until(lambda: len(kit.site.cases) == 2 and not kit.site.lanes)
        rig.memory.edit(edited, title="look closely")
        del rig.memory.records[gone]
        await until(lambda: kit.site.case_of("d", gone) is None)
        case = kit.site.case_of("d", edited)
        await until(lambda: kit.site.cases[case.id].title == "look closely" if case else False)
        await until(lambda: gateway.reconciler.book.counts.settled > 0)
        assert gateway.reconciler.book.counts.mismatches == {
            ("desk", "stale"): 1,
            ("desk", "orphan"): 1,
        }
