"""The built-in field mappings, as a configuration loads them, on the emulated desks.

Each status is told in the order in which a case's life brings it, by the real adapter; the desk
refuses or ignores what it wouldn't take, and the adapter raises then.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from dragoman import plugins
from dragoman.config.load import load
from dragoman.config.model import DeskTable
from dragoman.domain.case import Case, CaseDraft, CaseState, DeskPhase
from dragoman.domain.errors import Conflict
from dragoman.domain.fault import Fault
from dragoman.domain.status import Status, Told
from dragoman.ports.desk import Desk, DeskRecord, DeskWrite
from dragoman.runtime.clock import SystemClock
from dragoman.testing.rt import EmulatedRequestTracker
from dragoman.testing.rt.store import NewTicket
from dragoman.testing.servicenow import ServiceNowDesk

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LIFE = (
    *(Told.QUEUED, Told.ASSIGNED, Told.ACCEPTED, Told.EXECUTING, Told.STOPPING, Told.UNCERTAIN),
    *(Told.REQUEUED, Told.HELD, Told.REMINDER, Told.REJECTED, Told.FAILED),
)


def configured(folder: Path, text: str) -> DeskTable:
    path = folder / "dragoman.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, plugins, secrets=True).desks["desk"]


def connected(table: DeskTable) -> Desk:
    plugin = cast("plugins.DeskPlugin", plugins.find("desks", table.type))
    return plugin.connect("desk", table.options, SystemClock())


def drafted(table: DeskTable, record: DeskRecord) -> CaseDraft:
    assert table.incoming.wanted(record.raw)
    return table.incoming.draft(record.external_id, record.version, record.updated_at, record.raw)


def status(draft: CaseDraft, told: Told) -> Status:
    case = Case(
        id="01case",
        desk="desk",
        external_id=draft.external_id,
        number=draft.number,
        kind=draft.kind,
        title=draft.title,
        priority=draft.priority,
        location=draft.location,
        opened_at=draft.opened_at,
        received_at=NOW,
        trace_id="0" * 32,
        state=CaseState.EXECUTING,
        since=NOW,
        due_at=None,
        attempts=1,
        fields=draft.fields,
    )
    return Status(
        told=told,
        at=NOW,
        case=case,
        robot_id="acme/r1",
        order_id="01case-1",
        reason="the arm is blocked",
        result="gauge at 4 bar",
    )


def write_of(payload: Mapping[str, Any] | None, key: str) -> DeskWrite:
    assert payload is not None
    return DeskWrite(key=key, **payload)


async def tell(
    table: DeskTable, desk: Desk, draft: CaseDraft, *all_told: Told
) -> DeskRecord | None:
    """Write each status that the mapping has something for; the record afterwards."""
    record = None
    for told in all_told:
        payload = table.outgoing.render(status(draft, told))
        if payload is not None:
            record = await desk.write(draft.external_id, write_of(payload, f"key-{told}"))
    return record


def servicenow(url: str, table: str, mapping: str) -> str:
    return f"""[desks.desk]
type = "servicenow"
url = "{url}"
auth = {{ type = "basic", username = "dragoman", password = {{ env = "DESK_PASSWORD" }} }}
table = "{table}"
mapping = "{mapping}"
"""


@pytest.mark.parametrize(
    ("table", "mapping", "final"),
    [
        ("incident", "default", {"state": "6", "close_code": "Solution provided"}),
        (
            "sn_customerservice_case",
            "customer_service",
            {"state": "6", "resolution_code": "Solved - Fixed by Support/Guidance provided"},
        ),
    ],
)
async def test_servicenow(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    mapping: str,
    final: dict[str, str],
) -> None:
    async with ServiceNowDesk() as emulated:
        monkeypatch.setenv("DESK_PASSWORD", emulated.credentials.password)
        settings = configured(tmp_path, servicenow(emulated.url, table, mapping))
        desk = connected(settings)
        try:
            row = emulated.open_case(
                table,
                short_description="Look at the gauge",
                category="inspect",
                location="Hall 3",
                cmdb_ci="Pump 7",
                impact="1",
                urgency="1",
                priority="1",
                due_date="2026-03-02 10:00:00",
            )
            draft = drafted(settings, await desk.read(row["sys_id"]))
            assert draft == replace(
                draft,
                number=row["number"],
                kind="inspect",
                title="Look at the gauge",
                priority=1,
                location="Hall 3",
                phase=DeskPhase.OPEN,
                due_by=datetime(2026, 3, 2, 10, 0, tzinfo=UTC),
            )
            assert draft.fields["asset"] == "Pump 7"
            assert f"{draft.opened_at:%Y-%m-%d %H:%M:%S}" == row["opened_at"]

            await tell(settings, desk, draft, *LIFE)
            working = emulated.record(row["number"])
            assert working["state"] == ("2" if table == "incident" else "10")
            done = await tell(settings, desk, draft, Told.DONE)
            assert done is not None
            assert drafted(settings, done).phase is DeskPhase.CLOSED
            record = emulated.record(row["number"])
            assert {name: record[name] for name in final} == final
            texts = [entry["value"] for entry in emulated.journal(row["number"], "work_notes")]
            assert sum("acme/r1" in text and "01case-1" in text for text in texts) >= 4
            comments = emulated.journal(row["number"], "comments")
            assert [one["value"].partition("\n")[0] for one in comments] == [
                "Robot acme/r1 has done the work. gauge at 4 bar"
            ]
        finally:
            await desk.close()


@pytest.mark.parametrize(
    ("table", "mapping", "cancelled"),
    [("incident", "default", "8"), ("sn_customerservice_case", "customer_service", "7")],
)
async def test_servicenow_a_case_cancelled_at_the_desk_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, mapping: str, cancelled: str
) -> None:
    async with ServiceNowDesk() as emulated:
        monkeypatch.setenv("DESK_PASSWORD", emulated.credentials.password)
        settings = configured(tmp_path, servicenow(emulated.url, table, mapping))
        desk = connected(settings)
        try:
            row = emulated.open_case(table, short_description="x", category="inspect")
            draft = drafted(settings, await desk.read(row["sys_id"]))
            await tell(settings, desk, draft, Told.CANCELLED)
            assert len(emulated.journal(row["number"], "work_notes")) == 1
            emulated.cancel(row["number"])
            again = drafted(settings, await desk.read(row["sys_id"]))
            assert again.phase is DeskPhase.CANCELLED
            for told in Told:
                if table_has(settings, told):
                    with pytest.raises(Conflict):
                        await tell(settings, desk, draft, told)
            assert emulated.record(row["number"])["state"] == cancelled
        finally:
            await desk.close()


def table_has(settings: DeskTable, told: Told) -> bool:
    return told in settings.outgoing.updates


FAULT = Fault(
    id="01fault",
    robot_id="acme/r1",
    key="motorTemperature",
    desk="desk",
    level="FATAL",
    description="Motor 2 is at 95 C",
    raised_at=NOW,
)


async def faulted(settings: DeskTable, desk: Desk) -> tuple[DeskRecord, DeskRecord]:
    """The record of a robot's fault, as it is opened and as it is closed."""
    opened = await desk.create(write_of(settings.outgoing.render_fault(FAULT), "key-1"))
    cleared = settings.outgoing.render_fault(replace(FAULT, cleared_at=NOW))
    closed = await desk.write(opened.external_id, write_of(cleared, "key-2"))
    return opened, closed


