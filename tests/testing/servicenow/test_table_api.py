"""The Table API over HTTP: shapes of answers, paging, access controls, limits, error envelopes."""

import io
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from dragoman.testing.servicenow import Account, ServiceNowDesk
from tests.testing.servicenow.conftest import Http, authorization


def links(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    found = re.findall(r'<([^>]+)>;rel="(\w+)"', headers.get("Link", ""))
    return {relation: address for address, relation in found}


async def test_pages_are_linked_and_counted(desk: ServiceNowDesk, http: Http) -> None:
    for index in range(5):
        desk.open_case(short_description=f"case {index}")
    query = {"sysparm_query": "ORDERBYnumber", "sysparm_limit": "2", "sysparm_fields": "number"}
    first = await http("GET", "table/incident", params=query)
    assert first.headers["X-Total-Count"] == "5"
    assert set(links(first.headers)) == {"first", "next", "last"}
    read, path = [], "table/incident?" + "&".join(f"{k}={v}" for k, v in query.items())
    while path:
        page = await http("GET", path)
        read += [row["number"] for row in (await page.json())["result"]]
        path = links(page.headers).get("next", "").removeprefix(f"{desk.url}/api/now/")
    assert read == [f"INC001000{n}" for n in range(1, 6)]
    middle = await http("GET", "table/incident", params={**query, "sysparm_offset": "2"})
    assert set(links(middle.headers)) == {"first", "prev", "next", "last"}
    full = {**query, "sysparm_limit": "5"}
    assert "Link" not in (await http("GET", "table/incident", params=full)).headers
    desk.open_case(short_description="case 5")
    last = await http("GET", "table/incident", params={**query, "sysparm_offset": "4"})
    assert set(links(last.headers)) == {"first", "prev", "last"}


async def test_count_and_links_can_be_left_out(desk: ServiceNowDesk, http: Http) -> None:
    for index in range(3):
        desk.open_case(short_description=f"case {index}")
    params = {
        "sysparm_limit": "1",
        "sysparm_no_count": "true",
        "sysparm_suppress_pagination_header": "true",
    }
    answer = await http("GET", "table/incident", params=params)
    assert "X-Total-Count" not in answer.headers
    assert "Link" not in answer.headers


async def test_access_controls_apply_after_the_limit(desk: ServiceNowDesk, http: Http) -> None:
    """A short page isn't the last one: the count and the links tell, not the length."""
    cases = [desk.open_case(short_description=f"case {n}") for n in range(6)]
    desk.faults.hidden |= {cases[0]["sys_id"], cases[1]["sys_id"]}
    params = {"sysparm_query": "ORDERBYnumber", "sysparm_limit": "2"}
    page = await http("GET", "table/incident", params=params)
    assert (await page.json())["result"] == []
    assert page.headers["X-Total-Count"] == "6"
    assert "next" in links(page.headers)
    one = await http("GET", f"table/incident/{cases[0]['sys_id']}")
    assert one.status == 404


@pytest.mark.parametrize("strict", [False, True])
async def test_an_invalid_query_answers_with_everything_or_by_property_nothing(
    desk: ServiceNowDesk, http: Http, strict: bool
) -> None:
    desk.open_case(short_description="x")
    if strict:
        (found,) = desk.records("sys_properties")
        desk.instance.update(
            "sys_properties", found["sys_id"], {"value": "true"}, desk.accounts.get("admin")
        )
    answer = await http("GET", "table/incident", params={"sysparm_query": "no_field=1"})
    assert answer.status == 200
    assert len((await answer.json())["result"]) == (0 if strict else 1)


@pytest.mark.parametrize(
    ("params", "assigned_to", "state", "empty"),
    [
        ({}, {"link": "…/sys_user/ID", "value": "ID"}, "1", ""),
        ({"sysparm_exclude_reference_link": "true"}, "ID", "1", ""),
        (
            {"sysparm_display_value": "true"},
            {"display_value": "Alex Agent", "link": "…/sys_user/ID"},
            "New",
            "",
        ),
        (
            {"sysparm_display_value": "all", "sysparm_exclude_reference_link": "true"},
            {"display_value": "Alex Agent", "value": "ID"},
            {"display_value": "New", "value": "1"},
            {"display_value": "", "value": ""},
        ),
    ],
)
async def test_shapes_of_values(
    desk: ServiceNowDesk,
    http: Http,
    params: Mapping[str, str],
    assigned_to: object,
    state: object,
    empty: object,
) -> None:
    case = desk.open_case(short_description="x", assigned_to="alex.agent")
    text = await (await http("GET", f"table/incident/{case['sys_id']}", params=params)).text()
    text = text.replace(case["assigned_to"], "ID").replace(f"{desk.url}/api/now/table", "…")
    row = json.loads(text)["result"]
    assert (row["assigned_to"], row["state"], row["resolved_by"]) == (assigned_to, state, empty)


async def test_dates_display_in_the_accounts_zone(desk: ServiceNowDesk) -> None:
    zone = timezone(timedelta(hours=9))
    tokyo = Account(user_name="tokyo", sys_id="t" * 32, roles=frozenset({"itil"}), time_zone=zone)
    desk.accounts.add(tokyo, "tokyo password")
    case = desk.open_case(short_description="x")
    headers = {"Authorization": authorization("tokyo", "tokyo password")}
    address = f"{desk.url}/api/now/table/incident/{case['sys_id']}?sysparm_display_value=all"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(address) as response,
    ):
        shown = (await response.json())["result"]["sys_created_on"]
    raw = datetime.fromisoformat(shown["value"]).replace(tzinfo=UTC)
    assert datetime.fromisoformat(shown["display_value"]).replace(tzinfo=zone) == raw


