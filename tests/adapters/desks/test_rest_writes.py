"""The ways in which REST desks are written to: conditions, transitions, types, forms."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.desks.rest import requests
from dragoman.desks.rest.client import RestDesk
from dragoman.domain.errors import BadInput, Conflict, Permanent, RetryLater
from dragoman.ports.desk import DeskWrite
from dragoman.testing.rt import Fault
from tests.adapters.desks.rest_styles import PASSWORD, StylesDesk, connected
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def emulated(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StylesDesk]:
    monkeypatch.setenv("STYLES_PASSWORD", PASSWORD)
    async with StylesDesk(ShiftingClock()) as desk:
        yield desk
        for adapter in desk.adapters:
            await adapter.close()


async def test_extra_headers_go_along_with_everything(emulated: StylesDesk) -> None:
    headers = {"Origin": "https://desk.example.com", "X-Requested-With": "dragoman"}
    desk = connected(emulated, headers=headers)
    number = emulated.open("strict about origins")
    await desk.write(number, DeskWrite(key="k", fields={"state": "working"}))
    assert len(emulated.seen_headers) == 3
    assert all(one.items() >= headers.items() for one in emulated.seen_headers)


CONDITIONAL: dict[str, dict[str, Any]] = {
    "etag": {
        "record": {"etag": True},
        "changes": {"whole": False},
        "requests": {"update": {"if_match": True}},
    },
    "version": {
        "record": {"version": "v"},
        "requests": {"update": {"body": {"v": "{version}"}}},
    },
}


@pytest.mark.parametrize("way", CONDITIONAL)
async def test_somebody_faster_is_seen(emulated: StylesDesk, way: str) -> None:
    emulated.needs_version = way == "version"
    desk = connected(emulated, **CONDITIONAL[way])
    number = emulated.open("contended")
    await desk.write(number, DeskWrite(key="k1", fields={"state": "working"}))
    status = 412 if way == "etag" else 409
    stale = Fault(status=status, body='{"message":"it changed"}')
    emulated.faults.plan(stale, times=2, method="PATCH")
    after = await desk.write(number, DeskWrite(key="k2", fields={"state": "done"}))
    assert after.raw["state"] == "done"
    emulated.faults.plan(stale, times=3, method="PATCH")
    with pytest.raises(Conflict):
        await desk.write(number, DeskWrite(key="k3", fields={"state": "new"}))


async def test_a_precondition_is_looked_at_again_after_somebody_faster(
    emulated: StylesDesk,
) -> None:
    desk = connected(emulated, **CONDITIONAL["etag"])
    number = emulated.open("closed in between")
    patch = emulated._patch

    async def faster(request: Any) -> Any:
        if emulated.records[number]["state"] == "new":
            emulated.edit(number, state="closed by Pat")
        return await patch(request)

    emulated._patch = faster  # type: ignore[method-assign] # a person between our look and our write
    await emulated.stop()
    await emulated.start()
    write = DeskWrite(key="k", fields={"state": "working"}, expect={"state": ("new",)})
    with pytest.raises(Conflict, match="closed by Pat"):
        await desk.write(number, write)


@pytest.fixture
def mover(emulated: StylesDesk) -> RestDesk:
    moves = {
        "path": "/items/{id}/close",
        "field": "state",
        "values": {"closed": "shut"},
        "body": {"how": "{value}", "n": 1},
    }
    return connected(emulated, requests={"transition": moves})


async def test_a_transition_is_a_request_of_its_own(emulated: StylesDesk, mover: RestDesk) -> None:
    number = emulated.open("to be closed")
    write = DeskWrite(key="k", fields={"state": "closed", "name": "renamed"})
    after = await mover.write(number, write)
    assert after.raw["state"] == "closed"
    assert emulated.sent_bodies == [{"name": "renamed"}, {"how": "shut", "n": 1}]
    again = DeskWrite(key="k", fields=write.fields, retried=True)
    await mover.write(number, again)
    assert len(emulated.sent_bodies) == 2, "it is done already"


async def test_a_transition_that_leads_elsewhere_is_named(
    emulated: StylesDesk, mover: RestDesk
) -> None:
    number = emulated.open("stubborn")
    with pytest.raises(Permanent) as told:
        await mover.write(number, DeskWrite(key="k", fields={"state": "reopened"}))
    assert told.value.field == "state"
    assert f"record {number}" in told.value.text


async def test_fields_have_their_types_and_places(emulated: StylesDesk) -> None:
    emulated.open("typed", floor=0, urgent=False, tags=[], deep=None)
    desk = connected(
        emulated,
        fields={
            "floor": {"type": "integer"},
            "urgent": {"type": "boolean"},
            "tags": {"type": "list"},
            "robot": {"path": "deep.robot.id", "put": "deep.robot.id"},
        },
    )
    fields = {"floor": "3", "urgent": "yes", "tags": "a, b", "robot": "agv-1"}
    await desk.write("1", DeskWrite(key="k", fields=fields))
    deep = {"robot": {"id": "agv-1"}}
    assert emulated.sent_bodies == [{"floor": 3, "urgent": True, "tags": ["a", "b"], "deep": deep}]
    with pytest.raises(BadInput) as told:
        await desk.write("1", DeskWrite(key="k", fields={"floor": "third"}))
    assert (told.value.field, told.value.value) == ("floor", "third")


async def test_a_put_whose_answer_is_lost_is_not_sent_again_by_itself(emulated: StylesDesk) -> None:
    """An HTTP client that takes PUT for repeatable would say a comment twice."""
    number = emulated.open("said by PUT")
    desk = connected(emulated, requests={"update": {"method": "PUT"}})
    await desk.read(number)  # the connection is a kept one
    emulated.faults.plan(Fault(applied=True, drops_connection=True), method="PUT")
    with pytest.raises(RetryLater):
        await desk.write(number, DeskWrite(key="k", fields={"name": "once"}))
    assert [method for method, _ in emulated.requests].count("PUT") == 1
    assert emulated.records[number]["name"] == "once"


async def test_a_form_is_sent_as_one(emulated: StylesDesk) -> None:
    number = emulated.open("by form")
    desk = connected(emulated, requests={"update": {"method": "PUT", "encode": "form"}})
    await desk.write(number, DeskWrite(key="k", fields={"name": "ä & ü", "state": "working"}))
    assert emulated.sent_bodies == [{"name": "ä & ü", "state": "working"}]


async def test_what_is_empty_is_left_out(emulated: StylesDesk) -> None:
    """A creation without words sends no empty text, and one request says both texts."""
    emulated.open("says both", said=[])
    says = {"path": "/items/{id}", "method": "PATCH", "body": {"said": ["{text}"]}}
    looks = {"path": "/items/{id}", "items": "said"}
    desk = connected(emulated, requests={"comment": says, "comments": looks})
    await desk.write("1", DeskWrite(key="k", comment="to all", note="to the staff"))
    assert emulated.sent_bodies == [{"said": ["to the staff\n\nto all\n[ref k]"]}]
    create = requests.CreateRequest.model_validate(
        {"path": "/items", "body": {"key": "{key}", "text": "{comment}", "more": {"n": 1}}}
    )
    call = create.render({"key": "k", "comment": "", "note": ""})
    assert call.body == {"key": "k", "more": {"n": 1}}


async def test_a_write_without_a_request_for_it_is_told(emulated: StylesDesk) -> None:
    number = emulated.open("silent")
    desk = connected(emulated)
    with pytest.raises(Permanent, match=r"requests\.comment"):
        await desk.write(number, DeskWrite(key="k", comment="hello?"))
    with pytest.raises(Permanent, match=r"requests\.create"):
        await desk.create(DeskWrite(key="k", fields={"name": "x"}))
