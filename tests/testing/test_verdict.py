"""The checker of the fault tests finds each kind of broken promise, and else nothing."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dragoman.domain.change import Change, Entry
from dragoman.journal.sqlite import SqliteJournal
from dragoman.runtime.clock import SystemClock
from dragoman.testing.faults.accounts import Journalled, Kept, Ticket, Told, journalled, tickets
from dragoman.testing.faults.verdict import Verdict, verdict
from dragoman.testing.robots.ledger import Execution, Outcome

AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
FIRST, LAST = "0" * 25 + "1", "0" * 25 + "2"
DONE = Execution(
    robot_id="acme/1",
    order_id="c1-1",
    case_ref="INC1",
    started_at=AT,
    finished_at=AT + timedelta(seconds=5),
    outcome=Outcome.FINISHED,
)
TICKET = Ticket(
    external_id="s1",
    number="INC1",
    state="6",
    ours=True,
    said=(("work_notes", FIRST), ("work_notes", LAST)),
)
KEPT = Kept(
    external_id="s1",
    number="INC1",
    state="closed",
    outcome="done",
    reason="",
    told=(
        Told(id=FIRST, status="assigned", state="delivered"),
        Told(id=LAST, status="done", state="delivered"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One case that went well, seen by all three."""

    ticket: Ticket = TICKET
    executions: tuple[Execution, ...] = (DONE,)
    cases: tuple[Kept, ...] = (KEPT,)
    unsound: tuple[str, ...] = ()

    def judged(self) -> Verdict:
        cases = {case.external_id: case for case in self.cases}
        journal = Journalled(cases=cases, unsound=self.unsound)
        return verdict({"s1": self.ticket}, self.executions, journal)


ELSEWHERE = replace(DONE, robot_id="acme/2", order_id="c1-2", started_at=AT + timedelta(seconds=9))
EARLIER = replace(ELSEWHERE, started_at=AT - timedelta(seconds=1), outcome=Outcome.CANCELLED)
BROKEN: list[tuple[str, Scene]] = [
    ("lost", Scene(cases=())),
    ("executed_twice", Scene(executions=(DONE, ELSEWHERE))),
    ("executed_twice", Scene(executions=(EARLIER, DONE))),
    ("untrue", Scene(executions=())),
    ("untrue", Scene(executions=(replace(DONE, outcome=Outcome.RUNNING, finished_at=None),))),
    ("unfinished", Scene(cases=(replace(KEPT, state="queued"),))),
    ("untold", Scene(ticket=replace(TICKET, said=TICKET.said[:1]))),
    ("untold", Scene(ticket=replace(TICKET, state="2"))),
    ("doubled", Scene(ticket=replace(TICKET, said=(*TICKET.said, TICKET.said[1])))),
    ("out_of_order", Scene(ticket=replace(TICKET, said=TICKET.said[::-1]))),
    ("out_of_order", Scene(ticket=replace(TICKET, late=1))),
    ("unsound", Scene(unsound=("entries: 3 of 4 are there",))),
]


def test_nothing_is_found_where_all_is_well() -> None:
    found = Scene().judged()
    assert found.problems == {}
    assert list(found.held) == []


def test_a_second_robot_after_the_first_has_stopped_is_fine() -> None:
    stopped = replace(DONE, outcome=Outcome.CANCELLED)
    assert Scene(executions=(stopped, ELSEWHERE)).judged().problems == {}


def test_what_waits_for_a_person_is_listed_and_breaks_no_promise() -> None:
    waiting = replace(KEPT, state="held", outcome="", reason="no robot", told=())
    said = replace(TICKET, state="2", said=())
    found = Scene(ticket=said, executions=(), cases=(waiting,)).judged()
    assert found.problems == {}
    assert list(found.held) == ["INC1 is held: no robot"]


@pytest.mark.parametrize(("promise", "scene"), BROKEN)
def test_a_broken_promise_is_found(promise: str, scene: Scene) -> None:
    assert promise in scene.judged().problems


def test_only_what_was_acknowledged_has_to_be_known() -> None:
    assert verdict({"s1": TICKET}, (), Journalled(), acknowledged=()).problems == {}
    assert verdict({"s1": TICKET}, (), Journalled(), acknowledged=("s1",)).lost


def test_a_ticket_is_read_from_the_ledger() -> None:
    def entry(operation: str, user: str, **changed: str) -> dict[str, Any]:
        where = {"table": "incident", "sys_id": "s1", "number": "INC1"}
        return {"operation": operation, "user": user, "changed": changed, **where}

    ledger = [
        entry("insert", "robin"),
        entry("update", "dragoman", work_notes=f"assigned\n[ref {FIRST}]", state="2"),
        entry("update", "robin", work_notes=f"quoting [ref {FIRST}]"),
        entry("update", "dragoman", work_notes=f"done\n[ref {LAST}]", state="6"),
        entry("update", "dragoman"),
    ]
    assert tickets(ledger, "dragoman") == {"s1": TICKET}
    late = [*ledger, entry("update", "dragoman", work_notes="one more thing")]
    assert tickets(late, "dragoman")["s1"].late == 1


def _without_triggers(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TRIGGER entries_no_delete")
    connection.execute("DELETE FROM entries WHERE seq = 1")


def _miscounted(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO targets VALUES ('desk:x', 1, 0, 0)")


@pytest.mark.parametrize(
    ("harm", "told"), [(_without_triggers, "entries"), (_miscounted, "outbox")]
)
async def test_a_damaged_journal_is_found(
    tmp_path: Path, harm: Callable[[sqlite3.Connection], None], told: str
) -> None:
    path = tmp_path / "journal.sqlite"
    journal = await SqliteJournal.open(path, site_name="x", clock=SystemClock())
    for _ in range(2):
        await journal.commit(Change(entries=(Entry(action="a.b", at=AT, text="c"),)))
    await journal.close()
    assert journalled(path).unsound == ()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        harm(connection)
    assert [text.partition(":")[0] for text in journalled(path).unsound] == [told]
