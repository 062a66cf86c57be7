"""The emulated Request Tracker: true to recordings of the real one; PyPI's client works with it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import rt.exceptions
import rt.rest2

from dragoman.testing.rt import EmulatedRequestTracker, Fault, NewTicket
from tests.adapters.rt.exchanges import RECORDED, SCRIPT, normal, play


@pytest.fixture
async def desk() -> AsyncIterator[EmulatedRequestTracker]:
    """A running emulated desk."""
    async with EmulatedRequestTracker() as running:
        yield running


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """The whole recorded conversation, played against the emulated server."""

    async def run() -> dict[str, Any]:
        async with EmulatedRequestTracker() as desk:
            tokens = {"gateway": desk.gateway_token, "requester": desk.requester_token}
            return await play(desk.url, tokens)

    return asyncio.run(run())


@pytest.mark.parametrize("name", [exchange.name for exchange in SCRIPT])
def test_answers_as_the_real_one_did(name: str, answers: dict[str, Any]) -> None:
    recorded = json.loads((RECORDED / f"{name}.json").read_text())
    emulated = answers[name]
    assert emulated["request"] == recorded["request"]
    if name == "update_malformed_json":  # Perl's and Python's parsers word it differently
        assert emulated["response"]["status"] == recorded["response"]["status"]
        assert emulated["response"]["body"]["message"].startswith("JSON parse error: ")
        return
    assert normal(emulated) == normal(recorded)


def test_each_recording_is_of_the_script() -> None:
    recorded = {path.stem for path in RECORDED.glob("*.json")}
    assert recorded == {exchange.name for exchange in SCRIPT}


async def test_the_public_client_works_unchanged(desk: EmulatedRequestTracker) -> None:
    opened = ExitStack()

    def client(token: str) -> rt.rest2.Rt:
        made = rt.rest2.Rt(desk.url, token=token)
        opened.enter_context(closing(made.session))
        return made

    def act() -> dict[str, Any]:
        person = client(desk.requester_token)
        gateway = client(desk.gateway_token)
        number = person.create_ticket(
            "Robots", subject="Bring pallet", content="Now.", CustomFields={"Location": "dock-2"}
        )
        gateway.edit_ticket(number, Status="open", CustomFields={"RobotID": "agv-1"})
        gateway.comment(number, "On its way.")
        gateway.edit_ticket(number, Status="resolved")
        for index in range(25):
            person.create_ticket("Robots", subject=f"More {index}")
        stranger = client("1-1-0")
        with pytest.raises(rt.exceptions.AuthorizationError):
            stranger.get_ticket(number)
        with pytest.raises(rt.exceptions.NotFoundError):
            gateway.get_ticket(4711)
        history = gateway.get_ticket_history(number)
        comment = next(line for line in history if line["Type"] == "Comment")
        link = gateway.get_transaction(comment["id"])["_hyperlinks"][-1]["_url"]
        return {
            "ticket": gateway.get_ticket(number),
            "history": [line["Type"] for line in history],
            "all": [int(one["id"]) for one in gateway.search(queue="Robots", order="id")],
            "found": [int(one["id"]) for one in gateway.search(queue="Robots", Status="resolved")],
            "text": gateway.get_attachment(link.rsplit("/", 1)[1])["Content"],
            "number": number,
        }

    with opened, ThreadPoolExecutor(1) as thread:
        seen = await asyncio.get_running_loop().run_in_executor(thread, act)
    fields = {one["name"]: one["values"] for one in seen["ticket"]["CustomFields"]}
    assert seen["ticket"]["Status"] == "resolved"
    assert seen["ticket"]["Queue"]["Name"] == "Robots"
    assert (fields["RobotID"], fields["Location"]) == (["agv-1"], ["dock-2"])
    assert seen["history"] == ["Create", "Status", "CustomField", "Comment", "Status"]
    assert len(seen["all"]) == len(set(seen["all"])) == 26
    assert seen["found"] == [seen["number"]]
    assert base64.b64decode(seen["text"]) == b"On its way."


async def test_times_have_whole_seconds_and_are_searched_strictly() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 750_000, tzinfo=UTC)
    async with EmulatedRequestTracker(now=lambda: moment) as desk, aiohttp.ClientSession() as http:
        desk.store.create(desk.store.user("pat-requester"), NewTicket(subject="x"))
        headers = {"Authorization": f"token {desk.gateway_token}"}

        async def count(condition: str) -> int:
            query = {"query": f"LastUpdated {condition}"}
            async with http.get(f"{desk.url}/tickets", params=query, headers=headers) as answer:
                found: int = (await answer.json())["total"]
                return found

        assert await count(">= '2026-01-31 12:00:00'") == 1
        assert await count("> '2026-01-31 12:00:00'") == 0
        assert await count("> '2026-01-31 11:59:59'") == 1


async def test_a_fault_answers_in_place_of_the_desk(desk: EmulatedRequestTracker) -> None:
    headers = {"Authorization": f"token {desk.gateway_token}"}
    desk.faults.plan(Fault(status=429, headers={"Retry-After": "7"}), method="GET")
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.get(f"{desk.url}/rt") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        async with http.get(f"{desk.url}/rt") as answer:
            assert answer.status == 200
    assert desk.faults.left == 0


async def test_a_lost_answer_can_hide_that_the_request_took_effect(
    desk: EmulatedRequestTracker,
) -> None:
    person = desk.store.user("pat-requester")
    ticket = desk.store.create(person, NewTicket(subject="x"))
    desk.faults.plan(Fault(drops_connection=True, applied=True), method="POST")
    desk.faults.plan(Fault(drops_connection=True), method="POST")
    body = {"Content": "once", "ContentType": "text/plain"}
    headers = {"Authorization": f"token {desk.gateway_token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for _ in range(2):
            with pytest.raises(aiohttp.ClientError):
                await http.post(f"{desk.url}/ticket/{ticket.id}/comment", json=body)
    assert [line.type for line in ticket.history] == ["Create", "Comment"]
