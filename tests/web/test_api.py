"""The REST API: who may, what is found, paging, actions, problem details, OpenAPI."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import APIRouter
from jsonschema import Draft202012Validator

from dragoman import plugins
from dragoman.config.load import load
from dragoman.domain.change import Change
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.domain.errors import Permanent
from dragoman.flow import operate
from dragoman.ports.feed import FeedCommand
from dragoman.web import app as web_app
from dragoman.web.app import create_app, routes
from dragoman.web.auth import local_token
from tests.web.conftest import TOKENS, Served, notice, robot

READS = (
    "/cases",
    "/assignments",
    "/robots",
    "/deliveries",
    "/outbox",
    "/entries",
    "/status",
)


@pytest.mark.parametrize("path", READS)
async def test_nothing_is_read_without_a_token(served: Served, path: str) -> None:
    for token in ("", "guessed", TOKENS["reader"] + "x"):
        answer = await served.get(path, token=token)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert (await served.get(path, token="reader")).status == 200


async def test_a_reader_can_not_act(served: Served) -> None:
    await served.hook(notice())
    body = {"action": "hold", "reason": "x"}
    answer = await served.post("/cases/INC0000001/actions", body, token="reader")
    assert answer.status == 403
    assert (await served.get("/cases/INC0000001")).body["state"] == "queued"


async def test_every_route_declares_one_scope(served: Served) -> None:
    found = {(method, r.path): scope for r, (scope,) in routes() for method in r.methods or ()}
    described = (await served.call("GET", "/openapi.json", token="")).body["paths"]
    assert {path for _, path in found} == {
        path.replace("{robot}", "{robot:path}") for path in (*described, "/openapi.json")
    }
    assert len(found) > 20
    public = {path for (_, path), scope in found.items() if scope == "public"}
    assert public == {"/hooks/{desk}", "/healthz", "/readyz", "/openapi.json"}
    for (method, path), scope in found.items():
        if scope != "public":
            assert scope == ("read" if method == "GET" else "act"), path


async def test_a_route_without_a_scope_keeps_it_from_starting(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = APIRouter()
    bare.add_api_route("/bare", local_token)
    monkeypatch.setattr(web_app, "ROUTERS", (*web_app.ROUTERS, bare))
    with pytest.raises(RuntimeError, match="/bare"):
        create_app(served.gateway, load(served.config_file, plugins))


async def test_paging_sees_each_case_once(served: Served) -> None:
    for number in range(1, 8):
        assert (await served.hook(notice(number))).status == 202
    seen: list[str] = []
    after = ""
    while True:
        page = (await served.get(f"/cases?limit=3&after={after}")).body
        seen += [case["number"] for case in page["items"]]
        if not (after := page["next"]):
            break
    assert seen == [f"INC{number:07}" for number in range(7, 0, -1)]
    held = await served.get("/cases?state=held&state=queued&limit=500")
    assert len(held.body["items"]) == 7
    assert (await served.get("/cases?state=held")).body["items"] == []
    oldest = await served.get("/cases?newest_first=false&limit=1")
    assert oldest.body["items"][0]["number"] == "INC0000001"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/cases?limit=0", "query.limit"),
        ("/cases?limit=9999", "query.limit"),
        ("/cases?after=x", "query.after"),
        ("/cases?state=nonsense", "query.state.0"),
        ("/cases?sate=held", "query.sate"),
        ("/entries?since=yesterday", "query.since"),
    ],
)
async def test_wrong_queries_name_the_field(served: Served, path: str, field: str) -> None:
    answer = await served.get(path)
    assert (answer.status, answer.body["field"]) == (422, field)
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_case_is_found_by_each_of_its_names(served: Served) -> None:
    await served.hook(notice())
    case = (await served.get("/cases/INC0000001")).body
    assert case["waiting"]
    for name in (case["id"], case["external_id"]):
        assert (await served.get(f"/cases/{name}")).body["id"] == case["id"]
    timeline = (await served.get(f"/cases/{case['id']}/timeline")).body
    assert [entry["action"] for entry in timeline] == ["case.received", "case.queued"]
    assert (await served.get(f"/cases/{case['id']}/explain")).status == 404
    missing = await served.get("/cases/INC404")
    assert (missing.status, missing.body["value"]) == (404, "INC404")


async def test_actions_need_a_reason_and_are_journalled_with_the_name(served: Served) -> None:
    await served.hook(notice())
    path = "/cases/INC0000001/actions"
    for body in ({"action": "hold"}, {"action": "hold", "reason": "  "}, {"reason": "x"}):
        assert (await served.post(path, body)).status == 422
    assert (await served.post(path, {"action": "explode", "reason": "x"})).status == 422
    held = await served.post(path, {"action": "hold", "reason": "wet floor"})
    assert held.body["state"] == "held"
    assert held.body["reason"] == "operator wants it to wait: wet floor"
    timeline = (await served.get("/cases/INC0000001/timeline")).body
    assert timeline[-1]["actor"] == "operator:operator"
    again = await served.post(path, {"action": "confirm-stopped", "reason": "x"})
    assert again.status == 409
    assert "held" in again.body["detail"]
    released = await served.post(path, {"action": "release", "reason": "dry"})
    assert released.body["state"] == "held"  # nobody reads its record at this desk
    asked = (await served.get("/cases/INC0000001/timeline")).body[-1]
    assert (asked["action"], asked["actor"]) == ("case.release_asked", "operator:operator")
    twice = await served.post(path, {"action": "release", "reason": "dry"})
    assert "being released already" in twice.body["detail"]
    served.journal.fail_next()
    failed = await served.post(path, {"action": "cancel", "reason": "x"})
    assert failed.status == 503
    assert failed.headers["Retry-After"]


async def test_a_number_that_two_desks_have_is_refused_with_the_ids(served: Served) -> None:
    await served.hook(notice())
    (one,) = served.journal.site.cases.values()
    other = replace(one, id="other", desk="plain", external_id="17")
    await served.journal.commit(Change(cases=(other,)))
    body = {"action": "cancel", "reason": "x"}
    refused = await served.post("/cases/INC0000001/actions", body)
    assert refused.status == 409
    assert one.id in refused.body["mend"]
    assert "other (plain)" in refused.body["mend"]
    command = FeedCommand(verb="cancel", case=one.number, reason="x", actor="feed:f", raw="")
    with pytest.raises(Permanent, match=f"{one.id}, other"):
        operate.from_feed(served.gateway.kit, command)
    noted = operate.from_feed(served.gateway.kit, replace(command, verb="acknowledge"))
    assert noted.entries[0].case_id == ""
    assert (await served.post("/cases/other/actions", body)).body["desk"] == "plain"


async def test_what_no_journal_can_hold_is_refused_as_such(served: Served) -> None:
    """Half a surrogate pair: JSON can say it, UTF-8 can't."""
    await served.hook(notice())
    await served.hook(b'{"n": 1}')
    (letter,) = await served.dead()
    broken = b'{"action": "hold", "reason": "\\ud800"}'
    payload = b'{"reason": "x", "payload": {"raw": ["\\udfff"]}}'
    for path, sent in (
        ("cases/INC0000001/actions", broken),
        (f"deliveries/{letter.id}/replay", payload),
    ):
        headers = {"Content-Type": "application/json"}
        told = await served.call("POST", f"/api/v1/{path}", data=io.BytesIO(sent), headers=headers)
        assert told.status == 422
        assert "unicode" in told.body["detail"] or "surrogate" in told.body["detail"]


