"""Desks that tell their fields, choices and what is mandatory, and what a write would change."""

from collections.abc import AsyncIterator

import pytest

from dragoman.config import mapping
from dragoman.config.drift import drifts
from dragoman.config.model import DeskTable, ReadTable, WriteTable
from dragoman.config.paths import chains
from dragoman.desks.rest import PLUGIN as REST
from dragoman.domain.errors import NeedsHuman
from dragoman.domain.mapping import Outgoing
from dragoman.plugins import default_mappings
from dragoman.ports.desk import Comparison, Desk, DeskWrite
from dragoman.ports.schema import DeskField, Schema
from dragoman.testing.conformance.desk_witness import DeskWitness
from dragoman.testing.rt import Fault
from tests.adapters.desks.anyone import TYPES, witness_at
from tests.adapters.desks.jira_witness import JiraWitness
from tests.adapters.desks.maximo_witness import MaximoWitness
from tests.adapters.desks.rest_witness import options
from tests.adapters.desks.witnesses import RtWitness, ServiceNowWitness, ShiftingClock

STATE = {
    "servicenow": ("state", "2", "In Progress"),
    "salesforce": ("Status", "Working", "Working"),
    "maximo": ("status", "INPRG", "In Progress"),
    "jira": ("status", "In Progress", "In Progress"),
}
"""Desk → its field of the state, one of its choices and the choice's label."""

UNWRITABLE = {
    "servicenow": "sys_created_on",
    "rt": "Created",
    "salesforce": "CaseNumber",
    "maximo": "status_maxvalue",
    "jira": "created",
}


@pytest.fixture(params=TYPES)
async def witness(request: pytest.FixtureRequest) -> AsyncIterator[DeskWitness]:
    async with witness_at(request.param) as found:
        yield found


@pytest.fixture
async def desk(witness: DeskWitness) -> AsyncIterator[Desk]:
    desk = witness.connect(30.0)
    yield desk
    await desk.close()


async def fields(desk: Desk) -> dict[str, DeskField]:
    assert isinstance(desk, Schema)
    found = await desk.fields()
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


async def test_every_field_of_the_record_is_there_with_its_type_and_path(
    request: pytest.FixtureRequest, witness: DeskWitness, desk: Desk
) -> None:
    told = await fields(desk)
    name = request.node.callspec.params["witness"]
    assert all(one.type and one.label for one in told.values() if one.writable)
    assert told[witness.words.title].writable
    assert not told[UNWRITABLE[name]].writable
    if name in STATE:
        field, value, label = STATE[name]
        assert told[field].choices[value] == label
    # the paths are where records show the fields
    record = await desk.read(await witness.open("noise"))
    for field in (witness.words.title, witness.words.state):
        (chain,) = chains(told[field].path)
        held: object = record.raw
        for key in chain:
            assert isinstance(held, dict)
            assert key in held
            held = held[key]
        assert held


async def test_what_a_write_would_change_is_told_as_the_write_sees_it(
    witness: DeskWitness, desk: Desk
) -> None:
    assert isinstance(desk, Comparison)
    words = witness.words
    number = await witness.open("as it is")
    before = await desk.read(number)
    assert desk.held(before, words.title) == "as it is"
    assert desk.has(before, words.title, "as it is")
    assert desk.has(before, words.state, words.new)
    assert not desk.has(before, words.state, words.working)
    after = await desk.write(number, DeskWrite(key="k", fields={words.state: words.working}))
    assert desk.has(after, words.state, words.working)
    assert words.working in (desk.held(after, words.state) or "")
    assert not desk.held(after, words.unknown)


@pytest.mark.parametrize("witness", ["servicenow"], indirect=True)
async def test_inherited_fields_count_and_hidden_dictionaries_ask_for_rights(
    witness: DeskWitness, desk: Desk
) -> None:
    assert isinstance(witness, ServiceNowWitness)
    told = await fields(desk)
    assert told["short_description"].path == "short_description.value"  # of task
    assert told["close_code"].choices["Solution provided"] == "Solution provided"  # of incident
    witness.emulated.faults.hidden.add("sys_dictionary")
    with pytest.raises(NeedsHuman, match="sys_dictionary shows nothing of incident"):
        await fields(desk)


