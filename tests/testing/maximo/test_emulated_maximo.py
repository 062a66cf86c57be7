"""The emulated Maximo does what IBM's documentation and recorded answers say, over plain HTTP."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dragoman.testing.maximo import CATALOGUE, EmulatedMaximo, FaultKind, Row
from dragoman.testing.tls import TestAuthority

NOW = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
PATCH = {"x-method-override": "PATCH", "patchtype": "MERGE"}


class Caller:
    """Calls as a client makes them. lean: off only where namespaces are the point."""

    def __init__(self, desk: EmulatedMaximo, session: aiohttp.ClientSession) -> None:
        self.desk = desk
        self._session = session
        self.headers: Mapping[str, str] = {}

    async def get(self, path: str, *, lean: str = "1", key: str | None = None, **query: str) -> Any:
        """(status, JSON) of a GET below /maximo/api. Query names have . written as __."""
        given = {name.replace("__", "."): value for name, value in query.items()}
        url = f"{self.desk.url}/api{path}"
        headers = {"apikey": self.desk.api_key if key is None else key}
        parameters = {"lean": lean, **given}
        async with self._session.get(url, params=parameters, headers=headers) as answer:
            self.headers = answer.headers
            return answer.status, await answer.json(content_type=None)

    async def find(self, where: str, **more: str) -> Any:
        """The JSON of a list of work orders."""
        query = {"oslc__select": "wonum", "oslc__where": where, **more}
        status, told = await self.get("/os/mxapiwo", **query)
        assert status == 200, told
        return told

    async def post(self, path: str, body: object, *, lean: str = "1", **headers: str) -> Any:
        """(status, JSON or None) of a POST. Header names have - written as _."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.desk.url}/api{path}{'&' if '?' in path else '?'}lean={lean}"
        given["apikey"] = self.desk.api_key
        async with self._session.post(url, json=body, headers=given) as answer:
            self.headers = answer.headers
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    def place(self, row: Row) -> str:
        key = "/".join(str(row.values[name]) for name in row.structure.keys).encode()
        rest = base64.b64encode(key).decode().replace("=", "-")
        return f"/os/{row.structure.name}/_{rest}"


@pytest.fixture
async def desk() -> AsyncIterator[EmulatedMaximo]:
    async with EmulatedMaximo(now=lambda: NOW, synonyms={"WOSTATUS": {"ROBOT": "INPRG"}}) as one:
        yield one


@pytest.fixture
async def call(desk: EmulatedMaximo) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Caller(desk, session)


def reason(told: Any) -> str:
    return str(told["Error"]["reasonCode"])


async def test_a_list_is_paged_and_counted(desk: EmulatedMaximo, call: Caller) -> None:
    for number in range(5):
        desk.open(wonum=f"W{number}")
    page = {"oslc__pageSize": "2", "oslc__orderBy": "-wonum", "collectioncount": "1"}
    told = await call.find("", **page)
    info = told["responseInfo"]
    assert (info["totalCount"], info["totalPages"], info["pagenum"]) == (5, 3, 1)
    assert "pageno=2" in info["nextPage"]["href"]
    told = await call.find("", pageno="3", **page)
    assert [one["wonum"] for one in told["member"]] == ["W0"]
    assert "nextPage" not in told["responseInfo"]


