"""The built-in field mappings of Maximo, as a configuration loads them, through a case's life."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dragoman.domain.case import DeskPhase
from dragoman.domain.errors import Conflict
from dragoman.domain.status import Told
from dragoman.testing.maximo import EmulatedMaximo
from tests.adapters.test_builtin_mappings import (
    LIFE,
    configured,
    connected,
    drafted,
    faulted,
    table_has,
    tell,
)


def maximo(url: str, structure: str, mapping: str) -> str:
    return f"""[desks.desk]
type = "maximo"
url = "{url}"
auth = {{ type = "apikey", key = {{ env = "DESK_KEY" }} }}
object_structure = "{structure}"
mapping = "{mapping}"
siteid = "BEDFORD"
"""


WORK_ORDER = ("mxapiwo", "default", "APPR", "INPRG", "COMP")
REQUEST = ("mxapisr", "service_request", "QUEUED", "INPROG", "RESOLVED")


@pytest.mark.parametrize("one", [WORK_ORDER, REQUEST])
async def test_a_case_s_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: tuple[str, str, str, str, str]
) -> None:
    structure, mapping, first, working, final = one
    async with EmulatedMaximo() as emulated:
        monkeypatch.setenv("DESK_KEY", emulated.api_key)
        settings = configured(tmp_path, maximo(emulated.url, structure, mapping))
        desk = connected(settings)
        try:
            kind, due = (
                ("worktype", "targcompdate")
                if structure == "mxapiwo"
                else ("classstructureid", "targetfinish")
            )
            row = emulated.open(
                structure,
                description="Look at the gauge",
                location="BR300",
                assetnum="11430",
                **{kind: "INSP", due: "2026-03-02T10:00:00+00:00"},
            )
            emulated.set_status(row, first)
            record = await desk.read(str(row.uid))
            draft = drafted(settings, record)
            opened = row.values["reportdate"]
            assert isinstance(opened, datetime)
            assert draft == replace(
                draft,
                number=str(row.values[row.structure.number]),
                kind="INSP",
                title="Look at the gauge",
                priority=3,
                location="BR300",
                phase=DeskPhase.OPEN,
                opened_at=opened.astimezone(UTC).replace(microsecond=0),
                due_by=datetime(2026, 3, 2, 10, 0, tzinfo=UTC),
            )
            assert (draft.fields["asset"], draft.fields["site"]) == ("11430", "BEDFORD")
            await tell(settings, desk, draft, *LIFE)
            assert row.status == working
            done = await tell(settings, desk, draft, Told.DONE)
            assert done is not None
            assert drafted(settings, done).phase is DeskPhase.CLOSED
            assert row.status == final
            viewable = [one["description"] for one in row.log if one["clientviewable"]]
            assert viewable == ["Robot acme/r1 has done the work. gauge at 4 bar"]
            assert sum("acme/r1" in text and "01case-1" in text for text in row.texts) >= 4
            for told in Told:
                if told not in (Told.DONE, Told.CANCELLED) and table_has(settings, told):
                    with pytest.raises(Conflict):
                        await tell(settings, desk, draft, told)
            assert row.status == final
        finally:
            await desk.close()


@pytest.mark.parametrize(
    ("raw", "priority"), [(None, 3), (1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (6, 5), (9, 5)]
)
async def test_priorities_and_statuses_of_work_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: int | None, priority: int
) -> None:
    async with EmulatedMaximo(synonyms={"WOSTATUS": {"NEW": "WAPPR", "DONE": "COMP"}}) as emulated:
        monkeypatch.setenv("DESK_KEY", emulated.api_key)
        settings = configured(tmp_path, maximo(emulated.url, "mxapiwo", "default"))
        desk = connected(settings)
        try:
            row = emulated.open(wopriority=raw)
            wanted = []
            for status in ("", "NEW", "APPR", "DONE"):
                if status:
                    emulated.set_status(row, status)
                record = await desk.read(str(row.uid))
                wanted.append(settings.incoming.wanted(record.raw))
            assert wanted == [False, False, True, True], "by the internal value"
            draft = drafted(settings, await desk.read(str(row.uid)))
            assert (draft.priority, draft.kind, draft.phase) == (priority, "task", DeskPhase.CLOSED)
        finally:
            await desk.close()


@pytest.mark.parametrize(("structure", "mapping"), [WORK_ORDER[:2], REQUEST[:2]])
async def test_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, structure: str, mapping: str
) -> None:
    async with EmulatedMaximo() as emulated:
        monkeypatch.setenv("DESK_KEY", emulated.api_key)
        settings = configured(tmp_path, maximo(emulated.url, structure, mapping))
        desk = connected(settings)
        try:
            opened, closed = await faulted(settings, desk)
            assert opened.raw["description"] == "Robot acme/r1: motorTemperature"
            assert "Motor 2 is at 95 C" in str(opened.raw["description_longdescription"])
            assert drafted(settings, closed).phase is DeskPhase.CLOSED
            assert len(emulated.rows(structure)) == 1
        finally:
            await desk.close()
