"""The built-in mapping of Salesforce reads and writes the cases of an org as it comes."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from dragoman import plugins
from dragoman.config.mapping import UpdateCompiler, incoming
from dragoman.config.model import ReadTable, WriteTable
from dragoman.domain.case import DeskPhase
from dragoman.domain.errors import Conflict
from dragoman.domain.mapping import CASE_VALUES, FAULT, FAULT_CLEARED, FAULT_VALUES
from dragoman.domain.status import Told
from dragoman.ports.desk import Desk, DeskWrite
from dragoman.testing.salesforce import EmulatedSalesforce
from tests.adapters.desks.salesforce_witness import SalesforceWitness
from tests.adapters.desks.witnesses import ShiftingClock

MAPPING: Mapping[str, Any] = plugins.default_mappings("salesforce")["default"]


@pytest.fixture
async def witness() -> AsyncIterator[SalesforceWitness]:
    clock = ShiftingClock()
    async with EmulatedSalesforce(now=clock.now) as emulated:
        yield SalesforceWitness(emulated, clock)


@pytest.fixture
async def desk(witness: SalesforceWitness) -> AsyncIterator[Desk]:
    own = witness.connect()
    yield own
    await own.close()


def written(told: str) -> DeskWrite:
    """What the mapping writes at a status, every placeholder filled with its own name."""
    compiler = UpdateCompiler(("desks", "crm", "write", told), ())
    update = compiler.update(WriteTable.model_validate(MAPPING["write"][told]))
    assert not compiler.problems
    payload: Any = update.fill({name: name for name in (*CASE_VALUES, *FAULT_VALUES)})
    return DeskWrite(key=f"k-{told}", **payload)


async def test_the_built_in_mapping_reads_a_case(desk: Desk, witness: SalesforceWitness) -> None:
    mapping = incoming(ReadTable.model_validate(MAPPING["read"]))

    cursor = (await desk.changes("", 7)).cursor

    async def phase(case: str) -> DeskPhase:
        nonlocal cursor
        await witness.later(1)
        page = await desk.changes(cursor, 7)
        cursor, (one,) = page.cursor, page.records
        draft = mapping.draft(one.external_id, one.version, one.updated_at, one.raw)
        assert (draft.number, draft.kind, draft.priority) == ("00001001", "Delivery", 2)
        assert draft.fields["owner"] == "Ann Agent"
        assert draft.opened_at == witness.emulated.case(case)["CreatedDate"]
        return draft.phase

    case = witness.emulated.open_case(Subject="Fetch", Type="Delivery", Priority="High")
    assert await phase(case) is DeskPhase.OPEN
    witness.emulated.edit(case, Status="Closed")
    assert await phase(case) is DeskPhase.CLOSED
    witness.emulated.delete(case)
    assert await phase(case) is DeskPhase.CANCELLED


def test_every_status_that_matters_to_people_is_told() -> None:
    silent = {Told.QUEUED, Told.ACCEPTED, Told.STOPPING}
    assert {*MAPPING["write"]} == {*Told, FAULT, FAULT_CLEARED} - silent


@pytest.mark.parametrize("told", sorted({*MAPPING["write"]} - {FAULT}))
async def test_every_status_can_be_written_to_an_open_case(
    desk: Desk, witness: SalesforceWitness, told: str
) -> None:
    case = await witness.open("in progress")
    write = written(told)
    await desk.write(case, write)
    assert len(await witness.said(case)) == bool(write.comment) + bool(write.note)
    witness.emulated.edit(case, Status="Closed")
    if write.expect:
        with pytest.raises(Conflict):
            await desk.write(case, write)


async def test_a_fault_opens_a_case(desk: Desk, witness: SalesforceWitness) -> None:
    made = await desk.create(written(FAULT))
    case = witness.emulated.case(made.external_id)
    assert (case["Subject"], case["Priority"]) == ("Robot robot: key", "High")
    await desk.write(made.external_id, written(FAULT_CLEARED))
    assert witness.emulated.case(made.external_id)["IsClosed"] is True
