"""A simulated site whose two sides can be made to drift apart, for the tests of reconcile.

The real flow, pure vehicles that speak VDA 5050, a desk in memory that can be tampered with behind
its own feed, and virtual time. `faults.py` plants the drift.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from random import Random
from typing import Any

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery
from dragoman.domain.errors import DragomanError, NotFound, Permanent
from dragoman.domain.mapping import Incoming, Rule
from dragoman.domain.order import Assignment, Place
from dragoman.domain.outbox import Outlets
from dragoman.domain.policy import ActionTemplate, Mission, Policy, Weights
from dragoman.domain.reconcile.mismatch import Rules
from dragoman.domain.reconcile.robot import Fleet
from dragoman.domain.robot import RobotReport
from dragoman.domain.status import Status
from dragoman.flow import dispatch, recover, writeback
from dragoman.flow.assign import Assign
from dragoman.flow.intake import Intake
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile import Book, DeskSide, Reader, RobotSide
from dragoman.flow.track import Track
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from dragoman.ports.journal import Find, Found, RowT
from dragoman.testing.fakes.desk import MemoryDesk
from dragoman.testing.sim import World
from dragoman.testing.sim.gateway import SimOutlets, greedy
from dragoman.testing.sim.stores import CrashingJournal, run

NEAR = ("dock", "hall", "lab")
PLACES = {
    name: Place(node_id=name, x=x, y=5.0, map_id="map")
    for name, x in (("dock", 10.0), ("hall", 20.0), ("lab", 30.0), ("far", 2000.0))
}
MISSION = Mission(
    kind="look", actions=(ActionTemplate(type="inspect", parameters={}),), expected_s=2000.0
)
STATES = {"done": "closed", "cancelled": "closed"}
PHASES = {"closed": "closed", "cancelled": "cancelled"}


class DriftDesk(MemoryDesk):
    """hidden: what its own filter keeps back. broken: what it refuses to show. gone: deleted.
    away: why it doesn't answer at all.

    `secretly` changes a record and tells no poll.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(clock=now)
        self.hidden: set[str] = set()
        self.broken: set[str] = set()
        self.gone: set[str] = set()
        self.away: DragomanError | None = None

    def secretly(self, external_id: str, **fields: str) -> None:
        """A person changes a record, and no poll ever reports it."""
        told = len(self._feed)
        self.edit(external_id, **fields)
        del self._feed[told:]

    def open_secretly(self, title: str, **fields: str) -> str:
        """A person opens a record, and no poll ever reports it."""
        told = len(self._feed)
        found = self.open(title, **fields)
        del self._feed[told:]
        return found

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        self._there()
        page = await super().changes(cursor or "0", limit)
        kept = [record for record in page.records if record.external_id not in self.hidden]
        return replace(page, records=kept)

    async def read(self, external_id: str) -> DeskRecord:
        self._there()
        if external_id in self.gone:
            raise NotFound("it was deleted", field="id", value=external_id)
        if external_id in self.broken:
            raise Permanent("this record can't be shown", field="id", value=external_id)
        return await super().read(external_id)

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        self._there()
        return await super().write(external_id, write)

    async def survey(self, after: str, limit: int) -> DeskPage:
        self._there()
        page = await super().survey(after, limit)
        out = self.hidden | self.broken | self.gone
        return replace(page, records=[one for one in page.records if one.external_id not in out])

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        self._there()
        out = self.hidden | self.broken | self.gone
        return await super().read_many([one for one in external_ids if one not in out])

    def _there(self) -> None:
        if self.away is not None:
            raise self.away


@dataclass(frozen=True, slots=True)
class DriftOutlets(SimOutlets):
    """What the desk is told: the state, and which robot."""

    def desk(self, status: Status) -> Mapping[str, object] | None:
        told = status.told.value
        if told == "reminder":
            return None
        return {"fields": {"state": STATES.get(told, told), "robot": status.robot_id}}


Kept = Case | Entry | Delivery | Assignment
KEYS: Mapping[type, Sequence[str]] = {
    Case: ("external_id", "id"),
    Entry: ("case_id", "action"),
    Delivery: ("lane", "case_id"),
    Assignment: ("order_id", "case_id"),
}


