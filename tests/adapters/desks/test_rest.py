"""A desk by configuration against bad input and bad luck: nothing lost, nothing doubled."""

import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dragoman.domain.errors import NeedsHuman, NotFound, Permanent, RetryLater
from dragoman.domain.watermark import Watermark
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader, until_through
from dragoman.testing.rest import EmulatedRedmine
from dragoman.testing.rt import Fault
from tests.adapters.desks.rest_styles import PASSWORD, StylesDesk, connected
from tests.adapters.desks.rest_witness import RedmineWitness
from tests.adapters.desks.witnesses import HTML, ShiftingClock


@pytest.fixture
async def emulated(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StylesDesk]:
    monkeypatch.setenv("STYLES_PASSWORD", PASSWORD)
    async with StylesDesk(ShiftingClock()) as desk:
        yield desk
        for adapter in desk.adapters:
            await adapter.close()


@pytest.fixture
async def redmine() -> AsyncIterator[RedmineWitness]:
    clock = ShiftingClock()
    async with EmulatedRedmine(now=clock.now) as emulated:
        yield RedmineWitness(emulated, clock)


@pytest.fixture
async def reader(redmine: RedmineWitness) -> AsyncIterator[Reader]:
    reader = Reader(redmine.connect())
    await redmine.open("from before")
    await redmine.later(3)
    await reader.poll()
    await redmine.later(3)
    yield reader
    await reader.desk.close()


async def test_moved_elsewhere_is_told_and_credentials_stay(
    reader: Reader, redmine: RedmineWitness
) -> None:
    away = Fault(status=301, body="", headers={"Location": "http://127.0.0.2:9/issues.json"})
    redmine.emulated.faults.plan(away, method="GET")
    with pytest.raises(NeedsHuman) as told:
        await reader.poll()
    assert told.value.value.startswith("http://127.0.0.2:9/")
    assert redmine.emulated.api_key not in str(told.value)


PAGES: dict[str, str] = {
    "html": HTML,
    "truncated": '{"issues":[{"id":1,"subj',
    "a number": "7",
    "null": "null",
    "no list": '{"issues":{"id":1}}',
    "another list": '{"tickets":[]}',
    "nested": '{"issues":' + "[" * 5000,
}


@pytest.mark.parametrize("name", PAGES)
async def test_an_answer_that_is_no_list_passes(
    reader: Reader, redmine: RedmineWitness, name: str
) -> None:
    number = await redmine.open("in hard times")
    redmine.emulated.faults.plan(Fault(status=200, body=PAGES[name]), method="GET")
    with pytest.raises(RetryLater) as told:
        await reader.poll()
    assert "127.0.0.1" in str(told.value)
    assert len(str(told.value)) < 400
    await reader.poll()
    assert reader.reported == [number]


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no record": lambda item: "text",
    "null": lambda item: None,
    "a list": lambda item: [item],
    "id null": lambda item: item | {"id": None},
    "id true": lambda item: item | {"id": True},
    "id too long": lambda item: item | {"id": "x" * 500},
    "id with a line end": lambda item: item | {"id": "1\r\nX: y"},
    "time null": lambda item: item | {"updated": None},
    "time a word": lambda item: item | {"updated": "yesterday"},
    "time a list": lambda item: item | {"updated": [2026]},
    "year 10000": lambda item: item | {"updated": "10000-01-01T00:00:00+00:00"},
    "year 1970": lambda item: item | {"updated": "1970-01-01T00:00:00+00:00"},
    "before all times": lambda item: item | {"updated": "0001-01-01T00:00:00+14:00"},
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_item_hides_no_other(emulated: StylesDesk, name: str) -> None:
    reader = Reader(connected(emulated))
    await reader.poll()
    numbers = [emulated.open(f"item {index}") for index in range(3)]
    shown = emulated.shown

    def spoilt(record: dict[str, Any]) -> Any:
        told = shown(record)
        return BROKEN[name](told) if record["id"] == numbers[1] else told

    emulated.shown = spoilt  # type: ignore[method-assign] # the desk breaks one of them
    await reader.poll()
    assert sorted(reader.reported) == [numbers[0], numbers[2]]
    assert len(reader.unreadable) == 1
    await reader.poll()
    assert len(reader.unreadable) == 1, "told once"


