"""What is Maximo's own in writing: success without effect, statuses, rowstamps, keys."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from dragoman.desks.maximo.rest import Rest
from dragoman.domain.errors import Conflict, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import Desk, DeskWrite
from dragoman.testing.conformance.desk_witness import until_through
from dragoman.testing.maximo import KEY, Attribute, EmulatedMaximo, FaultKind
from tests.adapters.desks.maximo_witness import MaximoWitness
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def witness() -> AsyncIterator[MaximoWitness]:
    clock = ShiftingClock()
    async with EmulatedMaximo(now=clock.now) as emulated:
        witness = MaximoWitness(emulated, clock)
        yield witness
        await witness.leave()


@pytest.fixture
def desk(witness: MaximoWitness) -> Desk:
    return witness.connect()


# --- success without effect


async def test_a_restricted_attribute_is_named(desk: Desk, witness: MaximoWitness) -> None:
    number = await witness.open("restricted")
    witness.emulated.store.restricted.add(("WORKORDER", "location"))
    with pytest.raises(Permanent, match="Maximo took the write") as told:
        await desk.write(number, DeskWrite(key="k", fields={"location": "BR300"}))
    assert (told.value.field, told.value.value) == ("location", "BR300")
    assert "restrictions" in told.value.mend


async def test_an_unknown_attribute_is_named_with_the_nearest(
    desk: Desk, witness: MaximoWitness
) -> None:
    number = await witness.open("unknown")
    with pytest.raises(Permanent) as told:
        await desk.write(number, DeskWrite(key="k", fields={"locaton": "BR300"}))
    assert told.value.field == "locaton"
    assert "did you mean location?" in told.value.mend


@pytest.mark.parametrize("path", ["", "changeStatus"])
async def test_a_write_that_is_answered_204_and_not_done_is_found(
    desk: Desk, witness: MaximoWitness, path: str
) -> None:
    number = await witness.open("a shrug")
    witness.emulated.faults.add(FaultKind.IGNORED, method="POST", path=path)
    fields = {"status": "INPRG"} if path else {"wopriority": "2"}
    with pytest.raises(Permanent) as told:
        await desk.write(number, DeskWrite(key="k", fields=fields))
    assert told.value.field == next(iter(fields))
    if path:
        assert "allowed are" in told.value.mend
        assert "INPRG (In Progress)" in told.value.mend


async def test_a_work_log_that_is_not_part_of_the_structure_is_named(
    desk: Desk, witness: MaximoWitness
) -> None:
    number = await witness.open("no log")
    witness.emulated.store.logless.add("mxapiwo")
    with pytest.raises(Permanent, match="no entry of ours") as told:
        await desk.write(number, DeskWrite(key="k", note="leg 1"))
    assert told.value.field == "worklog"


# --- statuses


@pytest.mark.parametrize("status_by", ["action", "attribute"])
async def test_a_status_that_is_not_allowed_names_those_that_are(
    witness: MaximoWitness, status_by: str
) -> None:
    witness.options = {"status_by": status_by}
    desk = witness.connect()
    number = await witness.open("to and fro")
    for status in ("INPRG", "COMP"):
        assert (await desk.write(number, DeskWrite(key=status, fields={"status": status}))).raw[
            "status"
        ] == status
    with pytest.raises(Permanent, match="BMXAA4590E") as told:
        await desk.write(number, DeskWrite(key="k", fields={"status": "INPRG"}))
    assert (told.value.field, told.value.value) == ("status", "INPRG")
    assert "allowed are CLOSE (Closed)" in told.value.mend
    assert not isinstance(told.value, Conflict)


async def test_the_status_that_it_has_is_not_set_again(desk: Desk, witness: MaximoWitness) -> None:
    number = await witness.open("already")
    witness.emulated.set_status(witness.row(number), "INPRG")
    write = DeskWrite(key="k", fields={"status": "INPRG"}, note="still at it")
    assert (await desk.write(number, write)).raw["status"] == "INPRG"
    assert len(await witness.said(number)) == 1


async def test_a_status_as_an_attribute_is_one_call(witness: MaximoWitness) -> None:
    witness.options = {"status_by": "attribute"}
    desk = witness.connect()
    number = await witness.open("in one")
    write = DeskWrite(key="k", fields={"status": "INPRG"}, note="x", expect={"status": ("WAPPR",)})
    await desk.write(number, write)
    posts = [path for method, path, _ in witness.emulated.requests if method == "POST"]
    assert len(posts) == 1
    assert witness.row(number).status == "INPRG"


async def test_a_closed_record_is_a_refusal_of_one(desk: Desk, witness: MaximoWitness) -> None:
    number = await witness.open("closed at the desk")
    witness.emulated.set_status(witness.row(number), "CLOSE")
    with pytest.raises(Permanent, match="BMXAA0031E") as told:
        await desk.write(number, DeskWrite(key="k", note="too late"))
    assert not isinstance(told.value, NeedsHuman)


# --- answers that are lost, and others who are faster


@pytest.mark.parametrize("path", ["lean=1&internalvalues=1&ignorecollectionref=1", "changeStatus"])
@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("note", ["", "leg 1"])
async def test_each_part_of_a_write_may_lose_its_answer(
    desk: Desk, witness: MaximoWitness, path: str, lost: int, note: str
) -> None:
    number = await witness.open("in two calls")
    write = DeskWrite(
        key="k",
        fields={"status": "INPRG", "wopriority": "1", "description": "said"},
        note=note,
        expect={"status": ("WAPPR",), "description": ("in two calls",)},
    )
    witness.emulated.faults.add(
        FaultKind.RESET, after_commit=True, calls=lost, method="POST", path=path
    )
    await until_through(desk, number, write)
    row = witness.row(number)
    assert (row.status, row.values["wopriority"], len(row.log)) == ("INPRG", 1, bool(note))
    moment = row.rowstamp
    await desk.write(number, replace(write, retried=True))
    assert (row.rowstamp, len(row.log)) == (moment, bool(note)), "done is done"


async def test_a_status_that_a_person_set_is_not_taken_for_our_own(
    desk: Desk, witness: MaximoWitness
) -> None:
    number = await witness.open("nothing of ours arrived")
    witness.emulated.set_status(witness.row(number), "INPRG")
    write = DeskWrite(
        key="k", fields={"status": "INPRG"}, note="x", expect={"status": ("WAPPR",)}, retried=True
    )
    with pytest.raises(Conflict):
        await desk.write(number, write)
    assert not await witness.said(number)


async def test_what_people_did_after_our_write_is_left_alone(
    desk: Desk, witness: MaximoWitness
) -> None:
    number = await witness.open("ours, then theirs")
    write = DeskWrite(key="k", fields={"location": "A"}, note="moved")
    await desk.write(number, write)
    witness.emulated.edit(witness.row(number), location="B")
    await desk.write(number, replace(write, retried=True))
    assert witness.row(number).values["location"] == "B"


async def test_somebody_faster_is_seen_by_the_rowstamp(
    desk: Desk, witness: MaximoWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await witness.open("race")
    patch, races = Rest.patch, 0

    async def too_late(*given: Any) -> Any:
        nonlocal races
        races += 1
        if races == 1:
            witness.emulated.set_status(witness.row(number), "CAN")
        return await patch(*given)

    monkeypatch.setattr(Rest, "patch", too_late)
    write = DeskWrite(key="k", fields={"location": "A"}, expect={"status": ("WAPPR",)})
    with pytest.raises(Conflict) as told:
        await desk.write(number, write)
    assert told.value.field == "status"
    assert witness.row(number).values.get("location") is None
    assert races == 1


async def test_a_race_is_run_again_and_not_for_ever(desk: Desk, witness: MaximoWitness) -> None:
    number = await witness.open("busy")
    write = DeskWrite(key="k", fields={"location": "A"}, expect={"status": ("WAPPR",)})
    witness.emulated.faults.add(FaultKind.STALE, calls=2, method="POST")
    assert (await desk.write(number, write)).raw["location"] == "A"
    witness.emulated.faults.add(FaultKind.STALE, calls=3, method="POST")
    with pytest.raises(RetryLater, match="all the time"):
        await desk.write(number, replace(write, key="k2", fields={"location": "B"}))


async def test_without_a_precondition_nothing_is_compared(
    desk: Desk, witness: MaximoWitness
) -> None:
    number = await witness.open("last one wins")
    await desk.write(number, DeskWrite(key="k", fields={"location": "A"}))
    (patch,) = [h for method, _, h in witness.emulated.requests if method == "POST"]
    assert (patch["x-method-override"], patch["patchtype"]) == ("PATCH", "MERGE")
    assert "If-Match" not in patch


# --- values and texts


async def test_values_take_the_types_of_the_schema(desk: Desk, witness: MaximoWitness) -> None:
    number = await witness.open("typed")
    fields = {
        "wopriority": "2",
        "istask": "true",
        "description": "12",
        "targcompdate": "2026-03-01T12:00:00Z",
        "location": "br300",
    }
    after = (await desk.write(number, DeskWrite(key="k", fields=fields))).raw
    assert (after["wopriority"], after["istask"], after["description"]) == (2, True, "12")
    assert (after["targcompdate"], after["location"]) == ("2026-03-01T07:00:00-05:00", "BR300")
    await desk.write(number, DeskWrite(key="k2", fields={"location": "", "wopriority": ""}))
    assert witness.row(number).values["location"] is None


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"description": "long " * 30}, "BMXAA4049E", "shorten"),
        ({"wopriority": "77"}, "BMXAA4190E", "mapping"),
        ({"location": "NOWHERE"}, "BMXAA2661E", "mapping"),
        ({"assetnum": "NOTHING"}, "BMXAA0090E", "mapping"),
        ({"siteid": ""}, "BMXAA4195E", "mapping"),
    ],
)
async def test_a_value_that_maximo_refuses_is_told_in_its_words(
    desk: Desk, witness: MaximoWitness, fields: dict[str, str], code: str, words: str
) -> None:
    witness.emulated.store.valid |= {"location": {"BR300"}, "assetnum": {"11430"}}
    number = await witness.open("refused")
    with pytest.raises(Permanent, match=code) as told:
        await desk.write(number, DeskWrite(key="k", fields=fields))
    assert words in told.value.mend
    assert not isinstance(told.value, Conflict)


async def test_comments_may_be_viewed_and_notes_not(desk: Desk, witness: MaximoWitness) -> None:
    number = await witness.open("said")
    comment = "Robot 7 is coming. " * 10
    await desk.write(number, DeskWrite(key="k", comment=comment, note="leg 1\nleg 2"))
    first, second = witness.row(number).log
    assert (first["logtype"], first["clientviewable"]) == ("CLIENTNOTE", True)
    assert (second["logtype"], second["clientviewable"]) == ("WORK", False)
    assert str(first["description"]).endswith("…")
    assert len(str(first["description"])) <= 100
    assert second["description"] == "leg 1"
    assert second["description_longdescription"] == "leg 1\nleg 2\n[ref k]"


# --- creation


async def test_a_creation_sets_status_and_log_once(desk: Desk, witness: MaximoWitness) -> None:
    write = DeskWrite(
        key="fault-1",
        fields={"description": "robot down", "status": "APPR", "wopriority": "1"},
        note="E-17",
    )
    for lost, path in ((1, "os/mxapiwo?"), (1, "changeStatus"), (0, "")):
        if lost:
            witness.emulated.faults.add(
                FaultKind.RESET, after_commit=True, method="POST", path=path
            )
            with pytest.raises(RetryLater):
                await desk.create(write)
        write = replace(write, retried=True)
    made = await desk.create(write)
    (row,) = witness.emulated.rows()
    assert (row.status, row.values["dragomankey"], len(row.log)) == ("APPR", "fault-1", 1)
    assert row.values["siteid"] == "BEDFORD"
    assert made.external_id == str(row.uid)


async def test_two_records_with_one_key_need_a_human(desk: Desk, witness: MaximoWitness) -> None:
    for _ in range(2):
        witness.emulated.open(dragomankey="fault-1")
    with pytest.raises(NeedsHuman, match="same key"):
        await desk.create(DeskWrite(key="fault-1", fields={"description": "third"}))
    assert await witness.titled("third") == 0


async def test_a_record_without_the_key_never_matches(
    desk: Desk, witness: MaximoWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (None, "other"):
        witness.emulated.open(dragomankey=key, description="theirs")
    search = Rest.with_value

    async def everything(self: Rest, field: str, value: str) -> Any:
        """A desk that takes no notice of the condition."""
        rows = [row for key in ("other", value) for row in await search(self, field, key)]
        return [{self.uid: 1}, {self.uid: 2, field: ""}, *rows]

    monkeypatch.setattr(Rest, "with_value", everything)
    made = await desk.create(DeskWrite(key="k", fields={"description": "ours"}))
    assert made.raw["description"] == "ours"
    assert await witness.titled("theirs") == 2


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ((), "has no attribute dragomankey"),
        ((Attribute(name="dragomankey", length=10),), "holds 10 characters"),
    ],
)
async def test_without_a_place_for_the_key_nothing_is_created(
    attributes: tuple[Attribute, ...], words: str
) -> None:
    async with EmulatedMaximo(attributes=attributes) as emulated:
        witness = MaximoWitness(emulated, ShiftingClock())
        with pytest.raises(NeedsHuman, match=words) as told:
            await witness.connect().create(DeskWrite(key="0" * 26, fields={"description": "x"}))
        await witness.leave()
        assert told.value.field == "correlation_field"
        assert not emulated.rows()


async def test_a_creation_without_its_key_is_not_tried_again(
    desk: Desk, witness: MaximoWitness
) -> None:
    witness.emulated.store.restricted.add(("WORKORDER", KEY.name))
    with pytest.raises(Permanent, match="doesn't keep our key"):
        await desk.create(DeskWrite(key="k", fields={"description": "keyless"}))


@pytest.mark.parametrize("key", ['a"b', "a%b"])
async def test_a_key_that_would_match_others_is_refused(
    desk: Desk, witness: MaximoWitness, key: str
) -> None:
    with pytest.raises(Permanent, match="can't be searched for"):
        await desk.create(DeskWrite(key=key, fields={"description": "x"}))
    assert not witness.emulated.rows()


async def test_a_service_request_says_that_it_is_one(witness: MaximoWitness) -> None:
    witness.structure = "mxapisr"
    made = await witness.connect().create(DeskWrite(key="k", fields={"description": "x"}))
    assert (made.raw["class"], made.raw["status"]) == ("SR", "NEW")


async def test_many_writes_at_once_each_have_one_effect(desk: Desk, witness: MaximoWitness) -> None:
    number = await witness.open("crowded")
    writes = [DeskWrite(key=f"k{index}", note=f"leg {index}") for index in range(8)]
    await asyncio.gather(*(desk.write(number, write) for write in writes))
    assert len(await witness.said(number)) == 8
