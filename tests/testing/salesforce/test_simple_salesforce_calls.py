"""simple-salesforce, unchanged, at the emulated org's log-ins, limits and calls of many parts."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceRefusedRequest,
)

from dragoman.testing.salesforce import EmulatedSalesforce, Field
from dragoman.testing.salesforce.schema import CUSTOM
from tests.testing.salesforce.conftest import Client, code


async def test_composite_is_all_or_nothing(org: EmulatedSalesforce, client: Client) -> None:
    base = "/services/data/v59.0"

    def composite(parts: list[dict[str, Any]]) -> list[tuple[int, Any]]:
        told = client().restful(
            "composite",
            method="POST",
            json={"allOrNone": True, "compositeRequest": parts},
        )
        return [(one["httpStatusCode"], one["body"]) for one in told["compositeResponse"]]

    def scenario() -> None:
        create = {
            "method": "PATCH",
            "url": f"{base}/sobjects/Case/Dragoman_Key__c/k1",
            "referenceId": "made",
            "body": {"Subject": "with a comment"},
        }
        comment = {
            "method": "POST",
            "url": f"{base}/sobjects/CaseComment",
            "referenceId": "said",
            "body": {"ParentId": "@{made.id}", "CommentBody": "hello"},
        }
        done = composite([create, comment])
        assert [status for status, _ in done] == [201, 201]
        bad = {**comment, "body": {"ParentId": "@{made.id}", "Nope": "x"}}
        undone = composite([{**create, "body": {"Subject": "changed"}}, bad])
        assert [status for status, _ in undone] == [400, 400]
        assert undone[0][1][0]["errorCode"] == "PROCESSING_HALTED"
        assert undone[1][1][0]["errorCode"] == "INVALID_FIELD"
        late = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
        patch = {
            "method": "PATCH",
            "url": f"{base}/sobjects/Case/{done[0][1]['id']}",
            "referenceId": "made",
            "httpHeaders": {"If-Unmodified-Since": late},
            "body": {"Subject": "too late"},
        }
        assert composite([patch])[0][0] == 412

    await asyncio.to_thread(scenario)
    (case,) = org.cases()
    assert case["Subject"] == "with a comment"
    assert [row["CommentBody"] for row in org.comments(str(case["Id"]))] == ["hello"]


async def test_collections(org: EmulatedSalesforce, client: Client) -> None:
    def collection(method: str, path: str, body: dict[str, Any]) -> Any:
        return client().restful(f"composite/sobjects{path}", method=method, json=body)

    def scenario() -> None:
        kind = {"attributes": {"type": "Case"}}
        records = [{**kind, "Subject": "a"}, {**kind, "Nope": "b"}]
        half = collection("POST", "", {"allOrNone": False, "records": records})
        assert [one["success"] for one in half] == [True, False]
        assert half[1]["errors"][0]["statusCode"] == "INVALID_FIELD"
        none = collection("POST", "", {"allOrNone": True, "records": records})
        assert none[0]["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
        change = [{**kind, "id": half[0]["id"], "Subject": "c"}]
        assert collection("PATCH", "", {"records": change})[0]["success"] is True
        keyed = [{**kind, "Dragoman_Key__c": f"k{n}", "Subject": "d"} for n in range(2)]
        made = collection("PATCH", "/Case/Dragoman_Key__c", {"records": keyed})
        assert [one["created"] for one in made] == [True, True]
        ids = ",".join(one["id"] for one in made)
        told = client().restful("composite/sobjects", {"ids": ids}, method="DELETE")
        assert [one["success"] for one in told] == [True, True]

    await asyncio.to_thread(scenario)
    assert [row["Subject"] for row in org.cases()] == ["c"]


async def test_changes_by_time(org: EmulatedSalesforce, client: Client) -> None:
    kept, gone = org.open_case(Subject="kept"), org.open_case(Subject="gone")
    org.delete(gone)

    def scenario() -> None:
        start, end = (datetime.now(UTC) + timedelta(minutes=n) for n in (-5, 5))
        assert client().Case.updated(start, end)["ids"] == [kept]
        told = client().Case.deleted(start, end)["deletedRecords"]
        assert [one["id"] for one in told] == [gone]

    await asyncio.to_thread(scenario)


async def test_the_limit_of_calls(org: EmulatedSalesforce, client: Client) -> None:
    org.front.api_limit = 2

    def scenario() -> None:
        sf = client()
        for used in (1, 2):
            sf.limits()
            assert (sf.api_usage["api-usage"].used, sf.api_usage["api-usage"].total) == (used, 2)
        with pytest.raises(SalesforceRefusedRequest) as refused:
            sf.limits()
        assert code(refused.value) == "REQUEST_LIMIT_EXCEEDED"

    await asyncio.to_thread(scenario)


async def test_logging_in_by_client_credentials_and_again_when_the_session_ends(
    org: EmulatedSalesforce, session: requests.Session
) -> None:
    case = org.open_case(Subject="behind a log-in")
    told = org.credentials

    def login(secret: str) -> Any:
        return Salesforce(
            consumer_key=told.client_id,
            consumer_secret=secret,
            domain="example.my",
            session=session,
        )

    def scenario() -> None:
        sf = login(told.client_secret)
        assert sf.Case.get(case)["Subject"] == "behind a log-in"
        org.front.sessions.expire()
        assert sf.query("SELECT Id FROM Case")["totalSize"] == 1
        with pytest.raises(SalesforceAuthenticationFailed, match="invalid_client"):
            login("wrong")

    await asyncio.to_thread(scenario)
    assert org.front.sessions.opened == 2


async def test_logging_in_over_soap(org: EmulatedSalesforce, session: requests.Session) -> None:
    told = org.credentials

    def login(password: str) -> Any:
        return Salesforce(
            username=told.username,
            password=password,
            security_token=told.security_token,
            session=session,
        )

    def scenario() -> None:
        assert login(told.password).query("SELECT Id FROM Case")["totalSize"] == 0
        with pytest.raises(SalesforceAuthenticationFailed, match="INVALID_LOGIN"):
            login("wrong & bad")

    await asyncio.to_thread(scenario)


async def test_a_session_id_that_never_was(
    org: EmulatedSalesforce, session: requests.Session
) -> None:
    def scenario() -> None:
        sf: Any = Salesforce(instance_url=org.url, session_id="00D!wrong", session=session)
        with pytest.raises(SalesforceExpiredSession) as refused:
            sf.limits()
        assert code(refused.value) == "INVALID_SESSION_ID"

    await asyncio.to_thread(scenario)


async def test_an_org_has_the_custom_fields_that_it_is_told() -> None:
    own = EmulatedSalesforce(custom_fields=[*CUSTOM, Field(name="Bay__c", length=4)])
    case = own.open_case(Bay__c="A-17")
    assert own.case(case)["Bay__c"] == "A-17"