async def test_servicenow_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ServiceNowDesk() as emulated:
        monkeypatch.setenv("DESK_PASSWORD", emulated.credentials.password)
        settings = configured(tmp_path, servicenow(emulated.url, "incident", "default"))
        desk = connected(settings)
        try:
            opened, closed = await faulted(settings, desk)
            draft = drafted(settings, opened)
            assert (draft.title, draft.phase) == ("Robot acme/r1: motorTemperature", DeskPhase.OPEN)
            assert drafted(settings, closed).phase is DeskPhase.CLOSED
        finally:
            await desk.close()


def request_tracker(url: str) -> str:
    return f"""[desks.desk]
type = "rt"
url = "{url}"
auth = {{ type = "token", token = {{ env = "DESK_TOKEN" }} }}
queue = "Robots"
"""


@pytest.mark.parametrize(
    ("raw", "priority"), [(100, 1), (80, 1), (79, 2), (50, 3), (39, 4), (20, 4), (0, 5)]
)
async def test_request_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: int, priority: int
) -> None:
    async with EmulatedRequestTracker() as emulated:
        monkeypatch.setenv("DESK_TOKEN", emulated.gateway_token)
        settings = configured(tmp_path, request_tracker(emulated.url))
        desk = connected(settings)
        store = emulated.store
        try:
            ticket = store.create(
                store.user("pat-requester"),
                NewTicket(
                    queue="Robots",
                    subject="Look at the gauge",
                    text="",
                    priority=raw,
                    fields={"Task": "inspect", "Location": "Hall 3"},
                ),
            )
            draft = drafted(settings, await desk.read(str(ticket.id)))
            assert draft == replace(
                draft,
                number=str(ticket.id),
                kind="inspect",
                title="Look at the gauge",
                priority=priority,
                location="Hall 3",
                phase=DeskPhase.OPEN,
                due_by=None,
                opened_at=ticket.created,
            )
            await tell(settings, desk, draft, *LIFE)
            assert ticket.status == "open"
            done = await tell(settings, desk, draft, Told.DONE)
            assert done is not None
            assert drafted(settings, done).phase is DeskPhase.CLOSED
            assert ticket.status == "resolved"
            assert store.value(ticket, "RobotID") == "acme/r1"
            assert store.value(ticket, "RobotState") == "done"
            kinds = [line.type for line in ticket.history]
            assert kinds.count("Comment") >= 5
            assert kinds.count("Correspond") == 1
            for told in Told:
                if told is not Told.DONE and table_has(settings, told):
                    with pytest.raises(Conflict):
                        await tell(settings, desk, draft, told)
            assert ticket.status == "resolved"
            ticket.status = "rejected"
            with pytest.raises(Conflict):
                await desk.write(
                    draft.external_id,
                    write_of(settings.outgoing.render(status(draft, Told.DONE)), "key-late"),
                )
            assert ticket.status == "rejected"
        finally:
            await desk.close()


async def test_request_tracker_without_the_fields_and_with_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with EmulatedRequestTracker() as emulated:
        monkeypatch.setenv("DESK_TOKEN", emulated.gateway_token)
        settings = configured(tmp_path, request_tracker(emulated.url))
        desk = connected(settings)
        try:
            opened, closed = await faulted(settings, desk)
            draft = drafted(settings, opened)
            assert (draft.kind, draft.location) == ("task", "")
            assert draft.title == "Robot acme/r1: motorTemperature"
            assert drafted(settings, closed).phase is DeskPhase.CLOSED
        finally:
            await desk.close()