async def test_a_record_of_the_year_9999_holds_nothing_up(emulated: StylesDesk) -> None:
    reader = Reader(connected(emulated))
    await reader.poll()
    far = emulated.open("from far away")
    emulated.records[far]["at"] += timedelta(days=365 * 7000)
    first = emulated.open("first")
    await reader.poll()
    second = emulated.open("second")
    await reader.poll()
    assert Watermark.decode(reader.cursor).at == emulated.records[second]["at"]
    assert sorted(reader.reported) == sorted([far, first, second])


async def test_an_id_twice_in_one_answer_is_one_record(emulated: StylesDesk) -> None:
    reader = Reader(connected(emulated))
    await reader.poll()
    number = emulated.open("twice")
    emulated.records["copy"] = dict(emulated.records[number])
    await reader.poll()
    assert reader.reported == [number]


@pytest.mark.parametrize("strange", ["a/b", "../x", "☃ 1", "a?b=c&d#e", "100%", "ü" * 20])
async def test_a_strange_id_is_one_segment_of_the_path(emulated: StylesDesk, strange: str) -> None:
    emulated.records[strange] = dict(emulated.records[emulated.open("strange")], id=strange)
    desk = connected(emulated)
    assert (await desk.read(strange)).external_id == strange
    after = await desk.write(strange, DeskWrite(key="k", fields={"state": "working"}))
    assert after.raw["state"] == "working"


async def test_a_record_that_is_another_one_is_not_taken_for_it(emulated: StylesDesk) -> None:
    emulated.records["7"] = {**emulated.records[emulated.open("merged")], "id": "1"}
    with pytest.raises(NotFound, match="record 7 is 1 now"):
        await connected(emulated).read("7")


async def test_ten_megabytes_in_one_field_hide_no_other(emulated: StylesDesk) -> None:
    """Lists hold whole records: the page is read again, item by item."""
    emulated.style, emulated.tells_total = "offset", True
    paging = {"style": "offset", "size": 5, "at": "at", "size_name": "size", "total": "total"}
    reader = Reader(connected(emulated, paging=paging, max_body=65_536))
    await reader.poll()
    numbers = [emulated.open(f"item {index}") for index in range(9)]
    emulated.records[numbers[3]]["notes"] = "x" * 10_000_000
    await reader.poll()
    assert sorted(reader.reported, key=int) == [one for one in numbers if one != numbers[3]]
    assert len(reader.unreadable) == 1
    assert "larger than 65536 bytes" in reader.unreadable[0][1]
    emulated.records[numbers[3]]["notes"] = "short again"
    await reader.poll()
    assert reader.reported[-1] == numbers[3]


async def test_a_500_for_one_case_only(reader: Reader, redmine: RedmineWitness) -> None:
    numbers = [await redmine.open(f"beside {index}") for index in range(5)]
    broken = numbers[2]
    redmine.emulated.faults.plan(Fault(status=500), times=99, path=f"/issues/{broken}.json")
    await reader.poll()
    assert sorted(reader.reported) == sorted(set(numbers) - {broken})
    (raw, text) = reader.unreadable[0]
    assert f'"id":{broken}' in raw
    assert f"record {broken}" in text


async def test_a_401_in_the_middle_of_a_page_walk(reader: Reader, redmine: RedmineWitness) -> None:
    numbers = []
    for index in range(25):
        numbers.append(await redmine.open(f"case {index}"))
        await redmine.later(1)
    redmine.emulated.faults.plan(Fault(status=401, body=""), path="/issues.json")
    redmine.emulated.faults.plan(Fault(status=401, body=""), path=f"/issues/{numbers[9]}.json")
    for _ in range(2):
        with pytest.raises(NeedsHuman):
            await reader.poll()
    await reader.poll()
    assert reader.reported == numbers


