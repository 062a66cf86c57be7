"""Fault switches: what goes wrong on the wire, and whether the write behind it was committed."""

import json
from datetime import timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from dragoman.testing.servicenow import FaultKind, ServiceNowDesk
from tests.testing.servicenow.conftest import Http


async def patch(http: Http, case: dict[str, str]) -> aiohttp.ClientResponse:
    return await http("PATCH", f"table/incident/{case['sys_id']}", json={"state": "2"})


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.HANG])
async def test_cut_connections(
    desk: ServiceNowDesk, http: Http, kind: FaultKind, after_commit: bool
) -> None:
    case = desk.open_case(short_description="x")
    desk.faults.add(kind, methods=["PATCH"], seconds=0.05, after_commit=after_commit)
    with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
        await patch(http, case)
    assert desk.record(case["number"])["state"] == ("2" if after_commit else "1")
    assert (await patch(http, case)).status == 200
    writes = desk.ledger.of(case["sys_id"], user="dragoman")
    assert len(writes) == (2 if after_commit else 1)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FaultKind.RATE_LIMIT, 429),
        (FaultKind.SERVER_ERROR, 500),
        (FaultKind.UNAUTHORIZED, 401),
        (FaultKind.QUOTA, 200),
        (FaultKind.HTML, 200),
    ],
)
async def test_refusals_come_before_the_write(
    desk: ServiceNowDesk, http: Http, kind: FaultKind, status: int
) -> None:
    case = desk.open_case(short_description="x")
    desk.faults.add(kind, calls=2, seconds=7)
    answer = await patch(http, case)
    assert answer.status == status
    assert (await patch(http, case)).status == status
    assert desk.record(case["number"])["state"] == "1"
    if kind is FaultKind.RATE_LIMIT:
        assert answer.headers["Retry-After"] == "7"
    if kind is FaultKind.HTML:
        assert answer.content_type == "text/html"
    if kind is FaultKind.QUOTA:
        assert "maximum execution time exceeded" in await answer.text()
    assert (await patch(http, case)).status == 200
    assert desk.record(case["number"])["state"] == "2"


async def test_a_server_error_may_hide_a_committed_write(desk: ServiceNowDesk, http: Http) -> None:
    case = desk.open_case(short_description="x")
    desk.faults.add(FaultKind.SERVER_ERROR, status=503, after_commit=True)
    assert (await patch(http, case)).status == 503
    assert desk.record(case["number"])["state"] == "2"


async def test_a_fault_for_one_case_leaves_the_others_alone(
    desk: ServiceNowDesk, http: Http
) -> None:
    bad, good = (desk.open_case(short_description=text) for text in ("bad", "good"))
    fault = desk.faults.add(FaultKind.SERVER_ERROR, calls=None, record=bad["number"])
    assert [(await patch(http, case)).status for case in (bad, good, bad)] == [500, 200, 500]
    desk.faults.remove(fault)
    assert (await patch(http, bad)).status == 200


async def test_a_fault_can_wait_for_the_middle_of_a_page_walk(
    desk: ServiceNowDesk, http: Http
) -> None:
    desk.faults.add(FaultKind.UNAUTHORIZED, skip=1, methods=["GET"], table="incident")
    statuses = [(await http("GET", "table/incident")).status for _ in range(3)]
    assert statuses == [200, 401, 200]


async def test_damaged_answers(desk: ServiceNowDesk, http: Http) -> None:
    case = desk.open_case(short_description="x")
    # Without reference links the answer is the live row itself: it must not be spoilt.
    path = f"table/incident/{case['sys_id']}?sysparm_exclude_reference_link=true"
    desk.faults.add(FaultKind.TRUNCATED)
    with pytest.raises(json.JSONDecodeError):
        json.loads(await (await http("GET", path)).text())
    desk.faults.add(FaultKind.WRONG_TYPE)
    assert (await (await http("GET", path)).json())["result"] == "unexpected"
    desk.faults.add(FaultKind.WRONG_TYPE, field="state")
    assert isinstance((await (await http("GET", path)).json())["result"]["state"], list)
    desk.faults.add(FaultKind.NULL_FIELD, field="sys_updated_on")
    listed = await (await http("GET", "table/incident")).json()
    assert listed["result"][0]["sys_updated_on"] is None
    desk.faults.add(FaultKind.OVERSIZE)
    assert len(await (await http("GET", path)).text()) > 10 * 1024 * 1024
    # Only the answers were damaged; the record is whole.
    assert desk.record(case["number"]) == case


async def test_clock_offset_shows_in_stamps_and_in_the_date_header(
    desk: ServiceNowDesk, http: Http
) -> None:
    before = desk.instance.now()
    desk.faults.clock_offset = timedelta(hours=-3)
    answer = await http("POST", "table/incident", json={"short_description": "x"})
    date = parsedate_to_datetime(answer.headers["Date"])
    assert abs(before - timedelta(hours=3) - date) < timedelta(minutes=1)
    stamp = (await answer.json())["result"]["sys_created_on"]
    assert stamp[:13] == date.strftime("%Y-%m-%d %H")


async def test_slow_answers_come_all_the_same(desk: ServiceNowDesk, http: Http) -> None:
    desk.faults.latency = 0.01
    slow = desk.faults.add(FaultKind.SLOW, seconds=0.02)
    assert (await http("GET", "table/incident")).status == 200
    assert slow.struck == 1


async def test_clear_ends_everything(desk: ServiceNowDesk, http: Http) -> None:
    desk.faults.add(FaultKind.SERVER_ERROR, calls=None)
    desk.faults.denied.add("incident")
    desk.faults.clear()
    assert (await http("GET", "table/incident")).status == 200


def test_an_unknown_fault_or_detail_is_refused(desk: ServiceNowDesk) -> None:
    with pytest.raises(ValueError, match="earthquake"):
        desk.faults.add("earthquake")
    with pytest.raises(TypeError, match="loudness"):
        desk.faults.add(FaultKind.HTML, loudness=11)
