"""What every journal has to do: one suite for all implementations of ports/journal.py.

Subclass JournalConformance in a test module, and override the fixture `disk`.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.domain.case import Case, CaseState
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import DeliveryState
from dragoman.domain.errors import DragomanError, JournalUnavailable, Permanent
from dragoman.domain.order import Assignment, AssignmentState
from dragoman.domain.robot import Robot
from dragoman.domain.site import Site
from dragoman.ports.journal import COLUMNS, Find, Journal, Row, RowT
from dragoman.testing.conformance.journal_history import (
    NOW,
    START,
    History,
    case,
    delivery,
    entry,
    histories,
    one_of_each,
)

LONGEST_S = 20.0
"""How long the suite waits for a journal to work again."""


class Disk(Protocol):
    """A place for one journal that outlives it, and that can be made to fail.

    Its journals take the time from a clock that says NOW of journal_history.
    """

    async def open(self) -> Journal:
        """Open the journal in this place; the one before was closed."""
        ...

    def fail(self) -> None:
        """Let every write fail from now on."""
        ...

    def mend(self) -> None:
        """Let writes go through again."""
        ...


DiskFactory = Callable[[Path], Disk]


def contents(site: Site) -> dict[str, Any]:
    """What two sites must agree on. Order counts within a lane, and nowhere else."""
    return {
        "cases": site.cases,
        "by_key": site.by_key,
        "queued": site.queued,
        "assignments": site.assignments,
        "robots": site.robots,
        "reports": site.reports,
        "lanes": {
            key: [replace(d, state=waiting(d.state)) for d in lane.values()]
            for key, lane in site.lanes.items()
        },
        "faults": site.faults,
        "cursors": site.cursors,
        "seen": {key: until for key, until in site.seen.items() if until >= NOW},
    }


def waiting(state: DeliveryState) -> DeliveryState:
    """What a restart makes of a state: what was in flight is queued again."""
    return DeliveryState.QUEUED if state is DeliveryState.IN_FLIGHT else state


async def all_of(journal: Journal, row: type[RowT], query: Find) -> list[RowT]:
    """Every page of a look-up, one after another."""
    rows: list[RowT] = []
    while True:
        page = await journal.find(row, query)
        assert len(page.rows) <= query.limit
        rows += page.rows
        if not page.next:
            return rows
        query = replace(query, after=page.next)


async def works_again(journal: Journal) -> None:
    """Wait until a commit goes through, with a deadline."""
    async with asyncio.timeout(LONGEST_S):
        while True:
            try:
                await journal.commit(Change(cursors={"again": "1"}))
            except JournalUnavailable:
                await asyncio.sleep(0.01)
            else:
                return


async def outcome(commit: Awaitable[int]) -> int | DragomanError:
    """The seq, or the error."""
    try:
        return await commit
    except DragomanError as error:
        return error


@asynccontextmanager
async def opened(disk: Disk) -> AsyncIterator[Journal]:
    """A journal, closed at the end."""
    journal = await disk.open()
    try:
        yield journal
    finally:
        await journal.close()


class FindConformance:
    """Looking up in the history. Each test gets an empty disk."""

    @pytest.fixture
    def make_disk(self) -> DiskFactory:
        """A function that makes a disk in an empty folder. Must be overridden."""
        raise NotImplementedError("override the fixture make_disk")

    @pytest.fixture
    def disk(self, make_disk: DiskFactory, tmp_path: Path) -> Disk:
        """One disk for one test."""
        return make_disk(tmp_path)

    @pytest.mark.parametrize("newest_first", [False, True])
    @pytest.mark.parametrize("row", list(COLUMNS), ids=lambda row: row.__name__)
    async def test_find_pages_through_every_type_of_row(
        self, disk: Disk, row: type[RowT], newest_first: bool
    ) -> None:
        """Pages join to the whole, in the order of creation, by every column."""
        async with opened(disk) as journal:
            wanted = await _fill(journal, row)
            query = Find(limit=3, newest_first=newest_first)
            expected = wanted[::-1] if newest_first else wanted
            assert await all_of(journal, row, query) == expected
            for column in COLUMNS[row]:
                values = {_column(value, column) for value in wanted}
                for value in sorted(values)[:2]:
                    some = [v for v in expected if _column(v, column) == value]
                    assert await all_of(journal, row, replace(query, where={column: value})) == some
                every = replace(query, where={column: sorted(values)})
                assert await all_of(journal, row, every) == expected
                none: Sequence[str] = []
                assert await all_of(journal, row, replace(query, where={column: none})) == []

    async def test_find_since_a_time(self, disk: Disk) -> None:
        """Rows created then or later; robots have no such time."""
        async with opened(disk) as journal:
            for number in range(4):
                at = START + timedelta(seconds=number)
                await journal.commit(Change(entries=(entry(at, "a.b"),), cases=(case(number, at),)))
            since = Find(since=START + timedelta(seconds=2))
            assert [e.seq for e in (await journal.find(Entry, since)).rows] == [3, 4]
            assert len((await journal.find(Case, since)).rows) == 2
            with pytest.raises(Permanent, match="since"):
                await journal.find(Robot, since)

    async def test_find_names_an_unknown_column(self, disk: Disk) -> None:
        """The error names it, and those that there are."""
        async with opened(disk) as journal:
            for row, columns in COLUMNS.items():
                with pytest.raises(Permanent, match="colour") as caught:
                    await journal.find(row, Find(where={"colour": "red"}))
                assert all(column in str(caught.value) for column in columns)
            with pytest.raises(Permanent, match="after"):
                await journal.find(Case, Find(after="1; DROP TABLE cases"))


class JournalConformance(FindConformance):
    """The whole suite. Each test gets an empty disk."""

    async def test_applies_at_the_call_and_numbers_without_gaps(self, disk: Disk) -> None:
        """The site has the change before anyone awaits; the seq follows the order of calls."""
        async with opened(disk) as journal:
            commits = []
            for number in range(1, 51):
                change = Change(entries=(entry(START, "a.b"),) * 2, cases=(case(number),))
                commits.append(journal.commit(change))
                assert journal.site.cases[f"case-{number:06}"] == case(number)
            assert await asyncio.gather(*commits) == list(range(2, 101, 2))
            found = await all_of(journal, Entry, Find(limit=7))
            assert [e.seq for e in found] == list(range(1, 101))

    async def test_an_empty_change_waits_for_those_before_it(self, disk: Disk) -> None:
        """It is a barrier, and gives the last seq."""
        async with opened(disk) as journal:
            first = asyncio.ensure_future(journal.commit(Change(entries=(entry(START, "a.b"),))))
            assert await journal.commit(Change()) == 1
            assert first.done()

    async def test_a_change_is_all_there_after_reopening(self, disk: Disk) -> None:
        """Every type of row of one change comes back as it was."""
        async with opened(disk) as journal:
            history = History(journal.site)
            for kind in ("open", "assign", "open", "report", "fault", "send"):
                await journal.commit(history.next(kind, 1))
            before = contents(journal.site)
        assert all(before.values())
        async with opened(disk) as journal:
            assert contents(journal.site) == before
            assert await journal.commit(Change(entries=(entry(START, "a.b"),))) == 7

    async def test_what_was_in_flight_is_queued_after_reopening(self, disk: Disk) -> None:
        """Whether it arrived is unknown; its id is the idempotency key when it goes again."""
        states = (DeliveryState.IN_FLIGHT, DeliveryState.DEAD, DeliveryState.QUEUED)
        sent = [replace(delivery(n * 3), state=state) for n, state in enumerate(states)]
        async with opened(disk) as journal:
            await journal.commit(Change(deliveries=tuple(sent)))
        async with opened(disk) as journal:
            sent[0] = replace(sent[0], state=DeliveryState.QUEUED)
            assert list(journal.site.deliveries()) == sent

    async def test_a_value_that_cannot_be_written_has_no_effect(self, disk: Disk) -> None:
        """Permanent, and neither the site nor the others in line are touched."""
        async with opened(disk) as journal:
            fine = journal.commit(Change(entries=(entry(START, "a.b"),)))
            bad = replace(case(1), title="\ud800")
            odd = replace(delivery(1), payload={"key": object()})
            for change in (Change(cases=(bad,)), Change(deliveries=(odd,))):
                assert isinstance(await outcome(journal.commit(change)), Permanent)
            assert not journal.site.cases
            assert await fine == 1
            assert await journal.commit(Change(entries=(entry(START, "a.b"),))) == 2

    async def test_a_failure_takes_back_everything_under_way(self, disk: Disk) -> None:
        """What was acknowledged stays; what was not has no effect at all; then it works again."""
        async with opened(disk) as journal:
            site, cases = journal.site, journal.site.cases
            await journal.commit(Change(entries=(entry(START, "a.b"),), cases=(case(1),)))
            disk.fail()
            commits = [
                journal.commit(Change(entries=(entry(START, "a.b"),), cases=(case(number),)))
                for number in range(2, 6)
            ]
            for lost in await asyncio.gather(*map(outcome, commits)):
                assert isinstance(lost, JournalUnavailable)
            assert journal.site is site
            assert site.cases is cases, "the parts keep their identity"
            assert list(site.cases) == ["case-000001"]
            assert site.epoch >= 1
            disk.mend()
            await works_again(journal)
            again = Change(entries=(entry(START, "a.b"),), cases=(case(9),))
            assert await journal.commit(again) == 2
        async with opened(disk) as journal:
            assert list(journal.site.cases) == ["case-000001", "case-000009"]

    async def test_a_cancelled_waiter_cancels_nothing(self, disk: Disk) -> None:
        """The change is made all the same: it was applied at the call."""
        async with opened(disk) as journal:

            async def step() -> None:
                await journal.commit(Change(entries=(entry(START, "a.b"),), cases=(case(1),)))

            waiter = asyncio.create_task(step())
            await asyncio.sleep(0)
            waiter.cancel()
            assert await journal.commit(Change(entries=(entry(START, "a.b"),))) == 2
        async with opened(disk) as journal:
            assert list(journal.site.cases) == ["case-000001"]

    async def test_a_closed_journal_takes_nothing(self, disk: Disk) -> None:
        """What was committed before is finished; what comes later is refused."""
        journal = await disk.open()
        late = journal.commit(Change(entries=(entry(START, "a.b"),)))
        await journal.close()
        assert await late == 1
        assert isinstance(await outcome(journal.commit(Change())), JournalUnavailable)

    @given(steps=histories)
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def test_reopening_gives_the_same_site(
        self,
        make_disk: DiskFactory,
        steps: list[tuple[str, int]],
    ) -> None:
        """After any history, the loaded site is the one that was in memory; the sums add up."""
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_reopen(make_disk(Path(folder)), steps))

    @given(steps=histories, cuts=st.sets(st.integers(min_value=0, max_value=59), max_size=3))
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    def test_losses_leave_exactly_what_was_acknowledged(
        self, make_disk: DiskFactory, steps: list[tuple[str, int]], cuts: set[int]
    ) -> None:
        """With the disk failing now and then: no acknowledged entry lost, no other one kept."""
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_lose(make_disk(Path(folder)), steps, cuts))


async def _reopen(disk: Disk, steps: list[tuple[str, int]]) -> None:
    async with opened(disk) as journal:
        history = History(journal.site)
        commits = [journal.commit(history.next(kind, pick)) for kind, pick in steps]
        assert await asyncio.gather(*commits) == list(range(1, len(steps) + 1))
        before = contents(journal.site)
        tallies = await journal.tallies()
        assert all(tally.adds_up for tally in tallies)
        waiting_now = sum(map(len, journal.site.lanes.values()))
        assert waiting_now == sum(t.queued + t.in_flight + t.dead for t in tallies)
    async with opened(disk) as journal:
        assert contents(journal.site) == before
        assert all(d.state is not DeliveryState.IN_FLIGHT for d in journal.site.deliveries())
        assert await journal.tallies() == tallies


async def _lose(disk: Disk, steps: list[tuple[str, int]], cuts: set[int]) -> None:
    kept: list[str] = []
    async with opened(disk) as journal:
        history = History(journal.site)
        commits: list[tuple[str, Awaitable[int]]] = []
        for number, (kind, pick) in enumerate(steps):
            change = history.next(kind, pick)
            marked = replace(change.entries[0], case_id=f"step {number}")
            commits.append((marked.case_id, journal.commit(replace(change, entries=(marked,)))))
            if number in cuts:
                disk.fail()
                kept += await _acknowledged(commits)
                commits.clear()
                disk.mend()
                await works_again(journal)
        kept += await _acknowledged(commits)
        before = contents(journal.site)
    async with opened(disk) as journal:
        assert contents(journal.site) == before
        found = await all_of(journal, Entry, Find())
        assert [e.case_id for e in found] == kept
        assert [e.seq for e in found] == list(range(1, len(kept) + 1))
        assert all(tally.adds_up for tally in await journal.tallies())


async def _acknowledged(commits: list[tuple[str, Awaitable[int]]]) -> list[str]:
    results = await asyncio.gather(*(outcome(commit) for _, commit in commits))
    pairs = zip(commits, results, strict=True)
    return [mark for (mark, _), result in pairs if isinstance(result, int)]


async def _fill(journal: Journal, row: type[RowT]) -> list[RowT]:
    """Ten rows of a type, with all their columns in use; each is changed once after its making."""
    made: list[RowT] = []
    for number in range(1, 11):
        first = one_of_each(number)
        seq = await journal.commit(first)
        state = CaseState.CLOSED if number % 2 else CaseState.HELD
        attempt = replace(first.assignments[0], state=AssignmentState.STOPPED)
        later: Change = Change(
            cases=(replace(first.cases[0], state=state),),
            assignments=(attempt,),
            robots=(replace(first.robots[0], bound=attempt.order_id),),
            deliveries=(replace(first.deliveries[0], state=DeliveryState.DELIVERED),),
        )
        await journal.commit(later)
        note = replace(first.entries[0], seq=seq)
        rows: tuple[Row, ...] = (
            note,
            *later.cases,
            *later.assignments,
            *later.robots,
            *later.deliveries,
        )
        made += [value for value in rows if isinstance(value, row)]
    return made


def _column(value: object, column: str) -> str:
    if isinstance(value, Assignment) and column in {"desk", "external_id"}:
        number = int(value.case_id.removeprefix("case-"))
        return "ab"[number % 2] if column == "desk" else f"x{number}"
    return str(getattr(value, column))