async def test_robots_are_banned_and_come_back(served: Served) -> None:
    await served.journal.commit(Change(robots=(robot(1), robot(2))))
    assert [r["id"] for r in (await served.get("/robots")).body] == ["acme/r1", "acme/r2"]
    body = {"action": "ban", "reason": "squeaks"}
    banned = await served.post("/robots/acme/r1/actions", body)
    assert banned.body["banned"] == "squeaks"
    history = (await served.get("/robots/acme/r1/history")).body["items"]
    assert [entry["action"] for entry in history] == ["robot.banned"]
    body = {"action": "unban", "reason": "oiled"}
    assert (await served.post("/robots/acme/r1/actions", body)).body["banned"] == ""
    assert (await served.get("/robots/acme/r2")).body["report"] is None
    assert (await served.get("/robots/acme/none")).status == 404


async def test_dead_letters_are_listed_replayed_and_dropped(served: Served) -> None:
    for number in range(3):
        await served.hook(b'{"n": %d}' % number)
    query = "/deliveries?state=dead&target=intake:snow"
    letters = (await served.get(query)).body["items"]
    assert len(letters) == 3
    path = f"/deliveries/{letters[0]['id']}"
    assert json.loads((await served.get(path)).body["payload"]["raw"]) == {"n": 2}
    body = {"reason": "mended", "payload": {"raw": "{}", "source": "webhook"}}
    again = await served.post(f"{path}/replay", body)
    assert (again.body["state"], again.body["payload"]["raw"]) == ("queued", "{}")
    assert (await served.post(f"{path}/replay", body)).status == 409
    dropped = await served.post(f"/deliveries/{letters[1]['id']}/drop", {"reason": "a test"})
    assert (dropped.body["state"], dropped.body["reason"]) == ("failed", "a test")
    assert (await served.post("/deliveries/replay", {"reason": "all"})).status == 422
    many = await served.post("/deliveries/replay", {"reason": "all", "target": "intake:snow"})
    assert many.body == {"ids": [letters[2]["id"]], "left": False}
    (tally,) = (await served.get("/outbox")).body
    assert (tally["matched"], tally["queued"], tally["failed"], tally["dead"]) == (3, 2, 1, 0)
    assert tally["adds_up"] is True
    assert (await served.get("/deliveries/none")).status == 404


