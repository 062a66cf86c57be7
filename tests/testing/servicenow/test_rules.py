"""The desk's state model, data policies and stamps, as a client meets them over HTTP."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from dragoman.testing.servicenow import ServiceNowDesk
from tests.testing.servicenow.conftest import Http

CASE = "sn_customerservice_case"
CLOSE = {"close_code": "Solution provided", "close_notes": "done by R1"}


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"), [("1", "1", "1"), ("1", "3", "3"), ("3", "3", "5")]
)
async def test_priority_follows_impact_and_urgency(
    desk: ServiceNowDesk, http: Http, impact: str, urgency: str, priority: str
) -> None:
    body = {"impact": impact, "urgency": urgency, "priority": "4"}
    created = await http("POST", "table/incident", json=body)
    assert created.status == 201
    assert (await created.json())["result"]["priority"] == priority


@pytest.mark.parametrize(
    ("sent", "missing"),
    [
        ({"state": "6"}, "Resolution code, Resolution notes"),
        ({"state": "6", "close_code": "Solution provided"}, "Resolution notes"),
        # A value that is no choice reads as missing: the two can't be told apart.
        ({**CLOSE, "state": "6", "close_code": "Solved by a robot"}, "Resolution code"),
        ({"state": "7"}, "Resolution code, Resolution notes"),
    ],
)
async def test_resolving_without_a_mandatory_field_is_refused(
    desk: ServiceNowDesk, http: Http, sent: Mapping[str, str], missing: str
) -> None:
    case = desk.open_case(short_description="x")
    answer = await http("PATCH", f"table/incident/{case['sys_id']}", json=sent)
    assert answer.status == 403
    assert await answer.json() == {
        "error": {
            "message": "Operation Failed",
            "detail": f"Data Policy Exception: The following fields are mandatory: {missing}",
        },
        "status": "failure",
    }
    assert desk.record(case["number"]) == case


async def test_resolve_close_and_nothing_beyond(desk: ServiceNowDesk, http: Http) -> None:
    case = desk.open_case(short_description="x")
    path = f"table/incident/{case['sys_id']}"
    resolved = await http("PATCH", path, json={"state": "6", **CLOSE})
    assert resolved.status == 200
    record = desk.record(case["number"])
    assert record["incident_state"] == "6"
    assert record["active"] == "true"
    assert record["resolved_at"] == record["sys_updated_on"]
    assert (await http("PATCH", path, json={"state": "7"})).status == 200
    assert desk.record(case["number"])["active"] == "false"
    reopened = await http("PATCH", path, json={"state": "2"})
    assert reopened.status == 403
    assert "was aborted by Business Rule" in (await reopened.json())["error"]["detail"]
    edited = await http("PATCH", path, json={"short_description": "y"})
    assert edited.status == 403
    assert (await http("PATCH", path, json={"work_notes": "late word"})).status == 200


async def test_reopening_clears_the_resolution(desk: ServiceNowDesk, http: Http) -> None:
    case = desk.open_case(short_description="x")
    path = f"table/incident/{case['sys_id']}"
    await http("PATCH", path, json={"state": "6", **CLOSE})
    await http("PATCH", path, json={"state": "2"})
    record = desk.record(case["number"])
    assert (record["resolved_at"], record["reopen_count"]) == ("", "1")


async def test_customer_service_cases_have_their_own_states(
    desk: ServiceNowDesk, http: Http
) -> None:
    case = desk.open_case(CASE, short_description="x", account="Mercy Hospital")
    assert case["number"] == "CS0001001"
    path = f"table/{CASE}/{case['sys_id']}"
    assert (await http("PATCH", path, json={"state": "6"})).status == 403
    done = {
        "state": "6",
        "resolution_code": "Solved - Fixed by Support/Guidance provided",
        "close_notes": "done",
    }
    assert (await http("PATCH", path, json=done)).status == 200
    other = desk.open_case(CASE, short_description="y")
    assert desk.cancel(other["number"])["state"] == "7"


async def test_a_write_that_changes_nothing_leaves_the_version(
    desk: ServiceNowDesk, http: Http
) -> None:
    case = desk.open_case(short_description="x")
    path = f"table/incident/{case['sys_id']}"
    for _ in range(2):
        assert (await http("PATCH", path, json={"state": "2"})).status == 200
    assert desk.record(case["number"])["sys_mod_count"] == "1"
    writes = desk.ledger.of(case["sys_id"], user="dragoman")
    assert [dict(entry.changed) for entry in writes] == [
        {"state": "2", "incident_state": "2"},
        {},
    ]
    assert [entry.sent for entry in writes] == [{"state": "2"}] * 2


async def test_unknown_and_read_only_fields_are_ignored_with_200(
    desk: ServiceNowDesk, http: Http
) -> None:
    case = desk.open_case(short_description="x")
    desk.faults.read_only.add(("incident", "urgency"))
    sent = {"no_such_field": "1", "sys_created_by": "me", "urgency": "1", "state": 2}
    answer = await http("PUT", f"table/incident/{case['sys_id']}", json=sent)
    assert answer.status == 200
    record = desk.record(case["number"])
    assert "no_such_field" not in record
    assert record["sys_created_by"] == "robin.requester"
    assert (record["urgency"], record["state"]) == ("3", "2")


async def test_long_texts_are_cut_and_references_resolved_by_name(
    desk: ServiceNowDesk, http: Http
) -> None:
    body = {
        "short_description": "x" * 200,
        "assignment_group": "robot fleet",
        "caller_id": "nobody",
    }
    created = (await (await http("POST", "table/incident", json=body)).json())["result"]
    assert len(created["short_description"]) == 160
    groups = desk.instance.table("sys_user_group")
    group = groups.get(created["assignment_group"]["value"])
    assert group is not None
    assert group["name"] == "Robot Fleet"
    assert created["caller_id"] == ""


async def test_stamps_have_one_second_and_follow_the_desks_own_clock() -> None:
    now = datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC)
    desk = ServiceNowDesk(clock=lambda: now)
    desk.faults.clock_offset = timedelta(minutes=-7)
    case = desk.open_case(short_description="x")
    assert case["sys_created_on"] == "2026-03-01 11:53:00"
    assert desk.ledger.of(case["sys_id"])[0].time == now


async def test_edits_by_people_stand_in_the_ledger_under_their_name(desk: ServiceNowDesk) -> None:
    case = desk.open_case(short_description="x")
    desk.edit(case["number"], urgency="1", comments="please hurry")
    desk.cancel(case["number"])
    assert [(entry.operation, entry.user) for entry in desk.ledger.of(case["sys_id"])] == [
        ("insert", "robin.requester"),
        ("update", "alex.agent"),
        ("update", "alex.agent"),
    ]
    assert [entry["value"] for entry in desk.journal(case["number"], "comments")] == [
        "please hurry"
    ]
    assert [entry.seq for entry in desk.ledger.entries()] == [1, 2, 3]
