"""Random but plausible histories of a site, for the journal's conformance suite.

Each step looks at the journal's site and makes one change of the kind that the flow makes: no
change here moves a value in a way that the domain does not.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.domain.fault import Fault
from dragoman.domain.order import LIVE, Action, Assignment, AssignmentState, Order, Place, Stop
from dragoman.domain.robot import Position, Robot, RobotError, RobotReport
from dragoman.domain.site import Site

START = datetime(2030, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=1)
TARGETS = ("desk:a", "desk:b", "fleet:main", "feed:cmms")


def entry(at: datetime, action: str, *, case_id: str = "", robot_id: str = "") -> Entry:
    """An entry with some text that is not ASCII."""
    data: dict[str, object] = {"cost": 1.5, "why": ["nearest", None, True], "Größe": {"x": 1}}
    text = f"Ein Satz über {action} — 说明"
    return Entry(action=action, at=at, text=text, case_id=case_id, robot_id=robot_id, data=data)


def case(number: int, at: datetime = START, state: CaseState = CaseState.QUEUED) -> Case:
    """A case of desk a or b."""
    return Case(
        id=f"case-{number:06}",
        desk="ab"[number % 2],
        external_id=f"x{number}",
        number=f"INC{number:07}",
        kind="transport",
        title="Bring the “blue” box\nnow",
        priority=3,
        location="dock 4",
        opened_at=at,
        received_at=at,
        trace_id=f"{number:032x}",
        state=state,
        since=at,
        due_at=at + timedelta(minutes=5),
        fields={"short_description": 'a "quoted" \\ text'},
    )


def delivery(number: int, at: datetime = START, target: str = "desk:a") -> Delivery:
    """A queued delivery."""
    return Delivery(
        id=f"d-{number:06}",
        target=target,
        lane=f"lane-{number % 3}",
        verb="update",
        payload={"fields": {"state": "2"}, "n": number, "tags": ["a", "b"]},
        created_at=at,
    )


def assignment(of: Case, robot_id: str, at: datetime) -> Assignment:
    """The next attempt of a case, planned."""
    attempt = of.attempts + 1
    order_id = f"{of.id}-{attempt}"
    place = Place(node_id="n1", x=1.25, y=-3.0, map_id="hall")
    stop = Stop(place=place, actions=(Action(id="a1", type="pick", parameters={"h": 0.5}),))
    order = Order(id=order_id, case_id=of.id, robot_id=robot_id, stops=(stop,))
    return Assignment(
        order_id=order_id,
        case_id=of.id,
        attempt=attempt,
        robot_id=robot_id,
        state=AssignmentState.PLANNED,
        order=order,
        assigned_at=at,
    )


def one_of_each(number: int) -> Change:
    """A change with one row of every type that can be looked up, each column in use."""
    of = case(number)
    attempt = replace(assignment(of, f"maker/{number % 3}", START), attempt=number)
    fleet = "ab"[number % 2]
    robot = Robot(id=f"maker/{number}", fleet=fleet, manufacturer="maker", serial=str(number))
    sent = replace(delivery(number), case_id=of.id, order_id=attempt.order_id)
    note = entry(START, f"a.{number % 3}", case_id=of.id, robot_id=robot.id)
    note = replace(note, order_id=attempt.order_id, desk=of.desk)
    return Change(
        entries=(note,), cases=(of,), assignments=(attempt,), robots=(robot,), deliveries=(sent,)
    )


class History:
    """Makes changes one after another, in the state that the site is in.

    first: the number of the first new thing; another one for each history of the same journal.
    """

    def __init__(self, site: Site, first: int = 0) -> None:
        self._site = site
        self._count = first

    def next(self, kind: str, pick: int) -> Change:
        """One change of a kind of STEPS; an entry alone if there is nothing of that kind to do.

        pick: the chance in it.
        """
        self._count += 1
        at = START + timedelta(milliseconds=self._count)
        made = STEPS[kind](self, pick, at)
        return replace(made, entries=(entry(at, f"test.{kind}"), *made.entries))

    def open_case(self, pick: int, at: datetime) -> Change:
        """A new case, with what its desk is told and how far its feed was read."""
        new = case(self._count, at)
        return Change(
            cases=(new,),
            deliveries=(delivery(self._count, at, TARGETS[pick % 2]),),
            cursors={new.desk: f"cursor {self._count}"},
            seen={f"webhook-{self._count}": at + timedelta(days=pick % 2)},
        )

    def assign(self, pick: int, at: datetime) -> Change:
        """A queued case gets a robot."""
        queued = list(self._site.queued.values())
        if not queued:
            return Change()
        old = queued[pick % len(queued)]
        robot_id = f"maker/{pick % 5}"
        attempt = assignment(old, robot_id, at)
        bound = replace(
            old, state=CaseState.ASSIGNED, order_id=attempt.order_id, attempts=attempt.attempt
        )
        robot = Robot(
            id=robot_id,
            fleet="main",
            manufacturer="maker",
            serial=str(pick % 5),
            bound=attempt.order_id,
            capabilities=frozenset({"pick", "drop"}),
            headers={"order": self._count},
        )
        return Change(cases=(bound,), assignments=(attempt,), robots=(robot,))

    def progress(self, pick: int, at: datetime) -> Change:
        """A robot goes on with its order, or ends it; the case follows."""
        live = [a for a in self._site.assignments.values() if a.state in LIVE]
        if not live:
            return Change()
        old = live[pick % len(live)]
        states = (*sorted(LIVE), AssignmentState.FINISHED, AssignmentState.STOPPED)
        state = states[pick // 7 % len(states)]
        new = replace(old, state=state, sent_at=at, ended_at=None if state in LIVE else at)
        of = self._site.cases.get(old.case_id)
        if of is None:
            return Change(assignments=(new,))
        if state is AssignmentState.FINISHED:
            return Change(assignments=(new,), cases=(replace(of, state=CaseState.DONE),))
        if state is AssignmentState.STOPPED:
            waiting = replace(of, state=CaseState.QUEUED, order_id="")
            return Change(assignments=(new,), cases=(waiting,))
        return Change(assignments=(new,), cases=(replace(of, state=CaseState.EXECUTING),))

    def close(self, pick: int, at: datetime) -> Change:
        """An open case is closed."""
        cases = list(self._site.cases.values())
        if not cases:
            return Change()
        old = cases[pick % len(cases)]
        return Change(cases=(replace(old, state=CaseState.CLOSED, since=at, due_at=None),))

    def send(self, pick: int, at: datetime) -> Change:
        """A new delivery."""
        return Change(deliveries=(delivery(self._count, at, TARGETS[pick % 4]),))

    def settle(self, pick: int, at: datetime) -> Change:
        """A delivery goes on its way, ends, or dies."""
        waiting = list(self._site.deliveries())
        if not waiting:
            return Change()
        old = waiting[pick % len(waiting)]
        state = tuple(DeliveryState)[pick // 11 % 5]
        new = replace(old, state=state, attempts=old.attempts + 1, reason=f"at {at}")
        return Change(deliveries=(new,))

    def report(self, pick: int, at: datetime) -> Change:
        """A robot's state, now and then older than the last."""
        received = at - timedelta(milliseconds=pick % 4 * 10)
        return Change(
            reports=(
                RobotReport(
                    robot_id=f"maker/{pick % 2}",
                    received_at=received,
                    reported_at=received,
                    header_id=self._count,
                    order_id="",
                    order_update_id=0,
                    last_node_id="n1",
                    last_sequence_id=0,
                    nodes_left=0,
                    edges_left=0,
                    driving=False,
                    paused=False,
                    mode="AUTOMATIC",
                    e_stop=False,
                    battery=81.5,
                    charging=False,
                    position=Position(x=0.1, y=1e-9, map_id="hall"),
                    errors=(RobotError(type="t", level="FATAL", references=(("a", "b"),)),),
                ),
            )
        )

    def fault(self, pick: int, at: datetime) -> Change:
        """A robot's fault is raised, gets its record at the desk, or clears."""
        number = pick % 4
        old = self._site.faults.get(f"fault-{number}")
        if old is None:
            old = Fault(
                id=f"fault-{number}",
                robot_id=f"maker/{number}",
                key="motor",
                desk="a",
                level="FATAL",
                description="motor hot",
                raised_at=at,
            )
            return Change(faults=(old,))
        new = replace(old, external_id="77") if pick % 2 else replace(old, cleared_at=at)
        return Change(faults=(new,))


STEPS: dict[str, Callable[[History, int, datetime], Change]] = {
    "open": History.open_case,
    "assign": History.assign,
    "progress": History.progress,
    "close": History.close,
    "send": History.send,
    "settle": History.settle,
    "report": History.report,
    "report again": History.report,
    "fault": History.fault,
}

histories = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(min_value=0, max_value=9_999)),
    max_size=60,
)
"""Steps for History.next: (kind, pick)."""
