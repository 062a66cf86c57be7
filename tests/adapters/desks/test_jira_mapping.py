"""The built-in mapping of Jira, as a configuration loads it, on the emulated site."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dragoman.config.model import DeskTable
from dragoman.domain.case import DeskPhase
from dragoman.domain.errors import Conflict
from dragoman.domain.status import Told
from dragoman.ports.desk import Desk
from dragoman.testing.jira import EmulatedJira
from tests.adapters.test_builtin_mappings import (
    LIFE,
    configured,
    connected,
    drafted,
    faulted,
    table_has,
    tell,
)


@pytest.fixture
async def site() -> AsyncIterator[EmulatedJira]:
    async with EmulatedJira() as own:
        yield own


@pytest.fixture
def settings(site: EmulatedJira, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeskTable:
    monkeypatch.setenv("DESK_TOKEN", site.tokens["gateway"])
    login = f'username = "{site.gateway.email}", password = {{ env = "DESK_TOKEN" }}'
    return configured(
        tmp_path,
        f"""[desks.desk]
type = "jira"
url = "{site.url}"
auth = {{ type = "basic", {login} }}
project = "FAC"
[desks.desk.write.assigned.fields]
customfield_10050 = "{{robot}}"
""",
    )


@pytest.fixture
async def desk(settings: DeskTable) -> AsyncIterator[Desk]:
    own = connected(settings)
    yield own
    await own.close()


async def test_the_life_of_a_case(site: EmulatedJira, settings: DeskTable, desk: Desk) -> None:
    issue = site.open(
        "Look at the gauge", issuetype="Incident", priority="High", duedate="2026-03-02"
    )
    site.edit(
        issue,
        description={
            "type": "doc",
            "version": 1,
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": "in hall 3"}]}],
        },
    )
    draft = drafted(settings, await desk.read(str(issue.id)))
    assert draft == replace(
        draft,
        number="FAC-1",
        kind="Incident",
        title="Look at the gauge",
        priority=2,
        phase=DeskPhase.OPEN,
        opened_at=issue.created,
        due_by=datetime(2026, 3, 2, tzinfo=UTC),
    )
    assert draft.fields["description"] == "in hall 3"
    assert draft.fields["reporter"] == "Robin Requester"
    await tell(settings, desk, draft, *LIFE)
    assert (issue.status, issue.values["customfield_10050"]) == ("In Progress", "acme/r1")
    done = await tell(settings, desk, draft, Told.DONE)
    assert done is not None
    assert drafted(settings, done).phase is DeskPhase.CLOSED
    assert (issue.status, issue.values["resolution"]) == ("Resolved", "Done")
    public = [text.partition("\n")[0] for text, seen in site.said(issue) if seen]
    assert public == ["Robot acme/r1 has done the work. gauge at 4 bar"]
    internal = [text for text, seen in site.said(issue) if not seen]
    assert sum("acme/r1" in text and "01case-1" in text for text in internal) >= 4


async def test_a_case_cancelled_at_the_desk_is_left_alone(
    site: EmulatedJira, settings: DeskTable, desk: Desk
) -> None:
    issue = site.open("x")
    draft = drafted(settings, await desk.read(str(issue.id)))
    await tell(settings, desk, draft, Told.CANCELLED)
    assert len(site.said(issue)) == 1
    site.move(issue, "Canceled")
    again = drafted(settings, await desk.read(str(issue.id)))
    assert again.phase is DeskPhase.CANCELLED
    for told in Told:
        if told is not Told.DONE and table_has(settings, told):
            with pytest.raises(Conflict):
                await tell(settings, desk, draft, told)
    assert issue.status == "Canceled"
    assert len(site.said(issue)) == 1


async def test_a_fault_of_a_robot(site: EmulatedJira, settings: DeskTable, desk: Desk) -> None:
    opened, closed = await faulted(settings, desk)
    draft = drafted(settings, opened)
    assert (draft.kind, draft.title) == ("Task", "Robot acme/r1: motorTemperature")
    assert draft.fields["description"].startswith("Robot acme/r1 reports FATAL")
    assert drafted(settings, closed).phase is DeskPhase.CLOSED
    assert len(site.store.issues) == 1