async def test_journal_fields_read_empty_but_in_display_form(
    desk: ServiceNowDesk, http: Http
) -> None:
    case = desk.open_case(short_description="x", comments="from the requester")
    path = f"table/incident/{case['sys_id']}"
    raw = (await (await http("GET", path)).json())["result"]
    assert raw["comments"] == ""
    shown = await http("GET", path, params={"sysparm_display_value": "true"})
    text = (await shown.json())["result"]["comments"]
    assert text.endswith("Robin Requester (Additional comments)\nfrom the requester\n\n")


async def test_a_created_record_has_its_address(desk: ServiceNowDesk, http: Http) -> None:
    answer = await http("POST", "v2/table/incident", json={"short_description": "x"})
    assert answer.status == 201
    sys_id = (await answer.json())["result"]["sys_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", sys_id)
    assert answer.headers["Location"] == f"{desk.url}/api/now/table/incident/{sys_id}"
    assert (await http("DELETE", f"table/incident/{sys_id}")).status == 204
    assert (await http("DELETE", f"table/incident/{sys_id}")).status == 404


ENVELOPES = [
    ("GET", "table/nothing", {}, 400, "Invalid table nothing"),
    ("GET", "nowhere", {}, 400, "Requested URI does not represent any resource"),
    ("GET", "table/incident/0", {}, 404, "No Record found"),
    ("DELETE", "table/incident", {}, 405, "Method not supported"),
    ("GET", "table/incident", {"headers": {"Accept": "text/csv"}}, 406, "Not acceptable"),
    ("POST", "table/incident", {"data": b"{", "headers": {"Content-Type": "application/json"}},
     400, "Exception while reading request"),
    ("POST", "table/incident", {"data": b"a=1", "headers": {"Content-Type": "text/plain"}},
     415, "Unsupported media type"),
    ("GET", "table/incident", {"params": {"sysparm_query": "stateCHANGES"}}, 501, "Not emulated"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "options", "status", "message"), ENVELOPES)
async def test_errors_come_in_the_envelope(
    http: Http, method: str, path: str, options: dict[str, object], status: int, message: str
) -> None:
    answer = await http(method, path, **options)
    assert answer.status == status
    body = await answer.json()
    assert body["status"] == "failure"
    assert body["error"]["message"] == message
    assert "detail" in body["error"]


async def test_too_large_a_body_is_refused(http: Http) -> None:
    body = b'{"description": "' + b"x" * (10 * 1024 * 1024) + b'"}'
    answer = await http(
        "POST",
        "table/incident",
        data=io.BytesIO(body),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status == 400
    assert "Max allowed: 10485760 bytes" in (await answer.json())["error"]["detail"]


async def test_rights(desk: ServiceNowDesk, http: Http) -> None:
    reader = Account(user_name="reader", sys_id="r" * 32)
    desk.accounts.add(reader, "reader password")
    case = desk.open_case(short_description="x")
    headers = {"Authorization": authorization("reader", "reader password")}
    path = f"table/incident/{case['sys_id']}"
    assert (await http("GET", path, headers=headers)).status == 200
    for method in ("PATCH", "DELETE"):
        refused = await http(method, path, headers=headers, json={"state": "2"})
        assert refused.status == 403
        assert "ACL Exception" in (await refused.json())["error"]["detail"]
    desk.faults.denied.add("incident")
    assert (await http("GET", path)).status == 403


async def test_rate_limit_rule(desk: ServiceNowDesk, http: Http) -> None:
    desk.limit.requests, desk.limit.seconds = 2, 3600.0
    for _ in range(2):
        allowed = await http("GET", "table/incident")
        assert allowed.status == 200
        assert allowed.headers["X-RateLimit-Limit"] == "2"
    refused = await http("GET", "table/incident")
    assert refused.status == 429
    reset = int(refused.headers["X-RateLimit-Reset"])
    now = desk.instance.now().timestamp()
    assert abs(int(refused.headers["Retry-After"]) - (reset - now)) <= 2
    assert refused.headers["X-RateLimit-Rule"] == desk.limit.rule
    desk.faults.clock_offset = timedelta(hours=1)
    assert (await http("GET", "table/incident")).status == 200


async def test_oauth_tokens_expire_and_refresh() -> None:
    now = [datetime(2026, 3, 1, tzinfo=UTC)]
    credentials_of = ServiceNowDesk(clock=lambda: now[0], token_life=timedelta(minutes=5))
    async with credentials_of as desk, aiohttp.ClientSession() as session:
        own = desk.credentials
        client = {"client_id": own.client_id, "client_secret": own.client_secret}

        async def token(**form: str) -> dict[str, Any]:
            async with session.post(f"{desk.url}/oauth_token.do", data={**client, **form}) as got:
                answer: dict[str, Any] = await got.json()
                return answer

        async def status(access: str) -> int:
            headers = {"Authorization": f"Bearer {access}"}
            address = f"{desk.url}/api/now/table/incident"
            async with session.get(address, headers=headers) as got:
                return got.status

        granted = await token(grant_type="client_credentials")
        assert granted["expires_in"] == 300
        assert "refresh_token" not in granted
        assert await status(granted["access_token"]) == 200
        now[0] += timedelta(minutes=5)
        assert await status(granted["access_token"]) == 401
        by_password = await token(
            grant_type="password", username=own.user_name, password=own.password
        )
        again = await token(grant_type="refresh_token", refresh_token=by_password["refresh_token"])
        assert await status(again["access_token"]) == 200
        assert (await token(grant_type="password", username="x", password="y"))["error"]
