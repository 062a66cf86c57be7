"""The ways in which REST desks list: paging, times, filters, order."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.testing.conformance.desk_witness import Reader
from tests.adapters.desks.rest_styles import PASSWORD, StylesDesk, at_zone, connected
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def emulated(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StylesDesk]:
    monkeypatch.setenv("STYLES_PASSWORD", PASSWORD)
    async with StylesDesk(ShiftingClock()) as desk:
        yield desk
        for adapter in desk.adapters:
            await adapter.close()


PAGINGS: dict[str, dict[str, Any]] = {
    "offset": {"at": "at", "size_name": "size"},
    "page": {"at": "at", "size_name": "size"},
    "cursor": {"at": "at", "size_name": "size", "next": "next"},
    "link": {"size_name": "size"},
    "next": {"size_name": "size", "next": "next"},
}


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("style", PAGINGS)
async def test_each_way_of_paging_brings_everything(
    emulated: StylesDesk, style: str, ordered: bool
) -> None:
    emulated.style = style
    paging = {"style": style, "size": 4, **PAGINGS[style]}
    desk = connected(emulated, paging=paging, changes={"ordered": ordered})
    reader = Reader(desk)
    await reader.poll()
    numbers = [emulated.open(f"item {index}") for index in range(18)]  # all in one second
    await reader.poll()
    assert sorted(reader.reported, key=int) == numbers
    emulated.edit("7", name="edited")
    await reader.poll()
    assert reader.reported[18:] == ["7"]


async def test_a_server_s_own_smaller_pages_hide_nothing(emulated: StylesDesk) -> None:
    emulated.style, emulated.most, emulated.tells_total = "offset", 3, True
    paging = {"style": "offset", "size": 50, "at": "at", "size_name": "size", "total": "total"}
    reader = Reader(connected(emulated, paging=paging))
    await reader.poll()
    numbers = [emulated.open(f"item {index}") for index in range(10)]
    await reader.poll()
    assert sorted(reader.reported, key=int) == numbers


async def test_a_search_by_post_pages_in_its_body(emulated: StylesDesk) -> None:
    emulated.style = "offset"
    searching = {"path": "/search", "method": "POST", "query": {}, "body": {"since": "{since}"}}
    desk = connected(
        emulated,
        paging={"style": "offset", "size": 4, "at": "at", "size_name": "size"},
        requests={"list": searching},
    )
    reader = Reader(desk)
    await reader.poll()
    numbers = [emulated.open(f"item {index}") for index in range(9)]
    await reader.poll()
    assert reader.reported == numbers


async def test_the_next_page_on_another_host_is_not_asked_for(emulated: StylesDesk) -> None:
    emulated.style, emulated.next_host = "next", "http://127.0.0.2:9"
    for index in range(9):
        emulated.open(f"item {index}", ago_s=100)
    desk = connected(
        emulated,
        paging={"style": "next", "size": 4, **PAGINGS["next"]},
        changes={"by": "snapshot"},
        requests={"list": {"path": "/items", "query": {"since": "1970-01-02T00:00:00+00:00"}}},
    )
    with pytest.raises(NeedsHuman, match="another host") as told:
        await desk.changes("", 7)
    assert "127.0.0.2" in told.value.value


SHANGHAI = ZoneInfo("Asia/Shanghai")
TIMES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "epoch": (
        lambda at: int(at.timestamp()),
        lambda text: datetime.fromtimestamp(int(text), UTC),
        {"record": {"time_format": "epoch"}},
    ),
    "epoch_ms": (
        lambda at: int(at.timestamp() * 1000),
        lambda text: datetime.fromtimestamp(int(text) / 1000, UTC),
        {"record": {"time_format": "epoch_ms"}},
    ),
    "roundup": (
        at_zone("UTC", "%Y-%m-%d.%H:%M:%S"),
        lambda text: datetime.strptime(text, "%Y-%m-%d.%H:%M:%S").replace(tzinfo=UTC),
        {"record": {"time_format": "%Y-%m-%d.%H:%M:%S"}},
    ),
    "no offset, a zone far away": (
        at_zone("Asia/Shanghai", "%Y-%m-%d %H:%M:%S"),
        lambda text: datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI),
        {"record": {"time_format": "%Y-%m-%d %H:%M:%S", "zone": "Asia/Shanghai"}},
    ),
    "minutes only": (
        at_zone("UTC", "%Y-%m-%dT%H:%MZ"),
        lambda text: datetime.strptime(text, "%Y/%m/%d %H:%M").replace(tzinfo=UTC),
        {"changes": {"since_format": "%Y/%m/%d %H:%M", "granularity_s": 60}},
    ),
}


@pytest.mark.parametrize("name", TIMES)
async def test_each_way_of_writing_times(emulated: StylesDesk, name: str) -> None:
    emulated.write_time, emulated.read_since, settings = TIMES[name]
    emulated.open("long ago", ago_s=100_000)
    reader = Reader(connected(emulated, **settings))
    await reader.poll()
    number = emulated.open("now")
    await reader.poll()
    assert reader.reported == [number]
    emulated.edit(number, name="edited at once")
    assert await reader.poll() == 1
    assert await reader.poll() == 0
    assert reader.records[number].updated_at.tzinfo is not None


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
async def test_a_desk_that_reads_times_in_another_zone_is_seen_at_the_start(
    emulated: StylesDesk, zone: str
) -> None:
    emulated.write_time = at_zone("UTC", "%Y-%m-%d %H:%M:%S")
    emulated.read_since = lambda text: datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(
        tzinfo=ZoneInfo(zone)
    )
    for hours in (30, 12, 9, 6, 3, 0):
        emulated.open(f"{hours} hours ago", ago_s=3600 * hours)
    settings = {"record": {"time_format": "%Y-%m-%d %H:%M:%S"}}
    desk = connected(emulated, **settings)
    with pytest.raises(NeedsHuman, match="by the time that the desk gives for it"):
        await desk.changes("", 7)
    emulated.requests.clear()
    right = connected(emulated, changes={"since_zone": zone}, **settings)
    assert (await right.changes("", 7)).cursor


async def test_a_filter_that_is_ignored_is_seen(emulated: StylesDesk) -> None:
    emulated.ignores_filter = True
    emulated.open("old", ago_s=5000)
    emulated.open("new")
    desk = connected(emulated)
    with pytest.raises(NeedsHuman) as told:
        await desk.changes("", 7)
    assert told.value.field == "requests.list.query"


async def test_a_filter_that_is_ignored_later_is_seen(emulated: StylesDesk) -> None:
    for index in range(4):
        emulated.open(f"old {index}", ago_s=5000)
    reader = Reader(connected(emulated))
    await reader.poll()
    emulated.ignores_filter = True
    emulated.open("new")
    with pytest.raises(NeedsHuman, match="the time bound"):
        await reader.poll()


OFFSETS = {"style": "offset", "size": 4, "at": "at", "size_name": "size"}


async def meanwhile(emulated: StylesDesk, *edits: str) -> Reader:
    """A backlog of twelve. After each page one record is edited, "" for none.

    Each edit moves a record to the end, so that the next offset skips one.
    """
    emulated.style = "offset"
    pages, waiting = emulated._page, list(edits)

    def page(asked: dict[str, str], request: Any) -> Any:
        told = pages(asked, request)
        number = waiting.pop(0) if waiting and len(emulated.records) > 12 else ""
        if number:
            emulated.clock.shift += timedelta(seconds=1)
            emulated.edit(number, state="edited")
        return told

    emulated._page = page  # type: ignore[method-assign] # people work while we read
    reader = Reader(connected(emulated, paging=OFFSETS), limit=50)
    await reader.poll()
    return reader


async def test_a_backlog_that_people_work_on_loses_nothing(emulated: StylesDesk) -> None:
    reader = await meanwhile(emulated, "", "", "1", "2")
    for index in range(12):
        emulated.clock.shift += timedelta(seconds=2)
        emulated.open(f"item {index}")
    emulated.clock.shift += timedelta(seconds=100)
    emulated.open("newest")
    emulated.requests.clear()
    await reader.poll()
    assert sorted(reader.records, key=int) == [str(number) for number in range(1, 14)]
    assert len(emulated.requests) < 12, "by time, not by offset, so once is enough"


async def test_a_backlog_of_one_second_loses_nothing(emulated: StylesDesk) -> None:
    """Within a second only offsets are left: the walk is repeated until it brings nothing new."""
    reader = await meanwhile(emulated, "", "", "", "1")  # two pages prove the clock
    emulated.clock.shift += timedelta(seconds=10)
    moment = emulated.now().replace(microsecond=0)
    for index in range(12):
        emulated.records[emulated.open(f"item {index}")]["at"] = moment
    emulated.clock.shift += timedelta(seconds=100)
    emulated.open("newest")
    await reader.poll()
    assert sorted(reader.records, key=int) == [str(number) for number in range(1, 14)]


async def test_a_desk_that_lists_newest_first_is_seen_and_can_be_described(
    emulated: StylesDesk,
) -> None:
    emulated.newest_first = True
    settings: dict[str, Any] = {"paging": OFFSETS}
    emulated.style = "offset"
    for index in range(9):
        emulated.open(f"item {index}", ago_s=20 - index)
    reader = Reader(connected(emulated, **settings))
    with pytest.raises(NeedsHuman):
        await reader.poll()
    reader = Reader(connected(emulated, **settings, changes={"ordered": False}))
    await reader.poll()
    numbers = []
    for index in range(9):
        emulated.clock.shift += timedelta(seconds=2)
        numbers.append(emulated.open(f"new {index}"))
    await reader.poll()
    assert reader.reported == numbers


async def test_a_desk_that_stops_to_sort_is_seen(emulated: StylesDesk) -> None:
    reader = Reader(connected(emulated))
    await reader.poll()
    for _ in range(3):
        emulated.open("unsorted")
        emulated.clock.shift += timedelta(seconds=2)
    await reader.poll()
    emulated.newest_first = True
    with pytest.raises(NeedsHuman, match="the order"):
        await reader.poll()


async def test_what_is_not_ours_is_left_out_whatever_the_desk_answers(emulated: StylesDesk) -> None:
    desk = connected(emulated, changes={"keep": "name != 'theirs'"})
    reader = Reader(desk)
    await reader.poll()
    emulated.open("theirs")
    ours = emulated.open("ours")
    await reader.poll()
    assert reader.reported == [ours]


async def test_new_ids_alone_are_enough_for_a_desk_without_times(emulated: StylesDesk) -> None:
    emulated.ignores_filter = True
    emulated.open("before")
    desk = connected(emulated, changes={"by": "ids"}, record={"updated_at": None})
    reader = Reader(desk)
    await reader.poll()
    numbers = [emulated.open(f"item {index}") for index in range(9)]
    emulated.edit("1", name="not noticed")
    await reader.poll()
    assert reader.reported == numbers
    with pytest.raises(BadInput):
        await desk.changes("snapshot1 x", 7)
