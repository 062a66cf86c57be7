"""What is Jira's own: a search that lags, transitions, writes in parts, documents, odd answers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.domain.errors import Conflict, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader, until_through
from dragoman.testing.jira import WRITE, EmulatedJira, Fault
from tests.adapters.desks.jira_witness import JiraWitness
from tests.adapters.desks.witnesses import ShiftingClock

LAG_S = 45.0


@pytest.fixture
async def witness() -> AsyncIterator[JiraWitness]:
    clock = ShiftingClock()
    async with EmulatedJira(now=clock.now) as emulated:
        yield JiraWitness(emulated, clock)


@pytest.fixture
async def reader(witness: JiraWitness) -> AsyncIterator[Reader]:
    await witness.open("from before")
    await witness.later(3)
    reader = Reader(witness.connect())
    await reader.poll()
    await witness.later(3)
    yield reader
    await reader.desk.close()


async def test_fields_that_are_not_read_are_still_checked(witness: JiraWitness) -> None:
    witness.options = {"fields": ["summary"]}
    desk = witness.connect()
    number = await witness.open("few fields")
    assert "priority" not in (await desk.read(number)).raw["fields"]  # type: ignore[operator] # raw JSON
    fields = {"customfield_10050": "agv/1", "status": "In Progress"}
    after = await desk.write(
        number, DeskWrite(key="k", fields=fields, expect={"priority": ("Medium",)})
    )
    assert after.raw["fields"]["customfield_10050"] == "agv/1"  # type: ignore[index] # raw JSON
    with pytest.raises(Conflict, match="priority is 'Medium'"):
        await desk.write(number, DeskWrite(key="k2", note="n", expect={"priority": ("High",)}))
    made = await desk.create(DeskWrite(key="f", fields={"summary": "s", "priority": "High"}))
    assert (await desk.create(DeskWrite(key="f"))).external_id == made.external_id
    await desk.close()


# --- the search lags


async def test_what_the_search_learns_late_is_still_reported_once(
    reader: Reader, witness: JiraWitness
) -> None:
    site = witness.emulated
    site.store.lag_s = LAG_S
    late = site.open("not in the index yet")
    await witness.later(LAG_S / 2)
    quick = await witness.open("in the index at once")
    await reader.poll()
    assert reader.reported == [quick]
    await witness.later(LAG_S / 2 + 1)
    for _ in range(2):
        await reader.poll()
    assert reader.reported == [quick, str(late.id)]


async def test_a_late_row_about_an_old_version_tells_nothing_new(
    reader: Reader, witness: JiraWitness
) -> None:
    number = await witness.open("first")
    witness.emulated.store.lag_s = LAG_S
    witness.emulated.edit(witness.issue(number), summary="second")
    for _ in range(2):  # the index has the first version still
        await reader.poll()
    assert reader.reported == [number]
    assert reader.records[number].raw["fields"]["summary"] == "second"  # type: ignore[index] # raw JSON
    await witness.later(LAG_S + 1)
    assert await reader.poll() == 0


async def test_our_own_writes_come_late_and_once(reader: Reader, witness: JiraWitness) -> None:
    number = await witness.open("ours")
    await reader.poll()
    witness.emulated.store.lag_s = LAG_S
    await reader.desk.write(number, DeskWrite(key="k", fields={"summary": "by us"}, note="said"))
    assert await reader.poll() == 0
    await witness.later(LAG_S + 1)
    assert await reader.poll() == 1
    assert reader.records[number].updated_by == witness.words.own
    assert await reader.poll() == 0


@pytest.mark.parametrize("lost", [False, True])
async def test_a_creation_is_found_before_the_search_knows_it(
    reader: Reader, witness: JiraWitness, lost: bool
) -> None:
    site = witness.emulated
    site.store.lag_s = LAG_S
    write = DeskWrite(key="fault/1 a", fields={"summary": "robot down", "labels": "robots"})
    if lost:
        site.faults.plan(Fault(applied=True, drops_connection=True), method=WRITE)
        with pytest.raises(RetryLater):
            await reader.desk.create(write)
    else:
        await reader.desk.create(write)
    # others come after it, and the search knows of the last of them
    others = [site.open(f"from others {index}") for index in range(30)]
    site.store.settle(others[-1])
    found = await reader.desk.create(DeskWrite(key=write.key, fields=write.fields, retried=True))
    assert await witness.titled("robot down") == 1
    assert "robots" in witness.issue(found.external_id).values["labels"]  # type: ignore[operator] # a list


async def test_two_issues_with_one_key_need_a_human(reader: Reader, witness: JiraWitness) -> None:
    for _ in range(2):
        witness.emulated.open("double", labels=["dragoman-fault-1"])
    with pytest.raises(NeedsHuman, match="same key"):
        await reader.desk.create(DeskWrite(key="fault-1", fields={"summary": "third"}))
    assert await witness.titled("third") == 0


async def test_a_walk_goes_on_after_its_page_token_has_expired(
    reader: Reader, witness: JiraWitness
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(35)]
    page = await reader.desk.changes(reader.cursor, 50)
    told = [record.external_id for record in page.records]
    assert page.more
    expired = '{"errorMessages":["The provided next page token is invalid or expired."]}'
    witness.emulated.faults.plan(Fault(status=400, body=expired), path="/search/jql")
    reader.cursor = page.cursor
    await reader.poll()
    assert told + reader.reported == numbers


async def test_a_restart_in_the_middle_of_a_walk_misses_nothing(
    reader: Reader, witness: JiraWitness
) -> None:
    numbers = [await witness.open(f"case {index}") for index in range(35)]
    page = await reader.desk.changes(reader.cursor, 7)
    page = await reader.desk.changes(page.cursor, 7)
    assert page.more
    for number in numbers[:3]:
        await witness.edit(number, "changed while it was down")
    restarted = Reader(witness.connect(), cursor=page.cursor)
    await restarted.poll()
    await restarted.desk.close()
    assert sorted(restarted.reported) == numbers


async def test_a_moved_or_deleted_issue_is_not_reported(
    reader: Reader, witness: JiraWitness
) -> None:
    moved, gone, kept = [await witness.open(title) for title in ("moved", "gone", "kept")]
    witness.issue(moved).values["project"] = "OTHER"  # the index still has it in FAC
    del witness.emulated.store.issues[int(gone)]
    for _ in range(2):
        await reader.poll()
    assert reader.reported == [kept]


# --- transitions


@pytest.mark.parametrize("status", ["in progress", "Start work", "3"])
async def test_a_transition_is_found_by_target_and_by_name(
    reader: Reader, witness: JiraWitness, status: str
) -> None:
    number = await witness.open("to be started")
    after = await reader.desk.write(number, DeskWrite(key="k", fields={"status": status}))
    assert witness.issue(number).status == "In Progress"
    assert after.raw["fields"]["status"]["statusCategory"]["key"] == "indeterminate"  # type: ignore[index] # raw JSON


async def test_a_status_that_the_workflow_does_not_lead_to_is_refused_with_the_ways_there_are(
    reader: Reader, witness: JiraWitness
) -> None:
    number = await witness.open("still open")
    write = DeskWrite(key="k", fields={"status": "Closed", "summary": "x"}, comment="closed")
    with pytest.raises(Permanent) as told:
        await reader.desk.write(number, write)
    assert (told.value.field, told.value.value) == ("status", "Closed")
    for way in ("In Progress (by 'Start work')", "Resolved (by 'Mark as done')", "Canceled"):
        assert way in told.value.mend
    assert await witness.title(number) == "still open", "nothing was written by halves"
    assert not await witness.said(number)


@pytest.mark.parametrize(("given", "kept"), [({}, "Done"), ({"resolution": "Duplicate"},) * 2])
async def test_a_resolution_goes_with_the_transition_that_asks_for_it(
    reader: Reader, witness: JiraWitness, given: dict[str, str], kept: Any
) -> None:
    number = await witness.open("to be resolved")
    await reader.desk.write(number, DeskWrite(key="k", fields={"status": "Resolved", **given}))
    issue = witness.issue(number)
    expected = kept if isinstance(kept, str) else kept["resolution"]
    assert (issue.status, issue.values["resolution"]) == ("Resolved", expected)


async def test_a_status_that_is_reached_already_needs_no_transition(
    reader: Reader, witness: JiraWitness
) -> None:
    number = await witness.open("started by a person")
    witness.emulated.move(witness.issue(number), "In Progress")
    write = DeskWrite(
        key="k", fields={"status": "In Progress"}, expect={"statusCategory": ("indeterminate",)}
    )
    await reader.desk.write(number, write)
    await reader.desk.write(number, DeskWrite(key="k2", expect={"status": ("In Progress", "Open")}))
    with pytest.raises(Conflict, match="statusCategory is 'In Progress'"):
        await reader.desk.write(
            number, DeskWrite(key="k3", note="n", expect={"statusCategory": ("new",)})
        )
    assert len(witness.issue(number).histories) == 1


# --- writes in parts


@pytest.mark.parametrize("lost", range(4))
@pytest.mark.parametrize("applied", [False, True])
async def test_each_part_of_a_write_may_lose_its_answer(
    reader: Reader, witness: JiraWitness, lost: int, applied: bool
) -> None:
    number = await witness.open("in several requests")
    write = DeskWrite(
        key="k",
        fields={"status": "In Progress", "customfield_10050": "agv/1"},
        comment="On its way.",
        note="leg 1",
        expect={"status": ("Open",)},
    )
    faults = witness.emulated.faults
    faults.plan(Fault(), times=lost, method=WRITE)  # those before it go well
    faults.plan(Fault(applied=applied, drops_connection=True), method=WRITE)
    await until_through(reader.desk, number, write)
    assert faults.left == 0
    issue = witness.issue(number)
    assert (issue.status, issue.values["customfield_10050"]) == ("In Progress", "agv/1")
    assert [(text.partition("\n")[0], public) for text, public in witness.emulated.said(issue)] == [
        ("leg 1", False),
        ("On its way.", True),
    ]
    assert len(issue.histories) == 2


async def test_comments_may_stay_among_the_staff(witness: JiraWitness) -> None:
    witness.options = {"answer_comments": False}
    desk = witness.connect()
    number = await witness.open("nothing for the customer")
    await desk.write(number, DeskWrite(key="k", comment="a", note="b"))
    said = witness.emulated.said(witness.issue(number))
    assert [public for _, public in said] == [False, False]
    await desk.close()


async def test_every_kind_of_field_is_written_and_read_back(
    reader: Reader, witness: JiraWitness
) -> None:
    number = await witness.open("all kinds")
    fields = {
        "description": "two\nlines\n\nand a block; ☃ <b>",
        "customfield_10051": "executing",
        "customfield_10052": "rich",
        "customfield_10053": "81.5",
        "customfield_10055": "2026-03-01T12:00:00Z",
        "labels": "robots, night",
        "priority": "High",
        "assignee": witness.emulated.gateway.account_id,
        "duedate": "2026-03-02",
    }
    after = await reader.desk.write(number, DeskWrite(key="k", fields=fields))
    assert after.raw["text"]["description"] == fields["description"]  # type: ignore[index] # raw JSON
    assert witness.issue(number).values["labels"] == ["robots", "night"]
    before = len(witness.emulated.requests)
    await reader.desk.write(number, DeskWrite(key="k", fields=fields, retried=True))
    assert not [one for one in witness.emulated.requests[before:] if one[0] == "PUT"]
    empty = dict.fromkeys(fields, "") | {"priority": "Low"}
    await reader.desk.write(number, DeskWrite(key="k2", fields=empty))
    assert witness.issue(number).values["description"] is None
    assert witness.issue(number).values["labels"] == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"customfield_10059": "x"}, r"customfield_10050 \(Robot ID\)"),
        ({"Robot ID": "x"}, r"there are customfield_10050 \(Robot ID\)"),
        ({"creator": "712020:x"}, r"no field creator .* summary \(Summary\)"),
        ({"customfield_10051": "flying"}, "allowed are queued, assigned, executing, done"),
        ({"priority": "Urgent"}, "allowed are Highest, High, Medium, Low, Lowest"),
        ({"customfield_10053": "many"}, "no number"),
        ({"customfield_10055": "tomorrow"}, "no time"),
        ({"duedate": "2026-02-30"}, "no date"),
        ({"summary": "a\nb"}, "newline"),
        ({"status": "Resolved", "resolution": "Magic"}, "allowed are|resolution selected"),
    ],
)
async def test_a_refused_field_is_named_with_what_is_allowed(
    reader: Reader, witness: JiraWitness, fields: dict[str, str], words: str
) -> None:
    number = await witness.open("refused")
    with pytest.raises(Permanent, match=words) as told:
        await reader.desk.write(number, DeskWrite(key="k", fields=fields))
    assert told.value.field == list(fields)[-1]
    assert not isinstance(told.value, Conflict)
    assert not witness.issue(number).histories


async def test_a_value_that_a_rule_of_the_project_alters_is_told(
    reader: Reader, witness: JiraWitness
) -> None:
    number = await witness.open("guarded")
    issue = witness.issue(number)

    def rule(event: str, *_: object) -> None:
        if issue.values["priority"] == "Highest":
            issue.values["priority"] = "Low"

    witness.emulated.store.listeners.append(rule)
    with pytest.raises(Permanent, match="priority is 'Low' now"):
        await reader.desk.write(number, DeskWrite(key="k", fields={"priority": "Highest"}))


async def test_the_last_author_is_told_by_changelog_and_comments(
    reader: Reader, witness: JiraWitness
) -> None:
    number = await witness.open("whose?")
    issue, people = witness.issue(number), witness.emulated.store.people
    assert (await reader.desk.read(number)).updated_by == people["robin"].account_id
    witness.emulated.move(issue, "In Progress", user="alex")
    assert (await reader.desk.read(number)).updated_by == people["alex"].account_id
    await reader.desk.write(number, DeskWrite(key="k", note="ours"))
    assert (await reader.desk.read(number)).updated_by == witness.words.own
    witness.emulated.say(issue, "hello?", user="robin")
    assert (await reader.desk.read(number)).updated_by == people["robin"].account_id
    await witness.later(60)
    issue.updated = witness.emulated.store.moment()  # by something that neither of them tells
    assert (await reader.desk.read(number)).updated_by == ""
