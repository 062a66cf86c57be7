"""What is Salesforce's own: deleted cases, batches, sessions, limits."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dragoman.config.secrets import Secret
from dragoman.desks.salesforce import changes
from dragoman.desks.salesforce.client import SalesforceDesk as Adapter
from dragoman.desks.salesforce.fields import stamp
from dragoman.domain.errors import NeedsHuman, Permanent
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader
from dragoman.testing.salesforce import EmulatedSalesforce, FaultKind
from dragoman.transport.http_errors import RateLimited
from tests.adapters.desks.salesforce_witness import SalesforceWitness
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[SalesforceWitness]:
    clock = ShiftingClock()
    async with EmulatedSalesforce(now=clock.now) as emulated:
        yield SalesforceWitness(emulated, clock)


@pytest.fixture
async def reader(witness: SalesforceWitness) -> AsyncIterator[Reader]:
    reader = await start(witness)
    yield reader
    await reader.desk.close()


async def start(witness: SalesforceWitness, **options: Any) -> Reader:
    witness.options = options
    await witness.open("from before")
    await witness.later(3)
    reader = Reader(witness.connect())
    await reader.poll()
    await witness.later(3)
    return reader


# --- polling


async def test_a_deleted_case_is_told_once(reader: Reader, witness: SalesforceWitness) -> None:
    case = await witness.open("to be deleted")
    await reader.poll()
    await witness.later(2)
    witness.emulated.delete(case)
    assert [await reader.poll() for _ in range(2)] == [1, 0]
    assert reader.records[case].raw["IsDeleted"] is True
    with pytest.raises(Permanent, match="no case"):
        await reader.desk.read(case)
    with pytest.raises(Permanent, match="ENTITY_IS_DELETED"):
        await reader.desk.write(case, DeskWrite(key="k", fields={"Subject": "x"}))


async def test_batches_shorter_than_a_page_hide_nothing(
    reader: Reader, witness: SalesforceWitness
) -> None:
    witness.emulated.router.select.batch_size = 3
    cases = [await witness.open(f"case {index}") for index in range(25)]
    await reader.poll()
    assert reader.reported == cases
    assert not any("/query/" in path for _, path in witness.emulated.front.requests)


async def test_a_poll_is_one_call(reader: Reader, witness: SalesforceWitness) -> None:
    await witness.open("cheap")
    before = len(witness.emulated.front.requests)
    assert await reader.poll() == 1
    assert len(witness.emulated.front.requests) == before + 1


async def test_a_condition_limits_which_cases_are_ours(witness: SalesforceWitness) -> None:
    reader = await start(witness, query="Origin = 'Web' OR Subject LIKE 'it\\'s%'")
    ours = [witness.emulated.open_case(Origin="Web"), await witness.open("it's ours")]
    witness.emulated.open_case(Origin="Phone")
    await reader.poll()
    assert reader.reported == ours
    await reader.desk.close()


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"query": "Orign = 'Web'"}, "Orign", "INVALID_FIELD"),
        ({"fields": ["Subject", "Nope__c"]}, "Nope__c", "INVALID_FIELD"),
        ({"fields": ["Nobody.Name"]}, "Nobody", "INVALID_FIELD"),
        (
            {"query": "Origin = 'Web' AND IsClosed = false OR Status = 'x'"},
            "query",
            "MALFORMED_QUERY",
        ),
        ({"query": "IsClosed = false) OR (Status = 'New'"}, "query", "MALFORMED_QUERY"),
    ],
)
async def test_a_wrong_query_needs_a_human(
    witness: SalesforceWitness, options: dict[str, Any], field: str, words: str
) -> None:
    await witness.open("from before")
    await witness.later(60)
    witness.options = options
    desk = witness.connect()
    with pytest.raises(NeedsHuman, match=words) as told:
        await desk.changes((await desk.changes("", 7)).cursor, 7)
    assert told.value.field == field
    await desk.close()


async def test_a_restart_reads_only_the_overlap_again(witness: SalesforceWitness) -> None:
    reader = await start(witness, overlap_s=5)
    cases = []
    for index in range(6):
        cases.append(await witness.open(f"case {index}"))
        await witness.later(3)
        await reader.poll()
    await reader.desk.close()
    restarted = Reader(witness.connect(), cursor=reader.cursor)
    await restarted.poll()
    assert restarted.reported == cases[-2:], "5 s of overlap before the newest"
    await restarted.desk.close()


async def test_a_case_from_the_future_stops_nothing(
    reader: Reader, witness: SalesforceWitness
) -> None:
    future = await witness.open("from the future")
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    witness.emulated.tamper(future, SystemModstamp=end)
    await reader.poll()
    await witness.later(2)
    present = await witness.open("from today")
    await reader.poll()
    assert reader.reported == [future, present]


async def test_a_desk_that_ignores_our_time_bound_is_found_out(
    reader: Reader, witness: SalesforceWitness
) -> None:
    case = await witness.open("in good order")
    fault = {"field": "SystemModstamp", "value": "1970-01-01T00:00:00.000+0000"}
    witness.emulated.faults.add(FaultKind.DAMAGED, **fault)
    with pytest.raises(NeedsHuman, match="time bound"):
        await reader.poll()
    await reader.poll()
    assert reader.reported == [case]


async def test_a_comment_of_a_person_is_news_if_it_touches_the_case(
    reader: Reader, witness: SalesforceWitness
) -> None:
    case = await witness.open("talked about")
    await reader.poll()
    await witness.later(2)
    witness.emulated.rules.comments_touch_case = False
    witness.emulated.comment(case, "seen by nobody")
    assert await reader.poll() == 0
    witness.emulated.rules.comments_touch_case = True
    witness.emulated.comment(case, "seen")
    assert await reader.poll() == 1


async def test_a_desk_that_reads_times_in_another_zone_is_found_out(
    witness: SalesforceWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await witness.open("an hour off")
    monkeypatch.setattr(changes, "stamp", lambda at: stamp(at + timedelta(hours=1)))
    desk = witness.connect()
    with pytest.raises(NeedsHuman, match="newest case"):
        await desk.changes("", 7)
    await desk.close()


# --- sessions and limits


async def test_a_session_that_ends_within_a_walk_is_opened_again(
    reader: Reader, witness: SalesforceWitness
) -> None:
    cases = [await witness.open(f"case {index}") for index in range(25)]
    sessions = witness.emulated.front.sessions
    before, pages = sessions.opened, 0
    while len(reader.reported) < len(cases):
        sessions.expire()
        page = await reader.desk.changes(reader.cursor, 7)
        reader.cursor, pages = page.cursor, pages + 1
        reader.reported += [record.external_id for record in page.records]
    assert reader.reported == cases
    assert sessions.opened == before + pages, "one log-in for each end"


async def test_one_session_serves_an_hour(reader: Reader, witness: SalesforceWitness) -> None:
    opened = witness.emulated.front.sessions.opened
    for _ in range(5):
        await witness.later(600)
        await reader.poll()
    assert witness.emulated.front.sessions.opened == opened


async def test_a_wrong_client_secret_needs_a_human(witness: SalesforceWitness) -> None:
    client = witness.emulated.credentials.client_id
    auth = {"type": "oauth2", "client_id": client, "client_secret": Secret.of("wrong-one")}
    witness.options = {"auth": auth}
    desk = witness.connect()
    with pytest.raises(NeedsHuman, match="invalid_client") as told:
        await desk.changes("", 7)
    assert "wrong-one" not in str(told.value)
    await desk.close()


async def test_the_quota_of_the_day_is_passing(reader: Reader, witness: SalesforceWitness) -> None:
    case = await witness.open("too often")
    witness.emulated.front.api_limit = 0
    with pytest.raises(RateLimited, match="REQUEST_LIMIT_EXCEEDED") as told:
        await reader.poll()
    assert told.value.delay_s is not None
    witness.emulated.front.api_limit = 100_000
    await reader.poll()
    assert reader.reported == [case]
    assert isinstance(reader.desk, Adapter)
    assert reader.desk.http.rate_limits["sforce-limit-info"].endswith("/100000")