class IndexedJournal(CrashingJournal):
    """The same, with look-ups that don't walk through everything."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self._index: dict[tuple[type, str, str], dict[str, None]] = defaultdict(dict)

    def sync(self) -> None:
        for change in self._unsynced:
            rows: list[Kept] = [*change.cases, *change.entries]
            rows += [*change.deliveries, *change.assignments]
            for row in rows:
                for column in KEYS[type(row)]:
                    self._index[type(row), column, str(getattr(row, column))][_id(row)] = None
        super().sync()

    async def find(self, row: type[RowT], query: Find) -> Found[RowT]:
        if row not in KEYS:
            return Found(rows=())  # nothing was ever archived
        column = next(column for column in KEYS[row] if column in query.where)
        wanted = {k: [v] if isinstance(v, str) else list(v) for k, v in query.where.items()}
        table = self.store.tables[row]
        names = [n for value in wanted[column] for n in self._index.get((row, column, value), ())]
        found: list[Any] = [table[name] for name in names]
        if row is Entry:
            found.sort(key=attrgetter("seq"))
            found = [one for one in found if one.seq > int(query.after or 0)]
            found = [one for one in found if not query.since or one.at >= query.since]
        return Found(rows=[o for o in found if all(getattr(o, k) in v for k, v in wanted.items())])


def _id(row: Kept) -> str:
    if isinstance(row, Entry):
        return str(row.seq)
    return row.order_id if isinstance(row, Assignment) else row.id


class Compared(World):
    """What reconcile does at a site, and what came of it."""

    rules: Rules
    journal: CrashingJournal
    side: DeskSide
    robots: RobotSide

    def go_on(self, seconds: float, step: float = 5.0) -> None:
        """Everything works, for so long."""
        for _ in range(int(seconds / step)):
            self.pass_time(step)
            self.fire()
            self.settle()

    def window(self, limit: int = 10_000) -> None:
        """One window, and one look at the robots."""
        self.sync()
        run(self.side.window(limit, timedelta(minutes=10)))
        run(self.robots.look())
        self.sync()

    def sweep(self) -> None:
        """One full sweep with its second looks, while everything works on."""
        self.settle()
        run(self.side.sweep(self.clock.now() - timedelta(hours=8)))
        run(self.robots.look())
        self.go_on(self.rules.grace_s + 5.0)
        self.second_look()

    def second_look(self) -> None:
        """The second look at what is due."""
        self.sync()
        run(self.side.again())
        run(self.robots.look())
        self.sync()

    def entries(self, action: str) -> list[Entry]:
        """All entries of an action."""
        self.sync()
        return [entry for entry in self.journal.store.entries if entry.action == action]

    def counted(self) -> dict[str, str]:
        """Key → `side kind` of every mismatch that counted; unreachable ones by their own entry."""
        found = {
            str(entry.data["key"]): f"{entry.data['side']} {entry.data['kind']}"
            for entry in self.entries("reconcile.mismatch")
        }
        for entry in self.entries("reconcile.unreachable"):
            side = "desk" if entry.desk else "robot"
            keys = entry.data["keys"]
            assert isinstance(keys, list)
            found |= {str(key): f"{side} unreachable" for key in keys}
        return found

    def case(self, record: str) -> Case:
        """The open case of a record."""
        case = self.kit.site.case_of("sim", record)
        assert case is not None, record
        return case

    def at_work(self) -> list[Case]:
        """Cases at which a robot works now."""
        return [c for c in self.kit.site.cases.values() if c.state is CaseState.EXECUTING]


class DriftSite(Compared):
    """A site with reconcile. deaf: robots whose states are heard without being understood.

    reserved: keys of cases that the test needs as they are, so that no traffic touches them.
    """

    written: tuple[str, ...] = ("state", "robot")

    def __init__(self, robots: int, rules: Rules) -> None:
        self.rules = rules
        self.deaf: set[str] = set()
        self.reserved: set[str] = set()
        super().__init__(robots, policy=Policy(assign_within=100_000.0))

    def _connect(self) -> tuple[Any, Incoming, Outlets]:
        """The desk, how it is read, and what it is told."""
        rules = {
            name: Rule(path=name, read=itemgetter(name))
            for name in ("title", "location", "priority")
        }
        rules["number"] = Rule(path="result", read=lambda raw: raw.get("result"), required=False)
        rules["opened_at"] = Rule(path="updated", read=itemgetter("updated"))
        rules["phase"] = Rule(path="state", read=itemgetter("state"), map=PHASES, default="open")
        rules["kind"] = Rule(const="look")
        desk = DriftDesk(self.clock.now)
        return desk, Incoming(rules=rules), DriftOutlets(self.fleet)

    def _build(self) -> None:
        self.journal = IndexedJournal(self.clock.now)
        self.records, mapping, outlets = self._connect()
        self.kit = Kit(journal=self.journal, clock=self.clock, outlets=outlets, policy=self.policy)
        self.intake = Intake(kit=self.kit, desk="sim", mapping=mapping, kinds=frozenset({"look"}))
        self.track = Track(kit=self.kit)
        self.assigner = Assign(
            kit=self.kit,
            missions={"look": MISSION},
            locations=PLACES,
            weights=Weights(),
            solver=greedy,
        )
        self.reader = Reader(
            desk=self.records, mapping=mapping, written=self.written, survey=self.records
        )
        self.book = Book(kit=self.kit, rules=self.rules, fleet=self._sides)
        self.side = DeskSide(kit=self.kit, book=self.book, name="sim", reader=self.reader)
        self.robots = RobotSide(kit=self.kit, book=self.book)
        self.commit(recover.started(self.kit, "sim"))

    def _sides(self) -> Fleet:
        site = self.kit.site
        return Fleet(
            cases=site.cases,
            assignments=site.assignments,
            robots=site.robots,
            reports=self.track.latest,
        )

    # What people do.

    def open(self, location: str, priority: str = "3") -> str:
        """Somebody opens a record."""
        return str(self.records.open("look", location=location, priority=priority))

    def known(self) -> list[str]:
        """The ids of all records that people may touch."""
        return [one for one in self.records.records if f"sim/{one}" not in self.reserved]

    def bustle(self, rng: Random, one: str) -> None:
        """Somebody does something with a record, or opens a new one."""
        case = self.kit.site.case_of("sim", one)
        kind = rng.choice(("open", "edit", "edit", "state", "cancel", "act"))
        if kind == "open":
            self.open(rng.choice(NEAR), rng.choice("345"))
        elif case is None or case.state is CaseState.EXECUTING:
            return
        elif kind == "act":
            self.act(case.id, rng.choice(("hold", "release")))
        else:
            self.change(rng, one, kind)

    def change(self, rng: Random, one: str, kind: str) -> None:
        """Somebody changes a record."""
        if kind == "edit":
            title = f"look {rng.randrange(99)}"
            self.records.edit(one, priority=rng.choice("345"), title=title)
        elif kind == "state":
            self.records.edit(one, state="waiting for parts")
        else:
            self.records.edit(one, state=rng.choice(("cancelled", "closed")))

    # The gateway's and the world's steps.

    def poll(self) -> None:
        """Read the desk until there is no more."""
        more = getattr(self.records, "away", None) is None
        while more:
            page = run(self.records.changes(self.kit.site.cursors.get("sim", ""), 500))
            run(self.intake.page(page))
            more = page.more

    async def _handled(self, delivery: Delivery) -> Change:
        if delivery.target.startswith("fleet:"):
            return await dispatch.send(self.kit, self.fleet, delivery)
        if delivery.verb == "fetch":
            record = await self.records.read(str(delivery.payload["external_id"]))
            return (await self.intake.record(record))[1]
        return await writeback.write(self.kit, self.records, delivery, self.reader)

    def hear(self, robot_id: str) -> None:
        """Take in one message; of a deaf ear's robot only that it said something."""
        if robot_id not in self.deaf:
            super().hear(robot_id)
            return
        for report in self.fleet.hear(robot_id, known=True):
            if isinstance(report, RobotReport):
                self.track.latest[robot_id] = report
