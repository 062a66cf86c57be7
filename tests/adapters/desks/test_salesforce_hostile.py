"""The Salesforce desk against an org that misbehaves, and what its settings and webhooks refuse."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from dragoman.desks.salesforce import PLUGIN
from dragoman.desks.salesforce.fields import long_id
from dragoman.domain.errors import BadInput, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader
from dragoman.testing.salesforce import EmulatedSalesforce, FaultKind
from dragoman.testing.salesforce.ids import long_id as emulated_long_id
from tests.adapters.desks.salesforce_witness import SalesforceWitness
from tests.adapters.desks.witnesses import ShiftingClock

CASE = "500R00000064wdtIAA"


@pytest.fixture
async def witness() -> AsyncIterator[SalesforceWitness]:
    clock = ShiftingClock()
    async with EmulatedSalesforce(now=clock.now) as emulated:
        yield SalesforceWitness(emulated, clock)


@pytest.fixture
async def reader(witness: SalesforceWitness) -> AsyncIterator[Reader]:
    await witness.open("from before")
    await witness.later(3)
    reader = Reader(witness.connect())
    await reader.poll()
    await witness.later(3)
    yield reader
    await reader.desk.close()


async def polled(reader: Reader) -> int:
    """Poll as the gateway does: again after a passing failure. Returns how many there were."""
    for failures in range(5):
        try:
            await reader.poll()
        except RetryLater:
            continue
        return failures
    pytest.fail("the failure doesn't pass")


async def test_an_error_for_one_case_only_hides_no_other(
    reader: Reader, witness: SalesforceWitness
) -> None:
    cases = [await witness.open(f"case {index}") for index in range(25)]
    fault = witness.emulated.faults.add(FaultKind.SERVER_ERROR, calls=None, record=cases[13])
    # the list of ids, which is short, gets through; every answer with the whole case fails
    fault.path = "Subject"
    assert await polled(reader) == 1
    assert sorted(reader.reported) == sorted(set(cases) - {cases[13]})
    ((raw, reason),) = reader.unreadable
    assert cases[13] in raw
    assert "failed" in reason
    before = len(witness.emulated.front.requests)
    assert await polled(reader) == 0
    assert len(witness.emulated.front.requests) == before + 3, "pages of ten, without the one"
    witness.emulated.faults.remove(fault)
    await witness.later(2)
    await witness.edit(cases[13], "mended")
    await polled(reader)
    assert reader.reported[-1] == cases[13]
    assert len(reader.unreadable) == 1


@pytest.mark.parametrize("count", [1, 10])
async def test_an_org_that_is_down_is_not_taken_for_bad_cases(
    reader: Reader, witness: SalesforceWitness, count: int
) -> None:
    cases = [await witness.open(f"case {index}") for index in range(count)]
    fault = witness.emulated.faults.add(FaultKind.SERVER_ERROR, calls=None, path="Subject")
    for _ in range(4):
        before = len(witness.emulated.front.requests)
        with pytest.raises(RetryLater):
            await reader.poll()
        assert len(witness.emulated.front.requests) < before + 12, "it gives up soon"
    witness.emulated.faults.remove(fault)
    for _ in range(2):  # a page holds ten, and the reader takes seven
        await reader.poll()
    assert reader.reported == cases
    assert not reader.unreadable


@pytest.mark.parametrize("field", ["Id", "SystemModstamp", "LastModifiedById", "IsDeleted"])
@pytest.mark.parametrize("value", [None, [1], "2026-01-01 00:00:00", "a/b"])
async def test_damaged_cases_are_kept_and_come_again(
    reader: Reader, witness: SalesforceWitness, field: str, value: object
) -> None:
    case = await witness.open("damaged on the way")
    witness.emulated.faults.add(FaultKind.DAMAGED, field=field, value=value)
    await reader.poll()
    if field != "IsDeleted" or value is None:
        assert field in reader.unreadable[0][1]
    await reader.poll()
    assert case in reader.reported


async def test_a_page_of_nothing_but_damaged_cases_is_no_end(
    reader: Reader, witness: SalesforceWitness
) -> None:
    cases = [await witness.open(f"case {index}") for index in range(25)]
    witness.emulated.faults.add(FaultKind.DAMAGED, field="Id", value=None)
    assert await polled(reader) == 1
    assert reader.reported == cases


async def test_damaged_cases_of_a_whole_page_are_passed_over(
    reader: Reader, witness: SalesforceWitness
) -> None:
    cases = [await witness.open(f"case {index}") for index in range(25)]
    witness.emulated.faults.add(FaultKind.DAMAGED, field="LastModifiedById", value=None)
    assert await polled(reader) == 0
    assert reader.reported == cases[10:]
    assert len(reader.unreadable) == 10
    await polled(reader)
    assert reader.reported == cases[10:] + cases[:10]


async def test_a_case_that_comes_twice_is_told_once(
    reader: Reader, witness: SalesforceWitness
) -> None:
    cases = [await witness.open(f"case {index}") for index in range(25)]
    witness.emulated.faults.add(FaultKind.DOUBLED, calls=None)
    await reader.poll()
    assert reader.reported == cases


@pytest.mark.parametrize(
    "value", ["unexpected", [], {}, {"records": "x", "done": True}, {"records": []}, None, 5]
)
async def test_an_answer_of_another_shape_is_passing(
    reader: Reader, witness: SalesforceWitness, value: object
) -> None:
    case = await witness.open("in another shape")
    witness.emulated.faults.add(FaultKind.WRONG_SHAPE, value=value, calls=1)
    assert await polled(reader) == 1
    assert reader.reported == [case]


@pytest.mark.parametrize(
    "value", [{}, {"compositeResponse": []}, {"compositeResponse": [1, 2]}, [1], "x"]
)
async def test_a_composite_answer_of_another_shape_is_looked_up(
    reader: Reader, witness: SalesforceWitness, value: object
) -> None:
    case = await witness.open("half told")
    witness.emulated.faults.add(
        FaultKind.WRONG_SHAPE, value=value, after_commit=True, methods=("POST",)
    )
    write = DeskWrite(key="k", fields={"Status": "Working"}, note="once")
    with pytest.raises(RetryLater):
        await reader.desk.write(case, write)
    await reader.desk.write(case, replace(write, retried=True))
    assert len(await witness.said(case)) == 1


async def test_a_redirect_elsewhere_takes_no_credentials_along(
    reader: Reader, witness: SalesforceWitness
) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        return web.Response()

    runner = web.ServerRunner(web.Server(elsewhere))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    witness.emulated.faults.add(FaultKind.REDIRECT, location=f"http://127.0.0.1:{port}/x")
    with pytest.raises(NeedsHuman, match="elsewhere"):
        await reader.poll()
    await runner.cleanup()
    assert not seen


@pytest.mark.parametrize(
    "case_id", ["", "5", "a/b", "☃", "../../x", "' OR Id != '", CASE[:-1] + "B", CASE.lower()]
)
async def test_an_id_that_is_none_is_refused_without_a_call(
    reader: Reader, witness: SalesforceWitness, case_id: str
) -> None:
    before = len(witness.emulated.front.requests)
    with pytest.raises(Permanent, match="external_id"):
        await reader.desk.read(case_id)
    with pytest.raises(Permanent, match="external_id"):
        await reader.desk.write(case_id, DeskWrite(key="k", note="to nobody"))
    assert len(witness.emulated.front.requests) == before


async def test_an_id_of_15_characters_is_the_same_case(
    reader: Reader, witness: SalesforceWitness
) -> None:
    case = await witness.open("short")
    assert (await reader.desk.read(case[:15])).external_id == case


@pytest.mark.parametrize("published", ["00190000001pPvHAAU", "001R00000064wdtIAA"])
def test_the_check_characters_of_an_id(published: str) -> None:
    assert long_id(published[:15], "Id") == long_id(published, "Id") == published
    assert emulated_long_id(published[:15]) == published


# --- settings and webhooks

GOOD: dict[str, Any] = {
    "url": "https://example.my.salesforce.com",
    "auth": {"type": "oauth2", "client_id": "3MVG9", "client_secret": {"env": "SF_SECRET"}},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"query": "Subject = 'it's'"}, "quote"),
        ({"query": "Origin = 'Web' ORDER BY Id"}, "condition"),
        ({"query": "SELECT Id FROM Case"}, "condition"),
        ({"fields": ["Subject, Id"]}, "fields"),
        ({"fields": ["(SELECT Id FROM Tasks)"]}, "fields"),
        ({"key_field": "Key = '' OR Id"}, "key_field"),
        ({"api_version": "sixty"}, "api_version"),
        ({"ref": "ref"}, "hold the key once"),
        ({"page_size": 5000}, "page_size"),
        ({"auth": {"type": "basic", "username": "x", "password": {"env": "X"}}}, "oauth2"),
        ({"object": "Lead"}, "object"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], words: str) -> None:
    PLUGIN.settings.model_validate({**GOOD, "query": "Subject LIKE 'it\\'s in order%'"})
    with pytest.raises(ValidationError, match=words):
        PLUGIN.settings.model_validate({**GOOD, **change})


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_SECRET", "hunter-two")
    settings = PLUGIN.settings.model_validate(GOOD)
    assert "hunter-two" not in repr(settings) + settings.model_dump_json()


def event(**change: Any) -> dict[str, Any]:
    header = {"entityName": "Case", "changeType": "GAP_UPDATE", "recordIds": [CASE]}
    return {"ChangeEventHeader": header | change}


@pytest.mark.parametrize("body", [{"id": CASE}, {"id": CASE[:15]}, event(), {"id": CASE, "x": 1}])
def test_a_webhook_is_a_hint(body: dict[str, Any]) -> None:
    told = PLUGIN.notice(body, PLUGIN.settings.model_validate(GOOD))
    assert (told.external_id, told.record) == (CASE, None)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.id"),
        ({"id": 5}, "$.id"),
        ({"id": "../x"}, "$.id"),
        ({"id": "005R00000064wdtIAA"}, "$.id"),
        ({"ChangeEventHeader": "x"}, "$.ChangeEventHeader"),
        (event(entityName="Lead"), "$.ChangeEventHeader.entityName"),
        (event(recordIds=[]), "$.ChangeEventHeader.recordIds"),
        (event(recordIds=[CASE, CASE]), "$.ChangeEventHeader.recordIds"),
        (event(recordIds=["000000000000000AAA"]), "$.ChangeEventHeader.recordIds[0]"),
    ],
)
def test_a_webhook_that_does_not_fit_is_named_by_path(body: dict[str, Any], path: str) -> None:
    with pytest.raises(BadInput) as told:
        PLUGIN.notice(body, PLUGIN.settings.model_validate(GOOD))
    assert told.value.field == path
