"""How the Jira adapter is set up: accounts and rights, conditions, settings, webhook bodies."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dragoman.config.secrets import Secret
from dragoman.desks.jira import PLUGIN
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader
from dragoman.testing.jira import EmulatedJira
from dragoman.testing.tls import TestAuthority
from tests.adapters.desks.jira_witness import JiraWitness
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[JiraWitness]:
    clock = ShiftingClock()
    async with EmulatedJira(now=clock.now) as emulated:
        yield JiraWitness(emulated, clock)


async def test_a_stranger_s_answers_count_for_nothing(witness: JiraWitness) -> None:
    number = await witness.open("seen by members only")
    desk = witness.connect()
    cursor = (await desk.changes("", 7)).cursor
    await witness.later(1)
    await witness.edit(number, "changed")
    witness.emulated.anonymous = True
    witness.emulated.tokens["gateway"] = "rotated"
    for call in (desk.changes(cursor, 7), desk.read(number)):
        with pytest.raises(NeedsHuman, match="stranger") as told:
            await call
        assert told.value.field == "auth"
    await desk.close()


async def test_a_site_behind_an_authority_of_one_s_own(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path, datetime.now(UTC))
    site = EmulatedJira()
    await site.start(tls=authority.issue().context())
    witness = JiraWitness(site, ShiftingClock())
    number = await witness.open("over TLS")
    for bundle, trusted in ((authority.bundle, True), (None, False)):
        witness.options = {"tls": {"ca_file": bundle}}
        desk = witness.connect()
        if trusted:
            assert (await desk.read(number)).external_id == number
        else:
            with pytest.raises(NeedsHuman, match="isn't trusted"):
                await desk.read(number)
        await desk.close()
    await site.stop()


async def test_oauth_client_credentials(witness: JiraWitness) -> None:
    site = witness.emulated
    witness.options = {
        "auth": {
            "type": "oauth2",
            "client_id": site.client_id,
            "client_secret": Secret.of(site.client_secret),
            "token_url": f"{site.url}/oauth/token",
        }
    }
    desk = witness.connect()
    number = await witness.open("by OAuth")
    assert (await desk.read(number)).external_id == number
    site.expire_tokens()
    assert (await desk.read(number)).external_id == number
    assert sum(path == "/oauth/token" for _, path in site.requests) == 2
    await desk.close()


@pytest.mark.parametrize(("right", "words"), [("edit", "edit issues"), ("comment", "comment on")])
async def test_a_missing_right_needs_a_human(witness: JiraWitness, right: str, words: str) -> None:
    number = await witness.open("not ours")
    people = witness.emulated.store.people
    without = people["gateway"].may - {right}
    object.__setattr__(people["gateway"], "may", without)
    desk = witness.connect()
    with pytest.raises(NeedsHuman, match=words):
        await desk.write(number, DeskWrite(key="k", fields={"summary": "x"}, note="n"))
    await desk.close()


async def test_a_misspelt_project_or_condition_needs_a_human(witness: JiraWitness) -> None:
    await witness.open("there is one")
    for options in ({"project": "NOPE"}, {"jql": "priorty = High"}):
        witness.options = options
        desk = witness.connect()
        with pytest.raises(NeedsHuman, match=r"NOPE|priorty") as told:
            await desk.changes("", 7)
        assert told.value.field == "jql"
        await desk.close()


async def test_a_condition_limits_what_is_reported(witness: JiraWitness) -> None:
    witness.options = {"jql": 'priority = High OR labels = "robots"'}
    reader = Reader(witness.connect())
    await reader.poll()
    wanted = []
    for values in ({"priority": "High"}, {"labels": ["robots"]}, {"priority": "Low"}):
        issue = witness.emulated.open("maybe", **values)
        wanted.append(str(issue.id))
    await reader.poll()
    assert reader.reported == wanted[:2]
    await reader.desk.close()


# --- settings and webhooks

GOOD: dict[str, Any] = {
    "url": "https://example.atlassian.net",
    "project": "FAC",
    "auth": {"type": "basic", "username": "gw@example.com", "password": {"env": "JIRA_TOKEN"}},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"project": "fac"}, "project"),
        ({"project": 'FAC" OR key > "A'}, "project"),
        ({"jql": "labels = robots ORDER BY created"}, "has an order"),
        ({"jql": "labels = robots) OR (project = X"}, "other half"),
        ({"jql": 'summary ~ "robot'}, "other half"),
        ({"ref": "ref"}, "hold the key once"),
        ({"correlation_label": "dragoman {key}"}, "spaces"),
        ({"correlation_label": "dragoman"}, "hold the key once"),
        ({"fields": ["cf[10050]"]}, "fields"),
        ({"page_size": 101}, "page_size"),
        ({"projct": "FAC"}, "projct"),
        ({"auth": {"type": "oauth", "token": {"env": "X"}}}, "oauth2"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], words: str) -> None:
    PLUGIN.settings.model_validate({**GOOD, "jql": 'summary ~ "order by (" AND (a = b OR c = d)'})
    with pytest.raises(ValidationError, match=words):
        PLUGIN.settings.model_validate({**GOOD, **change})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"issue": None}, "$.issue"),
        ({"issue": {"key": "FAC-1"}}, "$.issue.id"),
        ({"issue": {"id": "../1"}}, "$.issue.id"),
        ({"issue": {"id": True}}, "$.issue.id"),
        ({"issue": {"id": "9" * 30}}, "$.issue.id"),
        (
            {"issue": {"id": "1", "fields": {"project": {"key": "X"}}}},
            "$.issue.fields.project.key",
        ),
    ],
)
def test_a_webhook_that_does_not_fit_is_named_by_path(change: dict[str, Any], path: str) -> None:
    settings = PLUGIN.settings.model_validate(GOOD)
    good = {"webhookEvent": "jira:issue_updated", "issue": {"id": "10001", "key": "FAC-1"}}
    assert PLUGIN.notice(good, settings).external_id == "10001"
    with pytest.raises(BadInput) as told:
        PLUGIN.notice(good | change, settings)
    assert told.value.field == path