async def test_what_a_list_doesn_t_show_is_seen_all_the_same() -> None:
    """A note within the second in which the issue was read: its time, so its row, is the same."""
    moment = datetime.now(UTC)
    async with EmulatedRedmine(now=lambda: moment) as emulated:
        witness = RedmineWitness(emulated, ShiftingClock())
        reader = Reader(witness.connect())
        await reader.poll()
        number = await witness.open("read at once")
        await reader.poll()
        emulated.edit(int(number), notes="said in the same second")
        await reader.poll()
        assert reader.reported == [number, number]
        assert await reader.poll() == 0
        await reader.desk.close()


async def test_a_storm_of_429(reader: Reader, redmine: RedmineWitness) -> None:
    number = await redmine.open("patience")
    storm = Fault(status=429, headers={"Retry-After": "2"})
    redmine.emulated.faults.plan(storm, times=3)
    for _ in range(3):
        with pytest.raises(RetryLater) as told:
            await reader.poll()
        assert told.value.delay_s is not None
        assert told.value.delay_s <= 2
        await redmine.later(2)
    while not reader.reported:
        await reader.poll()
    assert reader.reported == [number]


@pytest.mark.parametrize("seed", range(3))
async def test_writes_through_a_desk_that_breaks_at_random(
    redmine: RedmineWitness, seed: int
) -> None:
    chance = random.Random(seed)
    number = await redmine.open("storm")
    desk = redmine.connect()
    faults = redmine.emulated.faults
    for step in range(6):
        for _ in range(chance.randrange(3)):
            fault = chance.choice(
                [Fault(applied=True, drops_connection=True), Fault(status=502), Fault(status=503)]
            )
            faults.plan(fault, method=chance.choice(["GET", "PUT"]))
        write = DeskWrite(
            key=f"k{step}",
            fields={"subject": f"step {step}", "RobotID": f"agv/{step}"},
            comment=f"public {step}",
            note=f"private {step}",
        )
        await until_through(desk, number, write)
        faults.clear()
    said = await redmine.said(number)
    assert len(said) == 12
    assert all(
        sum(f"{kind} {n}" in text for text in said) == 1
        for n in range(6)
        for kind in ("public", "private")
    )
    assert await redmine.title(number) == "step 5"
    assert redmine.emulated.value(int(number), 8) == "agv/5"
    await desk.close()


async def test_a_note_stays_private(reader: Reader, redmine: RedmineWitness) -> None:
    number = await redmine.open("two audiences")
    await reader.desk.write(number, DeskWrite(key="k", comment="to all", note="to the staff"))
    told = redmine.emulated.issues[int(number)]["journals"]
    assert [(one["notes"].split("\n")[0], one["private_notes"]) for one in told] == [
        ("to the staff", True),
        ("to all", False),
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status_id": "77"}, "the desk took the write, but status_id"),
        ({"subject": " "}, "Subject cannot be blank"),
        ({"no_such": "x"}, "has no field no_such"),
    ],
)
async def test_a_refusal_names_desk_case_and_field(
    reader: Reader, redmine: RedmineWitness, fields: dict[str, str], words: str
) -> None:
    number = await redmine.open("refused")
    with pytest.raises(Permanent, match=words) as told:
        await reader.desk.write(number, DeskWrite(key="k", fields=fields))
    assert f"record {number}" in told.value.text
    assert "127.0.0.1" in told.value.text or told.value.field == next(iter(fields))


async def test_a_key_that_the_desk_does_not_search_makes_no_second_record(
    redmine: RedmineWitness,
) -> None:
    """Redmine leaves a filter out whose field isn't marked as one, and answers with everything."""
    redmine.emulated.searchable = set()
    for index in range(12):
        await redmine.open(f"not ours {index}")
    desk = redmine.connect()
    with pytest.raises(NeedsHuman, match="answers a search by our key with 12 records"):
        await desk.create(DeskWrite(key="fault-1", fields={"subject": "robot down"}))
    assert await redmine.titled("robot down") == 0
    await desk.close()


async def test_a_key_that_the_desk_does_not_keep_needs_a_human(redmine: RedmineWitness) -> None:
    redmine.changes = {"requests": {"create": {"key_in": "issue.custom_field_values.99"}}}
    desk = redmine.connect()
    with pytest.raises(NeedsHuman, match="doesn't keep our key"):
        await desk.create(DeskWrite(key="fault-1", fields={"subject": "robot down"}))
    await desk.close()