async def test_members_tell_what_is_selected_in_the_server_s_zone(
    desk: EmulatedMaximo, call: Caller
) -> None:
    row = desk.open(wonum="1001", description="Pump 7")
    _, told = await call.get("/os/mxapiwo")
    assert told["member"] == [{"href": f"{desk.url}/api{call.place(row)}"}]
    assert call.place(row) == "/os/mxapiwo/_QkVERk9SRC8xMDAx", "as Maximo's own of BEDFORD/1001"
    told = await call.find("", oslc__select="changedate,location,status", internalvalues="1")
    (member,) = told["member"]
    assert member["changedate"] == "2026-03-01T07:00:00-05:00", "no fractions, with the offset"
    assert "location" not in member, "null values are left out"
    assert (member["status"], member["status_maxvalue"]) == ("WAPPR", "WAPPR")
    assert member["_rowstamp"] == str(row.rowstamp)
    told = await call.find("", oslc__select="location", _dropnulls="0")
    assert told["member"][0]["location"] is None


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('status="WAPPR"', "A B"),
        ('status in ["INPRG","COMP"]', "C"),
        ('status!="WAPPR"', "C"),
        ("wopriority>=2 and wopriority<9", "B"),
        ('location="*"', "A"),
        ('location!="*"', "B C"),
        ('description="%pump%"', "B"),
        ("historyflag=false and istask=true", "A"),
        ('changedate>="2026-03-01T12:00:01+00:00"', "B C"),
        ('changedate>"2026-03-01T07:00:00-05:00"', "A B C"),
        ('changedate<"2026-03-01T07:00:01"', "A"),
        ("workorderid=1", ""),
    ],
)
async def test_conditions(where: str, found: str) -> None:
    moment = NOW
    async with (
        EmulatedMaximo(now=lambda: moment) as desk,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        desk.open(wonum="A", location="br300", istask=True)
        moment += timedelta(seconds=1)
        desk.open(wonum="B", description="a pump", wopriority=2)
        desk.set_status(desk.open(wonum="C", wopriority=9), "INPRG")
        told = await Caller(desk, session).find(where, oslc__orderBy="+wonum")
        assert " ".join(one["wonum"] for one in told["member"]) == found


@pytest.mark.parametrize(
    "query",
    [
        {"oslc__where": '(status="APPR")'},
        {"oslc__where": 'status="APPR" or status="COMP"'},
        {"oslc__where": 'status in ["APPR", "COMP"]'},
        {"oslc__where": 'no_such="1"'},
        {"oslc__where": "changedate>12"},
        {"oslc__orderBy": "changedate"},
        {"oslc__select": "worklog{description"},
    ],
)
async def test_what_maximo_cannot_read_it_refuses(
    desk: EmulatedMaximo, call: Caller, query: dict[str, str]
) -> None:
    desk.open()
    status, told = await call.get("/os/mxapiwo", **query)
    assert (status, reason(told)) == (400, "BMXAA8744E")
    assert told["Error"]["statusCode"] == "400"
    assert told["Error"]["message"].startswith("BMXAA8744E - ")


async def test_keys(desk: EmulatedMaximo, call: Caller) -> None:
    for key, code in (("", "BMXAA0021E"), ("wrong", "BMXAA9549E")):
        status, told = await call.get("/os/mxapiwo", key=key)
        assert (status, reason(told)) == (401, code)
    desk.faults.bad_key_status = 400
    status, told = await call.get("/os/mxapiwo", key="wrong")
    assert (status, reason(told)) == (400, "BMXAA9549E")


async def test_a_session_cookie_goes_before_the_key(desk: EmulatedMaximo) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        call = Caller(desk, session)
        assert (await call.get("/os/mxapiwo"))[0] == 200
        status, told = await call.get("/os/mxapiwo")
        assert (status, reason(told)) == (401, "BMXAA0021E")


async def test_without_lean_everything_has_a_namespace(desk: EmulatedMaximo, call: Caller) -> None:
    row = desk.open(wonum="1001")
    _, told = await call.get("/os/mxapiwo", lean="0", oslc__select="wonum")
    assert told["rdfs:member"][0]["spi:wonum"] == "1001"
    _, told = await call.get("/os/mxapiwo", lean="0", oslc__where="x=1")
    assert told["oslc:Error"]["spi:reasonCode"] == "BMXAA8744E"
    await call.post(call.place(row), {"description": "x"}, lean="0", **PATCH)
    assert row.values.get("description") is None, "a name without its namespace is passed over"
    await call.post(call.place(row), {"spi:description": "y"}, lean="0", **PATCH)
    assert row.values["description"] == "y"


async def test_a_merge_patch_answers_204_also_to_what_it_ignored(
    desk: EmulatedMaximo, call: Caller
) -> None:
    row = desk.open(description="old", location="A")
    desk.store.restricted.add(("WORKORDER", "location"))
    stamp = row.rowstamp
    body = {"no_such": 1, "location": "B", "changeby": "ME", "workorderid": 7}
    assert await call.post(call.place(row), body, **PATCH) == (204, None)
    assert (row.rowstamp, row.values["location"]) == (stamp, "A")
    assert await call.post(call.place(row), {"description": "new"}, **PATCH) == (204, None)
    assert row.rowstamp != stamp
    assert (row.values["description"], row.values["changeby"]) == ("new", "DRAGOMAN")
    status, told = await call.post(
        call.place(row), {"description": None}, properties="description,status", **PATCH
    )
    assert status == 200
    assert told["status"] == "WAPPR"
    assert "description" not in told
    status, told = await call.post(call.place(row), {"description": "x"})
    assert status == 400, "without x-method-override it is no patch"


async def test_rowstamps_and_tags_guard_a_patch(desk: EmulatedMaximo, call: Caller) -> None:
    row = desk.open()
    place, stamp = call.place(row), str(row.rowstamp)
    status, _ = await call.get(place)
    assert (status, call.headers["ETag"]) == (200, stamp)
    assert await call.post(place, {"description": "1", "_rowstamp": stamp}, **PATCH) == (204, None)
    for body, headers in (({"_rowstamp": stamp}, {}), ({}, {"If_Match": stamp})):
        status, told = await call.post(place, {"description": "2"} | body, **PATCH | headers)
        assert (status, reason(told)) == (412, "BMXAA8229W")
    fresh = {"If_Match": str(row.rowstamp)}
    assert await call.post(place, {"description": "3"}, **PATCH | fresh) == (204, None)


async def test_tags_that_do_not_work(call: Caller) -> None:
    async with EmulatedMaximo(etags=False) as call.desk:
        row = call.desk.open()
        await call.get(call.place(row))
        assert call.headers["ETag"] == "0"
        for tag in ("0", str(row.rowstamp)):
            status, _ = await call.post(call.place(row), {}, **PATCH, If_Match=tag)
            assert status == 412


async def test_the_work_log_is_merged_and_read(desk: EmulatedMaximo, call: Caller) -> None:
    row, other = desk.open(), desk.open()
    place, stamp = call.place(row), row.rowstamp
    note = {"description": "seen", "logtype": "CLIENTNOTE", "clientviewable": True}
    for _ in range(2):
        await call.post(place, {"worklog": [note]}, **PATCH)
    assert row.rowstamp == stamp, "entries change nothing of the work order"
    await call.post(call.place(other), {"worklog": [note]}, **PATCH)
    _, told = await call.get(place, oslc__select="wonum,worklog{description,clientviewable}")
    assert [one["description"] for one in told["worklog"]] == ["seen", "seen"]
    assert told["worklog"][0]["clientviewable"] is True
    assert "logtype" not in told["worklog"][0]
    assert len((await call.get(f"{place}/woworklog"))[1]["member"]) == 2
    assert len((await call.get(f"{place}/worklog"))[1]["member"]) == 3, "all of WORKLOG, as seen"
    status, told = await call.post(place, {"worklog": [{"description": "x" * 101}]}, **PATCH)
    assert (status, reason(told)) == (400, "BMXAA4049E")
    assert len(row.log) == 2, "all or nothing"
    await call.post(place, {"worklog": [note]}, x_method_override="PATCH")
    assert len(row.log) == 1, "without MERGE the child array replaces"


async def test_statuses_change_by_action_as_far_as_allowed(
    desk: EmulatedMaximo, call: Caller
) -> None:
    row = desk.open()
    place = f"{call.place(row)}?action=wsmethod:changeStatus"
    override = {"x_method_override": "PATCH"}
    assert await call.post(place, {"status": "robot", "memo": "x"}, **override) == (204, None)
    _, told = await call.get(call.place(row), oslc__select="status", internalvalues="1")
    assert (told["status"], told["status_maxvalue"]) == ("ROBOT", "INPRG"), "a synonym"
    _, told = await call.get(f"{call.place(row)}/getlist~status")
    assert {one["value"] for one in told["member"]} == {"INPRG", "WMATL", "COMP", "WAPPR", "CLOSE"}
    for wanted, inner in (("CAN", "can't be changed"), ("NONE", "BMXAA4190E")):
        status, told = await call.post(place, {"status": wanted}, **override)
        assert (status, reason(told)) == (400, "BMXAA4590E")
        assert inner in told["Error"]["message"].partition("\n")[2]
    status, told = await call.post(place, {"status": "ROBOT"}, **override)
    assert "BMXAA0032E" in told["Error"]["message"]
    assert await call.post(call.place(row), {"status": "COMP"}, **PATCH) == (204, None)
    assert await call.post(place, {"status": "CLOSE"}, **override) == (204, None)
    status, told = await call.post(call.place(row), {"description": "late"}, **PATCH)
    assert (status, reason(told)) == (400, "BMXAA0031E")


async def test_creation(desk: EmulatedMaximo, call: Caller) -> None:
    body = {"siteid": "BEDFORD", "description": "new", "wopriority": "3"}
    status, told = await call.post("/os/mxapiwo", body, properties="wonum,status,wopriority")
    assert (status, told["status"], told["wopriority"]) == (201, "WAPPR", 3)
    assert call.headers["Location"] == told["href"]
    assert await call.post("/os/mxapiwo", body) == (201, None)
    wrong = {
        "BMXAA4195E": {"description": "no site"},
        "BMXAA4129E": body | {"wonum": told["wonum"]},
        "BMXAA4190E": body | {"wopriority": 77},
        "BMXAA4198E": body | {"wopriority": "high"},
        "BMXAA4049E": body | {"externalrefid": "x" * 11},
    }
    for code, given in wrong.items():
        status, told = await call.post("/os/mxapiwo", given)
        assert (status, reason(told)) == (400, code)
    status, told = await call.post("/os/mxapisr", {"siteid": "BEDFORD", "description": "x"})
    assert (status, reason(told)) == (400, "BMXAA4195E"), "a ticket has to say its class"


async def test_the_schema_tells_types_and_lengths(desk: EmulatedMaximo, call: Caller) -> None:
    _, told = await call.get("/jsonschemas/mxapiwo")
    assert told["pk"] == ["siteid", "wonum"]
    assert told["properties"]["dragomankey"]["maxLength"] == 40
    assert told["properties"]["wopriority"]["type"] == "integer"
    assert told["properties"]["worklog"]["type"] == "array"


async def test_what_is_not_there_or_not_allowed(desk: EmulatedMaximo, call: Caller) -> None:
    desk.faults.denied.add("mxapisr")
    for path, status, code in (
        ("/os/mxapiwo/_WA--", 404, "BMXAA8727E"),
        ("/os/mxapisr", 400, "BMXAA9301E"),
        ("/os/mxnothing", 400, "BMXAA9301E"),
    ):
        answered, told = await call.get(path)
        assert (answered, reason(told)) == (status, code)


async def test_faults(desk: EmulatedMaximo, call: Caller) -> None:
    rows = [desk.open() for _ in range(3)]
    place = call.place(rows[0])
    desk.faults.add(FaultKind.RATE_LIMIT, seconds=7)
    with pytest.raises(json.JSONDecodeError):
        await call.get("/os/mxapiwo")
    assert call.headers["Retry-After"] == "7"
    desk.faults.add(FaultKind.RESET, method="POST", after_commit=True)
    with pytest.raises(aiohttp.ClientError):
        await call.post(place, {"description": "committed"}, **PATCH)
    assert rows[0].values["description"] == "committed"
    desk.faults.add(FaultKind.IGNORED, method="POST")
    assert await call.post(place, {"description": "lost"}, **PATCH) == (204, None)
    assert rows[0].values["description"] == "committed"
    desk.faults.add(FaultKind.SERVER_ERROR, record=rows[1].uid)
    assert (await call.get(place))[0] == 200
    assert (await call.get("/os/mxapiwo"))[0] == 500
    desk.faults.hidden.add(rows[1].uid)
    desk.faults.foreign = "https://inner.example/maximo/api"
    told = await call.find("", oslc__pageSize="2")
    assert len(told["member"]) == 1, "left out after the page was cut"
    assert told["responseInfo"]["nextPage"]["href"].startswith("https://inner.example/")


def test_every_message_of_the_catalogue_has_a_status_and_words() -> None:
    assert all(400 <= one.status < 600 and one.text for one in CATALOGUE.values())


async def test_it_speaks_tls(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path, datetime.now(UTC))
    desk = EmulatedMaximo()
    await desk.start(authority.issue().context())
    try:
        trust = ssl.create_default_context(cafile=str(authority.bundle))
        connector = aiohttp.TCPConnector(ssl=trust)
        async with aiohttp.ClientSession(connector=connector) as session:
            assert desk.url.startswith("https://")
            assert (await Caller(desk, session).get("/os/mxapiwo"))[0] == 200
    finally:
        await desk.stop()
