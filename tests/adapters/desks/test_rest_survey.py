"""Open records of a desk by configuration, listed whole and read many at once, to be compared."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.desks.rest.survey import SurveyedRestDesk
from dragoman.domain.errors import RetryLater
from dragoman.ports.desk import DeskWrite
from dragoman.ports.survey import Survey
from dragoman.testing.rest import EmulatedHelpdesk, EmulatedRedmine
from dragoman.testing.rt import Fault
from tests.adapters.desks.rest_styles import PASSWORD, StylesDesk, connected
from tests.adapters.desks.rest_witness import HelpdeskWitness, RedmineWitness
from tests.adapters.desks.witnesses import ShiftingClock

Witness = RedmineWitness | HelpdeskWitness


@pytest.fixture(params=["redmine", "helpdesk"])
async def witness(request: pytest.FixtureRequest) -> AsyncIterator[Witness]:
    clock = ShiftingClock()
    if request.param == "redmine":
        async with EmulatedRedmine(now=clock.now) as redmine:
            yield RedmineWitness(redmine, clock)
    else:
        async with EmulatedHelpdesk(now=clock.now) as helpdesk:
            yield HelpdeskWitness(helpdesk, clock)


@pytest.fixture
async def desk(witness: Witness) -> AsyncIterator[SurveyedRestDesk]:
    own = witness.connect()
    assert isinstance(own, SurveyedRestDesk)
    assert isinstance(own, Survey)
    yield own
    await own.close()


def close(witness: Witness, number: str) -> None:
    if isinstance(witness, RedmineWitness):
        witness.emulated.edit(int(number), status_id=5)
    else:
        witness.emulated.follow_up(int(number), 3, "", new_status=4)


async def listed(desk: SurveyedRestDesk, limit: int) -> list[str]:
    ids: list[str] = []
    after = ""
    for _ in range(100):
        page = await desk.survey(after, limit)
        assert len(page.records) <= limit
        ids += [record.external_id for record in page.records]
        if not page.more:
            return ids
        after = page.cursor
    pytest.fail("the survey never comes to an end")


@pytest.mark.parametrize("limit", [4, 200])
async def test_all_open_records_are_listed_once(
    desk: SurveyedRestDesk, witness: Witness, limit: int
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(25)]
    for closed in (3, 8):
        close(witness, numbers[closed])
    await witness.edit(numbers[0], "edited, so last by the time of its update")
    wanted = [one for index, one in enumerate(numbers) if index not in (3, 8)]
    assert await listed(desk, limit) == wanted
    assert await listed(desk, limit) == wanted


async def test_work_goes_on_during_a_survey(desk: SurveyedRestDesk, witness: Witness) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(25)]
    seen: list[str] = []
    after, more = "", True
    while more:
        page = await desk.survey(after, 4)
        seen += [record.external_id for record in page.records]
        await witness.edit(numbers[len(seen) - 1], "edited once seen")
        close(witness, numbers[len(seen) - 2])
        after, more = page.cursor, page.more
    assert seen == numbers


async def test_many_are_read_open_or_not(desk: SurveyedRestDesk, witness: Witness) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(6)]
    found = await desk.read_many([*numbers, "999999", "../x"])
    assert [one.external_id for one in found] == numbers
    words = witness.words
    await desk.write(numbers[1], DeskWrite(key="k", fields={words.state: words.working}))
    assert desk.shown(await desk.read(numbers[1]), words.state) == words.working
    assert desk.shown(found[0], words.unknown) is None


async def test_one_failure_fails_the_reading(desk: SurveyedRestDesk, witness: Witness) -> None:
    """Else a record that can't be read now would look like one that is gone."""
    numbers = [await witness.open(f"case {index}") for index in range(3)]
    witness.emulated.faults.plan(Fault(status=503), path=f"s/{numbers[1]}")
    with pytest.raises(RetryLater):
        await desk.read_many(numbers)


@pytest.fixture
async def styles(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StylesDesk]:
    monkeypatch.setenv("STYLES_PASSWORD", PASSWORD)
    async with StylesDesk(ShiftingClock()) as desk:
        yield desk
        for adapter in desk.adapters:
            await adapter.close()


async def test_a_desk_that_searches_behind_an_id_is_asked_page_by_page(styles: StylesDesk) -> None:
    numbers = [styles.open(f"item {index}") for index in range(12)]
    request: dict[str, Any] = {"path": "/items", "query": {"behind": "{after}"}, "items": "items"}
    paging = {"style": "page", "at": "at", "size_name": "size", "size": 4}
    desk = connected(styles, requests={"open": request}, paging=paging)
    assert isinstance(desk, SurveyedRestDesk)
    assert await listed(desk, 4) == numbers
    behind = [text for _, text in styles.requests if "behind=8" in text]
    assert len(behind) == 1


def test_a_desk_without_a_list_of_open_records_offers_no_survey() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLES_PASSWORD", PASSWORD)
        desk = connected(StylesDesk(ShiftingClock()))
        assert not isinstance(desk, Survey)