@pytest.mark.parametrize("witness", ["rt"], indirect=True)
async def test_custom_fields_of_the_queue_are_read_one_by_one(
    witness: DeskWitness, desk: Desk
) -> None:
    assert isinstance(witness, RtWitness)
    store = witness.emulated.store
    store.choices["RobotState"] = ("assigned", "executing")
    store.mandatory |= {"Location", "GatewayCorrelation"}
    told = await fields(desk)
    assert (told["RobotState"].type, told["RobotState"].choices) == ("custom field", {})
    store.shown |= {"RobotState", "Location", "GatewayCorrelation"}
    told = await fields(desk)
    assert told["Task"].type == "custom field"  # its name is all that we may see
    assert told["RobotState"].type == "Select"
    assert list(told["RobotState"].choices) == ["assigned", "executing"]
    assert told["Location"].mandatory
    assert not told["GatewayCorrelation"].mandatory  # the adapter fills it in
    assert not told["Status"].choices  # REST 2.0 tells no lifecycles


@pytest.mark.parametrize("witness", ["jira"], indirect=True)
async def test_the_create_screen_and_the_project_add_to_jiras_list(
    witness: DeskWitness, desk: Desk
) -> None:
    told = await fields(desk)
    assert [one.name for one in told.values() if one.mandatory] == ["summary"]
    assert list(told["customfield_10051"].choices) == ["queued", "assigned", "executing", "done"]
    assert told["customfield_10051"].path == "fields.customfield_10051.value"
    assert told["customfield_10052"].path == "text.customfield_10052"
    assert set(told["statusCategory"].choices) == {"new", "indeterminate", "done"}
    assert told["status"].choices["Resolved"] == "Done"


@pytest.mark.parametrize("witness", ["jira"], indirect=True)
async def test_an_account_that_opens_no_issues_needs_no_create_screen(
    witness: DeskWitness, desk: Desk
) -> None:
    assert isinstance(witness, JiraWitness)
    refusal = Fault(status=403, body='{"errorMessages":["You may not create issues."]}')
    witness.emulated.faults.plan(refusal, path="/createmeta/")
    told = await fields(desk)
    assert witness.emulated.faults.left == 0
    assert not any(one.mandatory for one in told.values())
    assert told["status"].choices["Resolved"] == "Done"


@pytest.mark.parametrize("witness", ["maximo"], indirect=True)
async def test_maximos_statuses_are_those_of_its_domain_if_we_may_see_it(
    witness: DeskWitness, desk: Desk
) -> None:
    assert isinstance(witness, MaximoWitness)
    told = await fields(desk)
    assert {"WAPPR", "APPR", "INPRG", "COMP", "CLOSE", "CAN"} <= set(told["status"].choices)
    assert not told["siteid"].mandatory  # the settings name it
    witness.emulated.faults.denied.add("mxapisynonymdomain")
    assert not (await fields(desk))["status"].choices


def built_in(kind: str, name: str) -> DeskTable:
    held = default_mappings(kind)[name]
    read = ReadTable.model_validate(held["read"])
    write = {status: WriteTable.model_validate(one) for status, one in held["write"].items()}
    updates = {
        status: mapping.UpdateCompiler(("desks", kind, "write", status), read.fields).update(one)
        for status, one in write.items()
    }
    return DeskTable(type=kind, read=read, write=write, outgoing=Outgoing(updates=updates))


async def test_the_built_in_mapping_fits_the_desk(
    request: pytest.FixtureRequest, desk: Desk
) -> None:
    table = built_in(request.node.callspec.params["witness"], "default")
    assert isinstance(desk, Schema)
    assert [str(one) for one in drifts(table, await desk.fields(), creates=True)] == []


def test_a_desk_by_configuration_alone_has_none() -> None:
    settings = REST.settings.model_validate(options("redmine"))
    assert not isinstance(REST.connect("desk", settings, ShiftingClock()), Schema)
