"""What is ServiceNow's own: hidden rows, ignored query parts, OAuth, policies, odd answers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from dragoman.config.secrets import Secret
from dragoman.desks.servicenow import PLUGIN, changes
from dragoman.desks.servicenow.client import ServiceNowDesk as Adapter
from dragoman.desks.servicenow.fields import stamp
from dragoman.domain.errors import BadInput, Conflict, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader, text_of
from dragoman.testing.servicenow import FaultKind, ServiceNowDesk
from tests.adapters.desks.witnesses import ServiceNowWitness, ShiftingClock

TABLE = "incident"


@pytest.fixture
async def witness() -> AsyncIterator[ServiceNowWitness]:
    clock = ShiftingClock()
    async with ServiceNowDesk(clock=clock.now) as emulated:
        yield ServiceNowWitness(emulated, clock, TABLE)


@pytest.fixture
async def reader(witness: ServiceNowWitness) -> AsyncIterator[Reader]:
    await witness.open("from before")
    await witness.later(3)
    reader = Reader(witness.connect())
    await reader.poll()
    await witness.later(3)
    yield reader
    await reader.desk.close()


async def start(witness: ServiceNowWitness, **options: Any) -> Reader:
    witness.options = options
    reader = Reader(witness.connect())
    await reader.poll()
    await witness.later(3)
    return reader


async def test_hidden_rows_make_pages_short_and_hide_nothing(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(60)]
    # whole pages of ten are hidden, in the middle and at the start, and single rows elsewhere
    ordered = sorted(numbers)
    hidden = {*ordered[:23], *ordered[30:45], ordered[50]}
    witness.emulated.faults.hidden |= hidden
    await reader.poll()
    assert sorted(reader.reported) == sorted(set(numbers) - hidden)


async def test_a_query_is_sent_and_checked(witness: ServiceNowWitness) -> None:
    reader = await start(witness, query="active=true^urgency=1^ORurgency=2^categoryISNOTEMPTY")
    for urgency in ("1", "2", "3"):
        witness.emulated.open_case(TABLE, short_description=urgency, urgency=urgency)
    await reader.poll()
    titles = [text_of(record, "short_description") for record in reader.records.values()]
    assert sorted(titles) == ["1", "2"]
    await reader.desk.close()


async def test_a_query_part_that_the_desk_ignores_needs_a_human(
    witness: ServiceNowWitness,
) -> None:
    await witness.open("would be taken by mistake")
    witness.options = {"query": "u_for_robots=true"}
    desk = witness.connect()
    cursor = (await desk.changes("", 7)).cursor
    await witness.open("would be taken by mistake")
    with pytest.raises(NeedsHuman, match="u_for_robots") as told:
        await desk.changes(cursor, 7)
    assert told.value.field == "query"
    await desk.close()


async def test_a_restart_reads_only_the_overlap_again(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    numbers = []
    for index in range(6):
        numbers.append(await witness.open(f"case {index}"))
        await witness.later(3)
        await reader.poll()
    restarted = Reader(witness.connect(), cursor=reader.cursor)
    await restarted.poll()
    assert restarted.reported == numbers[-2:], "5 s of overlap before the newest"
    await restarted.desk.close()


async def test_a_record_from_the_future_stops_nothing(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    future = await witness.open("from the future")
    table = witness.emulated.instance.table(TABLE)
    row = table.get(future)
    assert row is not None
    table.update(row, {"sys_updated_on": "9999-12-31 23:59:59"})
    await reader.poll()
    await witness.later(2)
    present = await witness.open("from today")
    await reader.poll()
    assert reader.reported == [future, present]


@pytest.mark.parametrize("field", ["sys_id", "sys_updated_on", "sys_mod_count"])
@pytest.mark.parametrize("kind", [FaultKind.NULL_FIELD, FaultKind.WRONG_TYPE])
async def test_rows_without_what_is_required_are_kept_and_come_again(
    reader: Reader, witness: ServiceNowWitness, kind: FaultKind, field: str
) -> None:
    number = await witness.open("damaged on the way")
    witness.emulated.faults.add(kind, field=field, table=TABLE, methods=("GET",))
    await reader.poll()
    assert field in reader.unreadable[0][1]
    await reader.poll()
    assert reader.reported == [number]


async def test_half_an_answer_of_a_quota_is_passing(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    number = await witness.open("slow query")
    witness.emulated.faults.add(FaultKind.QUOTA, table=TABLE)
    with pytest.raises(RetryLater, match="Transaction cancelled"):
        await reader.poll()
    await reader.poll()
    assert reader.reported == [number]


async def test_a_result_of_the_wrong_type_is_passing(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    witness.emulated.faults.add(FaultKind.WRONG_TYPE, table=TABLE, calls=1)
    with pytest.raises(RetryLater):
        await reader.poll()


async def test_a_denied_table_needs_a_human(reader: Reader, witness: ServiceNowWitness) -> None:
    witness.emulated.faults.denied.add(TABLE)
    with pytest.raises(NeedsHuman, match="Insufficient rights"):
        await reader.poll()


async def test_oauth_tokens_are_renewed_within_a_walk(witness: ServiceNowWitness) -> None:
    told = witness.emulated.credentials
    auth = {
        "type": "oauth2",
        "client_id": told.client_id,
        "client_secret": Secret.of(told.client_secret),
    }
    reader = await start(witness, auth=auth)
    numbers = [await witness.open(f"case {index}") for index in range(25)]
    while len(reader.reported) < len(numbers):
        witness.emulated.accounts.expire_tokens()
        page = await reader.desk.changes(reader.cursor, 7)
        reader.cursor = page.cursor
        reader.reported += [record.external_id for record in page.records]
    assert sorted(reader.reported) == sorted(numbers)
    await reader.desk.close()


async def test_a_desk_that_reads_times_in_another_zone_is_found_out(
    witness: ServiceNowWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await witness.open("an hour off")
    # the adapter's times are taken as another zone's: what a desk with such a bug would do
    monkeypatch.setattr(changes, "stamp", lambda at: stamp(at + timedelta(hours=1)))
    desk = witness.connect()
    with pytest.raises(NeedsHuman, match="newest record"):
        await desk.changes("", 7)
    await desk.close()


# --- writes


async def test_a_read_only_field_is_named_with_allowed_values(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    number = await witness.open("read-only urgency")
    witness.emulated.faults.read_only.add((TABLE, "urgency"))
    with pytest.raises(Permanent) as told:
        await reader.desk.write(number, DeskWrite(key="k", fields={"urgency": "1"}))
    assert (told.value.field, told.value.value) == ("urgency", "1")
    assert "'3'" in told.value.text


async def test_a_data_policy_is_told_in_the_desk_s_words(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    number = await witness.open("resolved too soon")
    with pytest.raises(Permanent, match=r"Data Policy Exception.*Resolution code"):
        await reader.desk.write(number, DeskWrite(key="k", fields={"state": "6"}))


async def test_a_text_that_is_cut_off_is_told(reader: Reader, witness: ServiceNowWitness) -> None:
    number = await witness.open("long")
    with pytest.raises(Permanent, match="characters"):
        await reader.desk.write(
            number, DeskWrite(key="k", fields={"short_description": "long " * 100})
        )


async def test_a_journal_named_as_a_field_is_said_once(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    number = await witness.open("told in a field")
    for retried in (False, True):
        write = DeskWrite(key="k", fields={"work_notes": "leg 1"}, retried=retried)
        await reader.desk.write(number, write)
    assert await witness.said(number) == ["leg 1\n[ref k]"]


async def test_a_resolved_record_that_was_closed_meanwhile_is_a_refusal_of_one(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    number = await witness.open("closed at the desk")
    case = (await reader.desk.read(number)).raw["number"]
    assert isinstance(case, dict)
    witness.emulated.cancel(case["value"])
    with pytest.raises(Permanent) as told:
        await reader.desk.write(number, DeskWrite(key="k", fields={"state": "2"}))
    assert not isinstance(told.value, NeedsHuman)


async def test_two_records_with_one_key_need_a_human(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    for _ in range(2):
        witness.emulated.open_case(TABLE, short_description="double", correlation_id="fault-1")
    with pytest.raises(NeedsHuman, match="same key"):
        await reader.desk.create(DeskWrite(key="fault-1", fields={"short_description": "third"}))
    assert await witness.titled("third") == 0


async def test_a_key_field_that_does_not_exist_creates_nothing(
    witness: ServiceNowWitness,
) -> None:
    await witness.open("there is a record")
    witness.options = {"correlation_field": "u_no_such_key"}
    desk = witness.connect()
    with pytest.raises(NeedsHuman, match="key"):
        await desk.create(DeskWrite(key="fault-1", fields={"short_description": "keyless"}))
    assert await witness.titled("keyless") == 0
    await desk.close()


async def test_a_broken_precondition_names_what_it_found(
    reader: Reader, witness: ServiceNowWitness
) -> None:
    number = await witness.open("labels do as well as values")
    await reader.desk.write(
        number, DeskWrite(key="k", fields={"state": "2"}, expect={"state": ("New",)})
    )
    with pytest.raises(Conflict, match="'2'"):
        await reader.desk.write(
            number, DeskWrite(key="k2", fields={"state": "3"}, expect={"state": ("New", "1")})
        )


async def test_the_desk_s_clock_is_learned(reader: Reader) -> None:
    assert isinstance(reader.desk, Adapter)
    assert reader.desk.http.clock_offset_s is not None
    assert abs(reader.desk.http.clock_offset_s) < 2


# --- settings and webhooks

GOOD: dict[str, Any] = {
    "url": "https://dev.service-now.com",
    "auth": {"type": "basic", "username": "gw", "password": {"env": "SN_PASSWORD"}},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"query": "active=true^NQactive=false"}, "can't be checked"),
        ({"query": "opened_at>javascript:gs.daysAgo(1)"}, "can't be checked"),
        ({"query": "ORDERBYnumber"}, "can't be checked"),
        ({"ref": "ref"}, "hold the key once"),
        ({"ref": "{key} {other}"}, "hold the key once"),
        ({"tabel": "incident"}, "tabel"),
        ({"table": "in cident"}, "table"),
        ({"url": "https://u:p@dev.service-now.com"}, "credentials"),
        ({"auth": {"type": "basic", "username": "gw", "password": "plain"}}, "must not stand"),
        ({"auth": {"type": "token", "token": {"env": "X"}}}, "basic"),
        ({"fields": ["short description"]}, "fields"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], words: str) -> None:
    PLUGIN.settings.model_validate(GOOD)
    with pytest.raises(ValidationError, match=words):
        PLUGIN.settings.model_validate({**GOOD, **change})


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SN_PASSWORD", "hunter-two")
    settings = PLUGIN.settings.model_validate(GOOD)
    assert "hunter-two" not in repr(settings) + settings.model_dump_json()


def body(**change: Any) -> dict[str, Any]:
    stamps = {"sys_updated_on": "2026-01-01 00:00:00", "sys_mod_count": "4", "sys_id": "a1"}
    record = {name: {"value": text, "display_value": text} for name, text in stamps.items()}
    return {"table": TABLE, "sys_id": "a1", "delivery": "d", "record": record} | change


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"table": None}, "$.table"),
        ({"table": "problem"}, "$.table"),
        ({"sys_id": ""}, "$.sys_id"),
        ({"sys_id": "../x"}, "$.sys_id"),
        ({"sys_id": "b2"}, "$.record.sys_id"),
        ({"record": []}, "$.record"),
        ({"record": {"state": {"value": "1"}}}, "$.record.state"),
        ({"record": {"sys_id": {"value": "a1", "display_value": ""}}}, "$.record.sys_mod_count"),
    ],
)
def test_a_webhook_that_does_not_fit_is_named_by_path(change: dict[str, Any], path: str) -> None:
    settings = PLUGIN.settings.model_validate(GOOD)
    assert PLUGIN.notice(body(), settings).record is not None
    with pytest.raises(BadInput) as told:
        PLUGIN.notice(body(**change), settings)
    assert told.value.field == path


def test_a_webhook_without_display_values_is_a_hint() -> None:
    settings = PLUGIN.settings.model_validate(GOOD)
    for change in ({"record": None}, {"record": {"sys_id": "a1", "state": "1"}}):
        notice = PLUGIN.notice(body(**change), settings)
        assert (notice.external_id, notice.record) == ("a1", None)
