"""What is Maximo's own in reading: walks without `or`, zones, rights, hostile answers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import pytest
from pydantic import ValidationError

from dragoman.config.secrets import Secret
from dragoman.desks.maximo import PLUGIN, changes
from dragoman.desks.maximo.client import MaximoDesk
from dragoman.desks.maximo.fields import stamp
from dragoman.domain.errors import BadInput, NeedsHuman, Permanent, RetryLater
from dragoman.domain.watermark import Seen
from dragoman.testing.conformance.desk_witness import Reader
from dragoman.testing.maximo import EmulatedMaximo, FaultKind
from tests.adapters.desks.maximo_witness import MaximoWitness
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[MaximoWitness]:
    clock = ShiftingClock()
    async with EmulatedMaximo(now=clock.now) as emulated:
        witness = MaximoWitness(emulated, clock)
        yield witness
        await witness.leave()


@pytest.fixture
async def reader(witness: MaximoWitness) -> Reader:
    await witness.open("from before")
    await witness.later(3)
    reader = Reader(witness.connect())
    await reader.poll()
    await witness.later(3)
    return reader


async def start(witness: MaximoWitness, **options: Any) -> Reader:
    witness.options = options
    reader = Reader(witness.connect())
    await reader.poll()
    await witness.later(3)
    return reader


# --- walks


@pytest.mark.parametrize("forgetful", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_seconds_that_overflow_pages_are_walked_to_the_end(
    witness: MaximoWitness, limit: int, forgetful: bool
) -> None:
    if limit == 3:  # a database that keeps no fractions of seconds
        now = witness.emulated.store.now
        witness.emulated.store.now = lambda: now().replace(microsecond=0)
    await witness.open("from before")
    await witness.later(3)
    reader = await start(witness, page_size=4)
    reader.limit = limit
    numbers: list[str] = []
    for crowd in (1, 9, 1, 4, 5, 1):  # records in one second
        numbers += [await witness.open(f"case {len(numbers) + index}") for index in range(crowd)]
        await witness.later(1)
    for _ in range(200):
        if forgetful and isinstance(reader.desk, MaximoDesk):  # restarted after each page
            reader.desk._changes._seen = Seen()
        page = await reader.desk.changes(reader.cursor, limit)
        reader.cursor = page.cursor
        reader.reported += [record.external_id for record in page.records]
        if not page.more:
            break
    else:
        pytest.fail("the walk doesn't come to an end")
    assert sorted(set(reader.reported)) == sorted(numbers)
    assert forgetful or len(reader.reported) == len(numbers)


async def test_what_is_held_back_makes_pages_short_and_hides_nothing(
    reader: Reader, witness: MaximoWitness
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(45)]
    await witness.later(1)
    numbers += [await witness.open(f"later {index}") for index in range(15)]
    hidden = {*numbers[:23], *numbers[30:40], numbers[50]}
    witness.emulated.faults.hidden |= set(map(int, hidden))
    await reader.poll()
    assert sorted(reader.reported) == sorted(set(numbers) - hidden)


async def test_addresses_in_answers_lead_nowhere_else(
    reader: Reader, witness: MaximoWitness
) -> None:
    witness.emulated.faults.foreign = "https://inner.example/maximo/api"
    numbers = [await witness.open(f"case {index}") for index in range(25)]
    await reader.poll()
    assert sorted(reader.reported) == sorted(numbers)


async def test_a_restart_reads_only_the_overlap_again(
    reader: Reader, witness: MaximoWitness
) -> None:
    numbers = []
    for index in range(6):
        numbers.append(await witness.open(f"case {index}"))
        await witness.later(3)
        await reader.poll()
    restarted = Reader(witness.connect(), cursor=reader.cursor)
    await restarted.poll()
    assert restarted.reported == numbers[-2:], "5 s of overlap before the newest"


@pytest.mark.parametrize("year", [1970, 9999])
async def test_times_from_another_age_stop_nothing(
    reader: Reader, witness: MaximoWitness, year: int
) -> None:
    strange = await witness.open("from another age")
    row = witness.row(strange)
    row.values["changedate"] = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    await reader.poll()
    await witness.later(2)
    present = await witness.open("from today")
    await reader.poll()
    assert reader.reported == ([present] if year == 1970 else [strange, present])


async def test_members_that_come_twice_are_reported_once(
    reader: Reader, witness: MaximoWitness
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(12)]
    witness.emulated.faults.add(FaultKind.TWICE, calls=20, method="GET")
    await reader.poll()
    assert sorted(reader.reported) == sorted(numbers)


@pytest.mark.parametrize("field", ["workorderid", "changedate", "_rowstamp"])
@pytest.mark.parametrize("value", [None, ["x"], True])
async def test_rows_without_what_is_required_are_kept_and_come_again(
    reader: Reader, witness: MaximoWitness, field: str, value: object
) -> None:
    number = await witness.open("damaged on the way")
    witness.emulated.faults.add(FaultKind.OVERWRITE, field=field, value=value, method="GET")
    await reader.poll()
    assert field in reader.unreadable[0][1]
    await reader.poll()
    assert reader.reported == [number]


async def test_times_without_an_offset_are_not_guessed(
    reader: Reader, witness: MaximoWitness
) -> None:
    number = await witness.open("when was that?")
    witness.emulated.faults.offsets = False
    await reader.poll()
    assert (reader.reported, "no time with an offset" in reader.unreadable[0][1]) == ([], True)
    witness.emulated.faults.offsets = True
    await reader.poll()
    assert reader.reported == [number]


async def test_times_are_sent_with_an_offset_and_found(
    witness: MaximoWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await witness.open("an hour off")
    # the adapter's times are taken as another zone's: what a desk with such a bug would do
    monkeypatch.setattr(changes, "stamp", lambda at: stamp(at + timedelta(hours=1)))
    desk = witness.connect()
    with pytest.raises(NeedsHuman, match="newest record"):
        await desk.changes("", 7)


# --- conditions and rights


async def test_a_condition_is_sent_and_checked(witness: MaximoWitness) -> None:
    where = 'worktype in ["INSP", "CM"]  and wopriority<=2 and location="*"'
    reader = await start(witness, where=where)
    for kind, priority, place in (("INSP", 1, "A"), ("PM", 1, "A"), ("CM", 3, "A"), ("CM", 1, "")):
        witness.emulated.open(worktype=kind, wopriority=priority, location=place)
    await reader.poll()
    assert [record.raw["worktype"] for record in reader.records.values()] == ["INSP"]
    sent = [unquote_plus(path) for _, path, _ in witness.emulated.requests]
    assert any('worktype in ["INSP","CM"] and wopriority<=2' in path for path in sent), "no space"
    other = str(witness.emulated.open(worktype="CM", wopriority=2, location="B").uid)
    witness.emulated.faults.add(FaultKind.OVERWRITE, field="worktype", value="PM", path="orderBy")
    await reader.poll()
    assert other not in reader.reported, "checked again on our side"


@pytest.mark.parametrize(
    "options", [{"where": "u_robots=true"}, {"fields": ["wonum"], "uid_attribute": "no_such_id"}]
)
async def test_an_attribute_that_does_not_exist_needs_a_human(
    witness: MaximoWitness, options: dict[str, Any]
) -> None:
    witness.options = options
    desk = witness.connect()
    with pytest.raises(NeedsHuman, match="BMXAA8744E") as told:
        await desk.changes("", 7)
    assert told.value.field == "where"


async def test_rights_that_are_missing_need_a_human(reader: Reader, witness: MaximoWitness) -> None:
    witness.emulated.faults.denied.add("mxapiwo")
    with pytest.raises(NeedsHuman, match="BMXAA9301E") as told:
        await reader.poll()
    assert told.value.field == "object_structure"


@pytest.mark.parametrize("status", [400, 401])
async def test_a_revoked_key_needs_a_human_and_a_new_one_counts_at_once(
    reader: Reader, witness: MaximoWitness, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    witness.emulated.faults.bad_key_status = status
    monkeypatch.setenv("MAXIMO_KEY", witness.emulated.api_key)
    witness.options = {"auth": {"type": "apikey", "key": {"env": "MAXIMO_KEY"}}}
    desk = witness.connect()
    number = await witness.open("behind a new key")
    await desk.read(number)
    witness.emulated.api_key = "k" * 32
    with pytest.raises(NeedsHuman) as told:
        await desk.read(number)
    assert told.value.field == "auth"
    monkeypatch.setenv("MAXIMO_KEY", "k" * 32)
    assert (await desk.read(number)).external_id == number


# --- a hostile desk


async def test_credentials_lost_in_the_middle_of_a_walk(
    reader: Reader, witness: MaximoWitness
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(25)]
    page = await reader.desk.changes(reader.cursor, 7)
    reader.cursor = page.cursor
    reader.reported += [record.external_id for record in page.records]
    witness.emulated.faults.add(FaultKind.UNAUTHORIZED)
    with pytest.raises(NeedsHuman):
        await reader.poll()
    await reader.poll()
    assert sorted(reader.reported) == sorted(numbers)


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMIT, FaultKind.UNAVAILABLE])
async def test_a_storm_of_refusals_tells_how_long_to_wait(
    reader: Reader, witness: MaximoWitness, kind: FaultKind
) -> None:
    number = await witness.open("in a storm")
    witness.emulated.faults.add(kind, calls=5, seconds=11)
    for _ in range(5):
        with pytest.raises(RetryLater) as told:
            await reader.poll()
        assert told.value.delay_s == 11
        await witness.later(12)
    await reader.poll()
    assert reader.reported == [number]


async def test_one_record_that_fails_the_server_hides_no_other(
    reader: Reader, witness: MaximoWitness
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(5)]
    bad = numbers[3]
    # the list of numbers still works, the whole record doesn't
    witness.emulated.faults.add(
        FaultKind.SERVER_ERROR, calls=99, record=int(bad), path="oslc.select=*"
    )
    await reader.poll()
    assert sorted(reader.reported) == sorted(set(numbers) - {bad})
    assert bad in reader.unreadable[0][0]
    with pytest.raises(RetryLater):
        await reader.desk.read(bad)


async def test_a_move_is_not_followed_with_our_key(reader: Reader, witness: MaximoWitness) -> None:
    number = await witness.open("elsewhere")
    witness.emulated.faults.add(FaultKind.MOVED)
    with pytest.raises(NeedsHuman, match="elsewhere") as told:
        await reader.desk.read(number)
    assert told.value.field == "url"


@pytest.mark.parametrize("value", ["text", None, {"a": 1}])
async def test_an_answer_of_the_wrong_type_is_passing(
    reader: Reader, witness: MaximoWitness, value: object
) -> None:
    number = await witness.open("odd answer")
    witness.emulated.faults.add(FaultKind.OVERWRITE, field="member", value=value)
    with pytest.raises(RetryLater):
        await reader.poll()
    await reader.poll()
    assert reader.reported == [number]


async def test_names_with_slashes_and_emoji(reader: Reader, witness: MaximoWitness) -> None:
    row = witness.emulated.open(wonum="A/1 ?>☃", description="<b>\u202e☃")
    await reader.poll()
    record = await reader.desk.read(str(row.uid))
    assert (record.raw["wonum"], record.raw["description"]) == ("A/1 ?>☃", "<b>\u202e☃")


# --- settings and webhooks

GOOD: dict[str, Any] = {
    "url": "https://mas.example.com/maximo",
    "auth": {"type": "apikey", "key": {"env": "MAXIMO_KEY"}},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"where": 'status="A" or status="B"'}, "can't be checked"),
        ({"where": '(status="A")'}, "can't be checked"),
        ({"where": 'asset.status="A"'}, "can't be checked"),
        ({"where": "status='A'"}, "can't be checked"),
        ({"object_structure": "zzwo"}, "uid_attribute"),
        ({"ref": "ref"}, "hold the key once"),
        ({"status_by": "magic"}, "status_by"),
        ({"fields": ["work order"]}, "fields"),
        ({"url": "https://u:p@mas.example.com"}, "credentials"),
        ({"auth": {"type": "apikey", "key": "plain"}}, "must not stand"),
        ({"structure": "mxapiwo"}, "structure"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], words: str) -> None:
    PLUGIN.settings.model_validate(GOOD)
    with pytest.raises(ValidationError, match=words):
        PLUGIN.settings.model_validate({**GOOD, **change})


def test_the_route_of_the_api_is_added_once() -> None:
    for given in ("", "/", "/api", "/api/"):
        settings = PLUGIN.settings.model_validate({**GOOD, "url": GOOD["url"] + given})
        assert getattr(settings, "url") == "https://mas.example.com/maximo/api"  # noqa: B009 - the plugin's model is any
    older = PLUGIN.settings.model_validate({**GOOD, "url": GOOD["url"] + "/oslc"})
    assert getattr(older, "url").endswith("/maximo/oslc")  # noqa: B009 - the same


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAXIMO_KEY", "hunter-two")
    settings = PLUGIN.settings.model_validate(GOOD)
    assert "hunter-two" not in repr(settings) + settings.model_dump_json()


async def test_a_key_that_can_not_stand_in_a_header(witness: MaximoWitness) -> None:
    witness.options = {"auth": {"type": "apikey", "key": Secret.of("two\nlines")}}
    desk = witness.connect()
    with pytest.raises(NeedsHuman, match="line ends"):
        await desk.read("1")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"structure": "mxapisr"}, "$.structure"),
        ({"structure": None}, "$.structure"),
        ({"id": None}, "$.id"),
        ({"id": True}, "$.id"),
        ({"id": "12a"}, "$.id"),
        ({"id": -3}, "$.id"),
        ({"id": 0}, "$.id"),
    ],
)
def test_a_webhook_that_does_not_fit_is_named_by_path(change: dict[str, Any], path: str) -> None:
    settings = PLUGIN.settings.model_validate(GOOD)
    body = {"structure": "MXAPIWO", "id": 536549}
    assert PLUGIN.notice(body, settings).external_id == "536549"
    with pytest.raises(BadInput) as told:
        PLUGIN.notice(body | change, settings)
    assert told.value.field == path


async def test_another_record_is_not_taken_for_the_one_asked_for(
    reader: Reader, witness: MaximoWitness
) -> None:
    number = await witness.open("asked for")
    witness.emulated.faults.add(FaultKind.OVERWRITE, field="workorderid", value=1)
    with pytest.raises(Permanent, match="has no mxapiwo"):
        await reader.desk.read(number)


async def test_an_id_that_is_no_number_asks_nobody(reader: Reader, witness: MaximoWitness) -> None:
    before = len(witness.emulated.requests)
    for wrong in ("", "1 or 1=1", "١٢", "9" * 19):
        with pytest.raises(Permanent):
            await reader.desk.read(wrong)
    assert len(witness.emulated.requests) == before