async def test_a_case_shows_the_dead_letter_that_holds_it_up(served: Served) -> None:
    await served.hook(notice())
    (case,) = served.journal.site.cases.values()
    letter = Delivery(
        id="letter",
        target="desk:snow",
        lane=case.id,
        verb="write",
        payload={},
        created_at=case.received_at,
        case_id=case.id,
        state=DeliveryState.DEAD,
        reason="no such state",
    )
    await served.journal.commit(Change(deliveries=(letter,)))
    (shown,) = (await served.get(f"/cases/{case.number}")).body["dead"]
    assert (shown["id"], shown["reason"]) == ("letter", "no such state")
    listed = (await served.get("/deliveries")).body["items"]
    assert {one["id"]: one["case_number"] for one in listed}["letter"] == case.number


async def test_entries_are_followed_by_their_seq(served: Served) -> None:
    await served.hook(notice(1))
    first = (await served.get("/entries")).body["items"]
    await served.hook(notice(2))
    later = (await served.get(f"/entries?after={first[-1]['seq']}")).body["items"]
    assert [entry["seq"] for entry in later] == [first[-1]["seq"] + n for n in (1, 2)]
    only = (await served.get("/entries?action=case.queued")).body["items"]
    assert len(only) == 2


async def test_status_and_health(served: Served) -> None:
    await served.hook(notice())
    status = (await served.get("/status")).body
    assert status["cases"] == {"queued": 1}
    assert {target["target"] for target in status["targets"]} >= {"desk:snow", "fleet:hall"}
    assert [poller["desk"] for poller in status["pollers"]] == ["polled"]
    assert [(one["desk"], one["drift"]) for one in status["mappings"]] == [
        ("snow", None),
        ("plain", None),
        ("polled", None),
    ]
    assert (await served.call("GET", "/healthz", token="")).body == {"alive": True}
    ready = await served.call("GET", "/readyz", token="")
    assert ready.status == 503  # there is no broker
    assert ready.body["checks"] == {"journal": True, "fleets": False}


async def test_unknown_paths_and_methods_are_problems_too(served: Served) -> None:
    for method, path, status in (("GET", "/nope", 404), ("DELETE", "/healthz", 405)):
        answer = await served.call(method, path)
        assert answer.status == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.body["status"] == status


async def test_openapi_describes_every_route_and_every_reference_leads_somewhere(
    served: Served,
) -> None:
    described = (await served.call("GET", "/openapi.json", token="")).body
    text = json.dumps(described)
    schemas = described["components"]["schemas"]
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= schemas.keys()
    assert "HTTPValidationError" not in names
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation.get("summary"), path
            if path.startswith("/api/"):
                assert operation["security"], path
                assert {"401", "403"} <= operation["responses"].keys(), path
    problem = (await served.get("/cases/none")).body
    Draft202012Validator(schemas["Problem"]).validate(problem)
    await served.hook(notice())
    detail = schemas["CaseDetail"] | {"components": described["components"]}
    Draft202012Validator(detail).validate((await served.get("/cases/INC0000001")).body)


def test_the_generated_token_is_kept_and_private(tmp_path: Path) -> None:
    file = tmp_path / "api-token"
    token = local_token(file)
    assert len(token) > 40
    assert file.stat().st_mode & 0o777 == 0o600
    assert local_token(file) == token
