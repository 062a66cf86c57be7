"""What is Request Tracker's own: replies that reopen, refusals with 200, writes in parts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from dragoman.config.secrets import Secret
from dragoman.desks.rt import PLUGIN
from dragoman.desks.rt.rest import Rest
from dragoman.domain.errors import BadInput, Conflict, NeedsHuman, Permanent
from dragoman.ports.desk import DeskWrite
from dragoman.testing.conformance.desk_witness import Reader, until_through
from dragoman.testing.rt import EmulatedRequestTracker, Fault
from tests.adapters.desks.witnesses import RtWitness, ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[RtWitness]:
    clock = ShiftingClock()
    async with EmulatedRequestTracker(now=clock.now) as emulated:
        yield RtWitness(emulated, clock)


@pytest.fixture
async def reader(witness: RtWitness) -> AsyncIterator[Reader]:
    reader = Reader(witness.connect())
    await reader.poll()
    yield reader
    await reader.desk.close()


async def test_a_reply_that_resolves_leaves_it_resolved(reader: Reader, witness: RtWitness) -> None:
    number = await witness.open("to be resolved with words")
    after = await reader.desk.write(
        number, DeskWrite(key="k", fields={"Status": "resolved"}, comment="Done.", note="leg 2")
    )
    assert after.raw["Status"] == "resolved"
    assert len(await witness.said(number)) == 2


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("lost", [1, 2])
async def test_each_part_of_a_write_may_lose_its_answer(
    reader: Reader, witness: RtWitness, method: str, lost: int
) -> None:
    number = await witness.open("in several requests")
    write = DeskWrite(
        key="k",
        fields={"Status": "open", "RobotID": "agv/1", "CF.{RobotState}": "EXECUTING"},
        comment="On its way.",
        note="leg 1",
        expect={"Status": ("new",)},
    )
    witness.emulated.faults.plan(
        Fault(applied=True, drops_connection=True), times=lost, method=method
    )
    await until_through(reader.desk, number, write)
    assert len(await witness.said(number)) == 2
    ticket = witness.emulated.store.tickets[int(number)]
    assert ticket.status == "open"
    assert witness.emulated.store.value(ticket, "RobotID") == "agv/1"
    assert witness.emulated.store.value(ticket, "RobotState") == "EXECUTING"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Status": "flying"}, "isn't a valid status"),
        ({"Owner": "nobody-known"}, "does not exist"),
        ({"NoSuchField": "x"}, "have no field NoSuchField"),
    ],
)
async def test_a_refusal_with_200_is_told_in_the_desk_s_words(
    reader: Reader, witness: RtWitness, fields: dict[str, str], words: str
) -> None:
    number = await witness.open("refused softly")
    with pytest.raises(Permanent, match=words) as told:
        await reader.desk.write(number, DeskWrite(key="k", fields=fields))
    assert told.value.field == next(iter(fields))
    if "Status" in fields:
        assert "open, resolved, rejected" in told.value.mend


async def test_a_custom_field_is_emptied(reader: Reader, witness: RtWitness) -> None:
    number = await witness.open("robot leaves")
    await reader.desk.write(number, DeskWrite(key="k1", fields={"RobotID": "agv/1"}))
    await reader.desk.write(number, DeskWrite(key="k2", fields={"RobotID": ""}))
    ticket = witness.emulated.store.tickets[int(number)]
    assert witness.emulated.store.value(ticket, "RobotID") == ""


async def test_somebody_faster_is_seen_by_if_match(reader: Reader, witness: RtWitness) -> None:
    number = await witness.open("race")
    witness.emulated.faults.plan(
        Fault(status=412, body='{"message":"Precondition Failed"}'), method="PUT"
    )
    write = DeskWrite(key="k", fields={"Status": "open"}, expect={"Status": ("new",)})
    assert (await reader.desk.write(number, write)).raw["Status"] == "open"


async def test_if_match_keeps_a_write_off_a_ticket_that_was_just_resolved(
    reader: Reader, witness: RtWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await witness.open("resolved between our look and our write")
    store = witness.emulated.store
    put = Rest.put

    async def too_late(*given: Any) -> Any:
        if store.tickets[int(number)].status == "new":
            store.set_status(store.tickets[int(number)], store.user("pat-requester"), "resolved")
        return await put(*given)

    monkeypatch.setattr(Rest, "put", too_late)
    write = DeskWrite(key="k", fields={"Status": "open"}, expect={"Status": ("new",)})
    with pytest.raises(Conflict):
        await reader.desk.write(number, write)
    assert store.tickets[int(number)].status == "resolved"


async def test_a_transaction_that_becomes_visible_late_is_seen(
    reader: Reader, witness: RtWitness
) -> None:
    slow = await witness.open("slow to commit")
    await reader.poll()
    await witness.edit(slow, "committed late")
    history = witness.emulated.store.tickets[int(slow)].history
    late = history.pop()
    quick = await witness.open("quick")
    await reader.poll()
    assert reader.reported == [slow, quick]
    history.append(late)  # its number is lower than those that were reported
    await reader.poll()
    assert reader.reported == [slow, quick, slow]
    assert reader.records[slow].raw["Subject"] == "committed late"


async def test_our_own_writes_cost_no_reading(reader: Reader, witness: RtWitness) -> None:
    number = await witness.open("echo")
    await reader.poll()
    await reader.desk.write(number, DeskWrite(key="k0", comment="the first tells our name"))
    await reader.poll()
    for index in range(3):
        await reader.desk.write(number, DeskWrite(key=f"k{index}", fields={"RobotID": str(index)}))
    before = len(witness.emulated.requests)
    assert await reader.poll() == 0
    asked = [path for _, path in witness.emulated.requests[before:]]
    assert not [path for path in asked if path.startswith("/ticket/")]


async def test_a_person_s_change_beside_ours_is_seen(reader: Reader, witness: RtWitness) -> None:
    number = await witness.open("two at work")
    await reader.desk.write(number, DeskWrite(key="k0", comment="the first tells our name"))
    await reader.poll()
    await witness.edit(number, "changed by a person")
    await reader.desk.write(number, DeskWrite(key="k1", fields={"RobotID": "agv/1"}))
    assert await reader.poll() == 1
    assert reader.records[number].raw["Subject"] == "changed by a person"


async def test_a_queue_without_the_key_field_creates_nothing() -> None:
    async with EmulatedRequestTracker(custom_fields=("RobotID",)) as emulated:
        desk = RtWitness(emulated, ShiftingClock()).connect()
        with pytest.raises(NeedsHuman, match="GatewayCorrelation"):
            await desk.create(DeskWrite(key="fault-1", fields={"Subject": "keyless"}))
        assert not any(path == "/ticket" for _, path in emulated.requests)
        await desk.close()


async def test_comments_may_stay_among_the_staff(witness: RtWitness) -> None:
    settings = PLUGIN.settings.model_validate(
        {
            "url": witness.emulated.url,
            "queue": "Robots",
            "auth": {"type": "token", "token": Secret.of(witness.emulated.gateway_token)},
            "answer_comments": False,
        }
    )
    desk = PLUGIN.connect("desk", settings, ShiftingClock())
    number = await witness.open("nothing for the requestor")
    await desk.write(number, DeskWrite(key="k", comment="a", note="b"))
    history = witness.emulated.store.tickets[int(number)].history
    assert [line.type for line in history if line.attachment] == ["Comment"]
    await desk.close()


# --- settings and webhooks

GOOD: dict[str, Any] = {
    "url": "https://rt.example.com/",
    "queue": "Robots",
    "auth": {"type": "token", "token": {"env": "RT_TOKEN"}},
}


def test_the_address_may_be_given_with_and_without_rest() -> None:
    for url in ("https://rt.example.com", "https://rt.example.com/REST/2.0/"):
        settings = PLUGIN.settings.model_validate({**GOOD, "url": url})
        assert settings.model_dump()["url"] == "https://rt.example.com/REST/2.0"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"queue": "Robots' OR id > 0"}, "queue"),
        ({"correlation_field": "a}b"}, "correlation_field"),
        ({"page_size": 101}, "page_size"),
        ({"ref": "[ref]"}, "hold the key once"),
        ({"quue": "x"}, "quue"),
        ({"auth": {"type": "oauth2"}}, "token"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PLUGIN.settings.model_validate({**GOOD, **change})


@pytest.mark.parametrize("ticket", [None, "", "x", 0, -1, True, 1.5, "1/2", "9" * 30, {"id": 1}])
def test_a_webhook_without_a_ticket_is_named_by_path(ticket: object) -> None:
    settings = PLUGIN.settings.model_validate(GOOD)
    for good in (17, "17"):
        body = {"ticket": good, "txn": 230, "type": "Status"}
        assert PLUGIN.notice(body, settings).external_id == "17"
    with pytest.raises(BadInput) as told:
        PLUGIN.notice({"ticket": ticket}, settings)
    assert told.value.field == "$.ticket"
