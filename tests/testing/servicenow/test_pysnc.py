"""The official client PySNC, unchanged, as the witness that the emulated desk speaks ServiceNow.

PySNC is synchronous, so each scenario runs in a thread while the desk serves on the loop. It
insists on https; the desk's certificate comes from a test authority that REQUESTS_CA_BUNDLE names.
"""

import asyncio
from collections.abc import Callable

import pytest
from pysnc import GlideRecord, ServiceNowClient
from pysnc.auth import ServiceNowClientCredentialsFlow
from pysnc.exceptions import (
    AuthenticationException,
    NotFoundException,
    RequestException,
    RoleException,
)

from dragoman.testing.servicenow import FaultKind, ServiceNowDesk

Client = Callable[[], ServiceNowClient]


async def test_insert_get_update_and_delete(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    def scenario() -> tuple[str, str]:
        record = pysnc().GlideRecord("incident")
        record.initialize()
        record.short_description = "Deliver to ward 3"
        record.impact = "1"
        record.urgency = "2"
        sys_id = str(record.insert())
        assert record.get_value("number") == "INC0010001"
        assert record.get_display_value("priority") == "2 - High"
        assert record.get_display_value("state") == "New"

        again = pysnc().GlideRecord("incident")
        assert again.get(sys_id)
        again.state = "2"
        again.assignment_group = "Robot Fleet"
        assert str(again.update()) == sys_id
        assert again.get_display_value("state") == "In Progress"
        assert again.get_display_value("assignment_group") == "Robot Fleet"
        assert again.get_value("sys_mod_count") == "1"
        assert again.sys_created_on.date_value().tzinfo is not None

        other = pysnc().GlideRecord("incident")
        other.initialize()
        other.short_description = "to be deleted"
        gone = str(other.insert())
        assert other.delete()
        assert not pysnc().GlideRecord("incident").get(gone)
        return sys_id, gone

    sys_id, gone = await asyncio.to_thread(scenario)
    assert [row["sys_id"] for row in tls_desk.records()] == [sys_id]
    operations = [entry.operation for entry in tls_desk.ledger.of(gone, user="dragoman")]
    assert operations == ["insert", "delete"]


async def test_query_operators(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    for index in range(6):
        tls_desk.open_case(
            short_description=f"Task {index}",
            impact="1" if index < 2 else "3",
            location="Dock 1" if index % 2 else "",
        )

    def numbers(build: Callable[[GlideRecord], object]) -> list[str]:
        record = pysnc().GlideRecord("incident")
        build(record)
        record.order_by("number")
        record.query()
        return [str(row.short_description)[-1] for row in record]

    def scenario() -> None:
        assert numbers(lambda r: r.add_query("impact", "1")) == ["0", "1"]
        assert numbers(lambda r: r.add_query("priority", ">=", "5")) == ["2", "3", "4", "5"]
        assert numbers(lambda r: r.add_query("short_description", "ENDSWITH", "k 4")) == ["4"]
        assert numbers(lambda r: r.add_query("impact", "IN", "2,3")) == ["2", "3", "4", "5"]
        assert numbers(lambda r: r.add_null_query("location")) == ["0", "2", "4"]
        assert numbers(lambda r: r.add_not_null_query("location")) == ["1", "3", "5"]
        assert numbers(lambda r: r.add_query("location.name", "Dock 1")) == ["1", "3", "5"]

        def either(record: GlideRecord) -> None:
            condition = record.add_query("short_description", "Task 0")
            condition.add_or_condition("short_description", "Task 5")
            record.add_active_query()

        assert numbers(either) == ["0", "5"]
        # An unknown field is no error: the condition is left out.
        assert len(numbers(lambda r: r.add_query("no_such_field", "1"))) == 6

    await asyncio.to_thread(scenario)


async def test_paging_reads_every_record_once(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    opened = {tls_desk.open_case(short_description=f"case {n}")["sys_id"] for n in range(57)}

    def scenario() -> list[str]:
        record = pysnc().GlideRecord("incident", batch_size=10)
        record.fields = ["sys_id", "number"]
        record.query()
        assert len(record) == 57
        return [str(row.sys_id) for row in record]

    read = await asyncio.to_thread(scenario)
    assert len(read) == 57
    assert set(read) == opened


async def test_limit_and_descending_order(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    for index in range(5):
        tls_desk.open_case(short_description=f"case {index}")

    def scenario() -> list[str]:
        record = pysnc().GlideRecord("incident")
        record.limit = 2
        record.order_by_desc("number")
        record.query()
        return [str(row.number) for row in record]

    assert await asyncio.to_thread(scenario) == ["INC0010005", "INC0010004"]


async def test_display_values_and_reference_links(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    case = tls_desk.open_case(short_description="x", assigned_to="alex.agent")

    def scenario() -> None:
        record = pysnc().GlideRecord("incident")
        record.exclude_reference_link = False
        record.fields = ["assigned_to", "assigned_to.email", "state"]
        assert record.get(case["sys_id"])
        assert record.get_display_value("assigned_to") == "Alex Agent"
        assert record.assigned_to.get_link().endswith(f"/sys_user/{case['assigned_to']}")
        assert record.get_value("assigned_to.email") == "alex.agent@example.com"
        raw = pysnc().GlideRecord("incident")
        raw.display_value = False
        assert raw.get(case["sys_id"])
        assert raw.get_value("state") == "1"
        assert raw.get_display_value("state") == "1"

    await asyncio.to_thread(scenario)


async def test_comments_append_to_the_journal(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    case = tls_desk.open_case(short_description="x")

    def scenario() -> str:
        for text in ("accepted by R1", "done by R1"):
            record = pysnc().GlideRecord("incident")
            record.get(case["sys_id"])
            record.comments = text
            record.update()
        record = pysnc().GlideRecord("incident")
        record.get(case["sys_id"])
        entries = pysnc().GlideRecord("sys_journal_field")
        entries.add_query("element_id", case["sys_id"])
        entries.query()
        assert {str(entry.value) for entry in entries} == {"accepted by R1", "done by R1"}
        return str(record.get_display_value("comments"))

    shown = await asyncio.to_thread(scenario)
    assert shown.index("done by R1") < shown.index("accepted by R1")
    assert "Dragoman Gateway (Additional comments)" in shown


async def test_batch_updates_and_deletes(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    for index in range(7):
        tls_desk.open_case(short_description=f"case {index}", category="old")

    def scenario() -> None:
        record = pysnc().GlideRecord("incident")
        record.add_query("category", "old")
        record.query()
        for row in record:
            row.category = "new"
        assert record.update_multiple()
        first = pysnc().GlideRecord("incident")
        first.add_query("number", "IN", "INC0010001,INC0010002")
        assert first.delete_multiple()

    await asyncio.to_thread(scenario)
    assert [row["category"] for row in tls_desk.records()] == ["new"] * 5


async def test_batch_carries_a_query_too_long_for_an_address(
    tls_desk: ServiceNowDesk, pysnc: Client
) -> None:
    wanted = tls_desk.open_case(short_description="x")["sys_id"]

    def scenario() -> list[str]:
        record = pysnc().GlideRecord("incident")
        record.add_query("sys_id", "IN", ",".join([*(f"{n:032x}" for n in range(400)), wanted]))
        record.query()
        return [str(row.sys_id) for row in record]

    assert await asyncio.to_thread(scenario) == [wanted]


async def test_attachments(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    case = tls_desk.open_case(short_description="x")

    def scenario() -> None:
        record = pysnc().GlideRecord("incident")
        record.get(case["sys_id"])
        record.add_attachment("photo.txt", b"what the robot saw", "text/plain")
        attachments = record.get_attachments()
        assert len(attachments) == 1
        assert attachments.next()
        assert attachments.file_name == "photo.txt"
        assert attachments.read() == b"what the robot saw"
        attachments.delete()
        assert len(record.get_attachments()) == 0

    await asyncio.to_thread(scenario)


async def test_oauth_client_credentials(tls_desk: ServiceNowDesk) -> None:
    tls_desk.open_case(short_description="x")
    credentials = tls_desk.credentials

    def scenario() -> int:
        flow = ServiceNowClientCredentialsFlow(credentials.client_id, credentials.client_secret)
        client = ServiceNowClient(tls_desk.url, flow, auto_retry=False)
        record = client.GlideRecord("incident")
        record.query()
        found = len(record)
        tls_desk.accounts.expire_tokens()
        with pytest.raises(AuthenticationException, match="Required to provide Auth information"):
            client.GlideRecord("incident").query()
        client.session.close()
        wrong = ServiceNowClientCredentialsFlow(credentials.client_id, "wrong")
        with pytest.raises(AuthenticationException, match="access_denied"):
            ServiceNowClient(tls_desk.url, wrong)
        return found

    assert await asyncio.to_thread(scenario) == 1


async def test_error_classes(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    case = tls_desk.open_case(short_description="x")

    def scenario() -> None:
        stranger = ServiceNowClient(tls_desk.url, ("dragoman", "wrong"), auto_retry=False)
        with pytest.raises(AuthenticationException, match="User Not Authenticated"):
            stranger.GlideRecord("incident").query()
        stranger.session.close()
        with pytest.raises(RequestException, match="Invalid table no_such_table"):
            pysnc().GlideRecord("no_such_table").query()
        record = pysnc().GlideRecord("incident")
        record.get(case["sys_id"])
        record.state = "6"
        with pytest.raises(RoleException, match="mandatory: Resolution code, Resolution notes"):
            record.update()
        with pytest.raises(NotFoundException, match="ACL restricts"):
            pysnc().table_api.get(pysnc().GlideRecord("incident"), "0" * 32)

    await asyncio.to_thread(scenario)


async def test_a_cancelled_transaction(tls_desk: ServiceNowDesk, pysnc: Client) -> None:
    """The quota's answer is 200 without a count: PySNC reads the text of the body."""
    tls_desk.faults.add(FaultKind.QUOTA)

    def scenario() -> None:
        with pytest.raises(RequestException, match="Maximum execution time exceeded"):
            pysnc().GlideRecord("incident").query()

    await asyncio.to_thread(scenario)


async def test_rate_limit_is_waited_out(tls_desk: ServiceNowDesk) -> None:
    """PySNC's own retries honour Retry-After, so a short storm of 429 goes unseen."""
    tls_desk.open_case(short_description="x")
    storm = tls_desk.faults.add(FaultKind.RATE_LIMIT, calls=1, seconds=1)
    credentials = tls_desk.credentials

    def scenario() -> int:
        client = ServiceNowClient(tls_desk.url, (credentials.user_name, credentials.password))
        record = client.GlideRecord("incident")
        record.query()
        client.session.close()
        return len(record)

    assert await asyncio.to_thread(scenario) == 1
    assert storm.struck == 1
