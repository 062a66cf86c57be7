"""Jira's open issues, listed whole and read many at once, to be compared."""

from collections.abc import AsyncIterator
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from dragoman.desks.jira.client import JiraDesk
from dragoman.domain.errors import BadInput, NotFound
from dragoman.ports.desk import DeskWrite
from dragoman.ports.survey import Survey
from dragoman.testing.jira import EmulatedJira
from tests.adapters.desks.jira_witness import JiraWitness
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[JiraWitness]:
    clock = ShiftingClock()
    async with EmulatedJira(now=clock.now) as emulated:
        yield JiraWitness(emulated, clock)


@pytest.fixture
async def desk(witness: JiraWitness) -> AsyncIterator[JiraDesk]:
    own = witness.connect()
    assert isinstance(own, JiraDesk)
    assert isinstance(own, Survey)
    yield own
    await own.close()


async def listed(desk: JiraDesk, limit: int) -> tuple[list[str], list[str]]:
    """Ids of the issues, and raw texts of what can't be read."""
    ids: list[str] = []
    unreadable: list[str] = []
    after = ""
    for _ in range(100):
        page = await desk.survey(after, limit)
        assert len(page.records) <= limit
        ids += [record.external_id for record in page.records]
        unreadable += [raw for raw, _ in page.unreadable]
        if not page.more:
            return ids, unreadable
        after = page.cursor
    pytest.fail("the survey never comes to an end")


@pytest.mark.parametrize("limit", [1, 7, 200])
async def test_all_open_issues_are_listed_once(
    desk: JiraDesk, witness: JiraWitness, limit: int
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(25)]  # all in one second
    site = witness.emulated
    site.move(witness.issue(numbers[3]), "Canceled")
    site.store.lag_s = 60
    site.move(witness.issue(numbers[8]), "Canceled")  # the search doesn't know of it
    await witness.edit(numbers[0], "edited, so last by the time of update")
    witness.issue(numbers[9]).values["project"] = "OTHER"
    wanted = [one for index, one in enumerate(numbers) if index not in (3, 8, 9)]
    assert await listed(desk, limit) == (wanted, [])


async def test_work_goes_on_during_a_survey(desk: JiraDesk, witness: JiraWitness) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(30)]
    seen: list[str] = []
    after, more = "", True
    while more:
        page = await desk.survey(after, 4)
        seen += [record.external_id for record in page.records]
        for number in numbers[:20:3]:
            await witness.edit(number, f"edited after {len(seen)}")
        after, more = page.cursor, page.more
    assert seen == numbers


async def test_damaged_issues_are_named(desk: JiraDesk, witness: JiraWitness) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(5)]
    await witness.spoil(numbers[1])
    witness.issue(numbers[3]).spoilt["updated"] = None
    ids, unreadable = await listed(desk, 3)
    assert ids == [numbers[0], numbers[2], numbers[4]]
    assert len(unreadable) == 2
    for raw, number in zip(unreadable, (numbers[1], numbers[3]), strict=True):
        assert number in raw
    for cursor in ("nonsense", "2026-01-01T00:00:00+00:00 x", "2026-01-01T00:00:00 5"):
        with pytest.raises(BadInput):
            await desk.survey(cursor, 3)


async def test_many_are_read_as_they_are_and_none_that_is_not_there(
    desk: JiraDesk, witness: JiraWitness
) -> None:
    first, second, moved = [await witness.open("noise") for _ in range(3)]
    witness.emulated.store.lag_s = 60
    await desk.write(second, DeskWrite(key="k", fields={"status": "In Progress"}))
    witness.issue(moved).values["project"] = "OTHER"
    asked = [first, "999999", "a/b", second, moved]
    found = {one.external_id: one for one in await desk.read_many(asked)}
    assert found.keys() == {first, second}
    for number, record in found.items():
        assert record == await desk.read(number)
    with pytest.raises(NotFound):
        await desk.read("999999")
    assert await desk.read_many(()) == []


async def test_a_condition_of_one_s_own_is_kept_by_a_search_that_looks(
    witness: JiraWitness,
) -> None:
    witness.options = {"jql": "priority = High OR labels = robots"}
    desk = witness.connect()
    assert isinstance(desk, JiraDesk)
    high, low = [await witness.open(title) for title in ("high", "low")]
    witness.emulated.store.lag_s = 60  # the search doesn't know of the next two changes by itself
    witness.emulated.edit(witness.issue(high), priority="High")
    late = witness.emulated.open("late", labels=["robots"])
    found = await desk.read_many([high, low, str(late.id)])
    assert [record.external_id for record in found] == [high, str(late.id)]
    await desk.close()


async def test_what_is_shown_depends_on_no_language_or_zone(
    desk: JiraDesk, witness: JiraWitness
) -> None:
    number = await witness.open("shown")
    fields = {
        "status": "In Progress",
        "labels": "b,a",
        "description": "two\nlines",
        "customfield_10053": "80",
        "customfield_10055": "2026-03-01T12:00:00Z",
        "assignee": witness.emulated.gateway.account_id,
    }
    after = await desk.write(number, DeskWrite(key="k", fields=fields))
    shown = {name: desk.shown(after, name) for name in (*fields, "priority", "duedate")}
    assert shown == {
        "status": "3",
        "labels": "a,b",
        "description": "two\nlines",
        "customfield_10053": "80",
        "customfield_10055": "2026-03-01T12:00:00.000+00:00",
        "assignee": fields["assignee"],
        "priority": "3",
        "duedate": "",
    }
    people = witness.emulated.store.people
    people["gateway"] = replace(people["gateway"], zone=ZoneInfo("America/New_York"))
    (again,) = await desk.read_many([number])
    assert {name: desk.shown(again, name) for name in shown} == shown
    assert desk.shown(again, "no_such_field") is None
