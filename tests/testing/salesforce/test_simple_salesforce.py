"""simple-salesforce, unchanged, as the witness that the emulated org's records are Salesforce's."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from simple_salesforce.exceptions import (
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_soql

from dragoman.testing.salesforce import EmulatedSalesforce
from tests.testing.salesforce.conftest import Client, code


async def test_create_read_update_and_delete(org: EmulatedSalesforce, client: Client) -> None:
    def scenario() -> str:
        cases = client().Case
        told = cases.create({"Subject": "Fetch a pallet", "Priority": "High", "Weight__c": 12.5})
        assert told["success"] is True
        assert told["errors"] == []
        case = cases.get(told["id"])
        assert case["attributes"]["url"].endswith(f"/sobjects/Case/{told['id']}")
        assert (case["Status"], case["IsClosed"], case["Weight__c"]) == ("New", False, 12.5)
        assert case["SystemModstamp"].endswith(".000+0000")
        short = told["id"][:15]
        assert cases.get(short)["Id"] == told["id"], "15 characters do"
        assert cases.update(short, {"Status": "Closed", "Subject": None}) == 204
        after = cases.get(told["id"])
        assert (after["IsClosed"], after["Subject"]) == (True, None)
        assert after["ClosedDate"] is not None
        assert cases.delete(told["id"]) == 204
        with pytest.raises(SalesforceResourceNotFound) as refused:
            cases.update(told["id"], {"Subject": "too late"})
        assert code(refused.value) == "ENTITY_IS_DELETED"
        return str(told["id"])

    case_id = await asyncio.to_thread(scenario)
    assert org.case(case_id)["IsDeleted"] is True


async def test_queries(org: EmulatedSalesforce, client: Client) -> None:
    ids = [
        org.open_case(Subject=f"Task {n}", Priority="High" if n < 2 else "Low", Origin="Web")
        for n in range(5)
    ]
    org.edit(ids[4], Status="Closed", Location__c="it's 100% of dock_1")

    def scenario() -> None:
        sf = client()

        def found(where: str, /, **values: Any) -> list[str]:
            text = f"SELECT Subject FROM Case WHERE {where} ORDER BY Subject"  # noqa: S608 - to an emulated org
            text = format_soql(text, **values)
            return [row["Subject"][-1] for row in sf.query(text)["records"]]

        assert found("Priority = {p}", p="high") == ["0", "1"], "letter case doesn't count"
        assert found("Id IN {ids}", ids=[ids[3], ids[0][:15]]) == ["0", "3"]
        assert found("NOT (Priority = {p} OR IsClosed = {c})", p="High", c=True) == ["2", "3"]
        assert found("Subject LIKE {like}", like="task _") == list("01234")
        assert found("Location__c LIKE '%{end:like}'", end="100% of dock_1") == ["4"]
        assert found("Location__c LIKE '%{end:like}'", end="s 100_ of dock_1") == []
        assert found("Location__c = {where}", where="it's 100% of dock_1") == ["4"]
        assert found("Location__c != null AND Origin NOT IN ('Email','Phone')") == ["4"]
        stamp = org.case(ids[0])["SystemModstamp"]
        assert isinstance(stamp, datetime)
        assert found("SystemModstamp >= {at}", at=stamp) == list("01234")
        assert found("SystemModstamp > {at}", at=stamp + timedelta(hours=1)) == []
        assert found("Owner.Name = 'Ann Agent' AND Id > {last}", last=ids[2]) == ["3", "4"]
        row = sf.query(
            "SELECT Id, Owner.Name, LastModifiedBy.Username FROM Case ORDER BY Id DESC LIMIT 1"
        )["records"][0]
        assert (row["Id"], row["Owner"]["Name"]) == (ids[4], "Ann Agent")
        assert row["LastModifiedBy"]["Username"] == "ann@example.com"
        assert sf.query("SELECT COUNT() FROM Case WHERE IsClosed = true")["totalSize"] == 1

    await asyncio.to_thread(scenario)


async def test_deleted_records_are_seen_by_query_all_only(
    org: EmulatedSalesforce, client: Client
) -> None:
    kept, gone = org.open_case(Subject="kept"), org.open_case(Subject="gone")
    org.delete(gone)

    def scenario() -> None:
        text = "SELECT Id, IsDeleted FROM Case ORDER BY Id"
        assert [row["Id"] for row in client().query(text)["records"]] == [kept]
        rows = client().query(text, include_deleted=True)["records"]
        assert [(row["Id"], row["IsDeleted"]) for row in rows] == [(kept, False), (gone, True)]

    await asyncio.to_thread(scenario)


async def test_a_long_answer_comes_in_batches(org: EmulatedSalesforce, client: Client) -> None:
    org.router.select.batch_size = 10
    opened = {org.open_case(Subject=f"Task {n}") for n in range(35)}

    def scenario() -> list[str]:
        sf = client()
        first = sf.query("SELECT Id FROM Case")
        assert (first["totalSize"], first["done"], len(first["records"])) == (35, False, 10)
        for _ in range(10):  # ten cursors later the first is forgotten
            sf.query("SELECT Id FROM Case")
        with pytest.raises(SalesforceMalformedRequest) as refused:
            sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
        assert code(refused.value) == "INVALID_QUERY_LOCATOR"
        return [row["Id"] for row in sf.query_all_iter("SELECT Id FROM Case")]

    read = await asyncio.to_thread(scenario)
    assert len(read) == 35
    assert set(read) == opened


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT Nope FROM Case", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Nope = 'x'", "INVALID_FIELD"),
        ("SELECT Nobody.Name FROM Case", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Id FROM Case WHERE Id = 'abc'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Case WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Subject = 5", "INVALID_FIELD"),
        (
            "SELECT Id FROM Case WHERE Id != null AND Subject = 'a' OR Subject = 'b'",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Case WHERE Subject = 'it's'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Case LIMIT x", "MALFORMED_QUERY"),
        ("DELETE FROM Case", "MALFORMED_QUERY"),
    ],
)
async def test_a_query_that_does_not_fit_is_refused(
    client: Client, query: str, expected: str
) -> None:
    def scenario() -> None:
        with pytest.raises(SalesforceMalformedRequest) as refused:
            client().query(query)
        assert code(refused.value) == expected

    await asyncio.to_thread(scenario)


@pytest.mark.parametrize(
    ("change", "expected", "fields"),
    [
        ({"Nope": "x"}, "INVALID_FIELD", None),
        ({"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["IsClosed"]),
        ({"Status": "Nonsense"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Status"]),
        ({"Subject": "x" * 256}, "STRING_TOO_LONG", ["Subject"]),
        ({"Weight__c": "heavy"}, "JSON_PARSER_ERROR", ["Weight__c"]),
        ({"OwnerId": "nobody"}, "MALFORMED_ID", ["OwnerId"]),
        ({"Dragoman_Key__c": "taken"}, "DUPLICATE_VALUE", []),
        ({"Status": "Closed"}, "FIELD_CUSTOM_VALIDATION_EXCEPTION", []),
    ],
)
async def test_a_write_that_does_not_fit_is_refused_and_leaves_nothing(
    org: EmulatedSalesforce,
    client: Client,
    change: dict[str, Any],
    expected: str,
    fields: list[str] | None,
) -> None:
    org.open_case(Dragoman_Key__c="taken")
    case = org.open_case(Subject="as it was")
    org.rules.validations.append(
        lambda _, row: "" if row["Reason"] or row["Status"] != "Closed" else "Give a reason"
    )
    before = org.case(case)

    def scenario() -> None:
        with pytest.raises(SalesforceMalformedRequest) as refused:
            client().Case.update(case, change)
        assert code(refused.value) == expected
        told: Any = refused.value.content
        assert told[0].get("fields") == fields

    await asyncio.to_thread(scenario)
    assert org.case(case) == before


async def test_conditional_requests(org: EmulatedSalesforce, client: Client) -> None:
    case = org.open_case(Subject="conditional")
    at = org.case(case)["LastModifiedDate"]
    assert isinstance(at, datetime)

    def scenario() -> None:
        cases = client().Case
        earlier = {"If-Unmodified-Since": format_datetime(at - timedelta(seconds=1), usegmt=True)}
        with pytest.raises(SalesforceGeneralError) as refused:
            cases.update(case, {"Subject": "late"}, headers=earlier)
        assert refused.value.status == 412
        same = {"If-Unmodified-Since": format_datetime(at, usegmt=True)}
        assert cases.update(case, {"Subject": "in time"}, headers=same) == 204
        later = {
            "If-Modified-Since": format_datetime(datetime.now(UTC) + timedelta(1), usegmt=True)
        }
        with pytest.raises(SalesforceGeneralError) as refused:
            cases.get(case, headers=later)
        assert refused.value.status == 304
        with pytest.raises(SalesforceMalformedRequest):
            cases.update(case, {"Subject": "x"}, headers={"If-Unmodified-Since": "yesterday"})

    await asyncio.to_thread(scenario)
    assert org.case(case)["Subject"] == "in time"


async def test_upsert_by_external_id(org: EmulatedSalesforce, client: Client) -> None:
    def scenario() -> None:
        cases = client().Case
        path = "Dragoman_Key__c/key%2F1"
        made = cases.upsert(path, {"Subject": "one"}, raw_response=True)
        assert (made.status_code, made.json()["created"]) == (201, True)
        again = cases.upsert(path, {"Subject": "two"}, raw_response=True)
        assert (again.status_code, again.json()["created"]) == (200, False)
        assert again.json()["id"] == made.json()["id"]
        assert cases.get_by_custom_id("Dragoman_Key__c", "key/1")["Subject"] == "two"
        with pytest.raises(SalesforceResourceNotFound):
            cases.upsert("Subject/two", {"Priority": "Low"})
        with pytest.raises(SalesforceMalformedRequest):
            cases.upsert(path, {"Dragoman_Key__c": "key/1"})

    await asyncio.to_thread(scenario)
    assert [row["Subject"] for row in org.cases()] == ["two"]


async def test_an_external_id_that_several_have(client: Client, org: EmulatedSalesforce) -> None:
    twins = [org.open_case(Subject="twin") for _ in range(2)]
    for case in twins:
        org.tamper(case, Dragoman_Key__c="twins")

    def scenario() -> None:
        with pytest.raises(SalesforceMoreThanOneRecord) as refused:
            client().Case.upsert("Dragoman_Key__c/twins", {"Subject": "third"})
        told: Any = refused.value.content
        assert sorted(url[-18:] for url in told) == sorted(twins)

    await asyncio.to_thread(scenario)


async def test_describe_tells_fields_and_choices(org: EmulatedSalesforce, client: Client) -> None:
    org.rules.hidden.add(("Case", "Reason"))
    org.rules.read_only.add(("Case", "Priority"))

    def scenario() -> None:
        told = client().Case.describe()
        fields = {field["name"]: field for field in told["fields"]}
        values = [one["value"] for one in fields["Status"]["picklistValues"] if one["active"]]
        assert values == ["New", "Working", "Escalated", "Closed"]
        assert fields["Status"]["restrictedPicklist"] is True
        assert fields["Dragoman_Key__c"]["externalId"] is True
        assert "Reason" not in fields
        assert fields["Priority"]["updateable"] is False
        assert client().Case.metadata()["objectDescribe"]["keyPrefix"] == "500"
        assert "Case" in [one["name"] for one in client().describe()["sobjects"]]

    await asyncio.to_thread(scenario)


async def test_comments_belong_to_a_case(org: EmulatedSalesforce, client: Client) -> None:
    case = org.open_case(Subject="talked about")
    org.comment(case, "from a person")

    def scenario() -> None:
        sf = client()
        body = {"ParentId": case, "CommentBody": "on its way", "IsPublished": True}
        made = sf.CaseComment.create(body)
        rows = sf.query(
            format_soql(
                "SELECT CommentBody, IsPublished, Parent.Subject FROM CaseComment "
                "WHERE ParentId = {} ORDER BY Id",
                case,
            )
        )["records"]
        assert [row["CommentBody"] for row in rows] == ["from a person", "on its way"]
        assert rows[1]["IsPublished"] is True
        assert rows[1]["Parent"]["Subject"] == "talked about"
        with pytest.raises(SalesforceMalformedRequest) as refused:
            sf.CaseComment.update(made["id"], {"ParentId": case})
        assert code(refused.value) == "INVALID_FIELD_FOR_INSERT_UPDATE"
        with pytest.raises(SalesforceMalformedRequest) as refused:
            sf.CaseComment.create({**body, "ParentId": "500000000000001AAA"})
        assert code(refused.value) == "INVALID_CROSS_REFERENCE_KEY"
        with pytest.raises(SalesforceMalformedRequest) as refused:
            sf.CaseComment.create({"CommentBody": "of nothing"})
        assert code(refused.value) == "REQUIRED_FIELD_MISSING"

    await asyncio.to_thread(scenario)
