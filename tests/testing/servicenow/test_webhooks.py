"""The desk's webhooks against a real receiver: signature, retries, and the faults on the way."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from dragoman.testing.servicenow import ServiceNowDesk
from dragoman.testing.servicenow.webhooks import sign
from tests.testing.servicenow.conftest import Http

SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two random bytes").decode()
DEADLINE = 10.0


@dataclass
class Receiver:
    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    def numbers(self) -> list[str]:
        return [json.loads(body)["record"]["number"]["value"] for _, body in self.got]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - counters have no event to wait for
            await asyncio.sleep(0.005)


@pytest.fixture
async def receiver(desk: ServiceNowDesk) -> AsyncIterator[Receiver]:
    own = Receiver()
    runner = web.ServerRunner(web.Server(own.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    own.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    desk.subscribe(own.url, secret=SECRET)
    desk.webhooks.retry_delays = (0.01, 0.01)
    yield own
    await runner.cleanup()


def test_signature_is_that_of_the_reference_library() -> None:
    """The signature that the reference library standardwebhooks 1.1.0 computes."""
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,pZN3CVESPCUuihODVQNgWONmlcH9xCz9b1ykcK53XqY="


async def test_changes_arrive_signed_with_the_full_record(
    desk: ServiceNowDesk, http: Http, receiver: Receiver
) -> None:
    case = desk.open_case(short_description="x")
    await http("PATCH", f"table/incident/{case['sys_id']}", json={"state": "2"})
    await until(lambda: len(receiver.got) == 2)
    messages = [json.loads(body) for _, body in receiver.got]
    assert {message["event"] for message in messages} == {"incident.created", "incident.updated"}
    created = next(item for item in messages if item["event"] == "incident.created")
    assert {name: cell["value"] for name, cell in created["record"].items()} == case
    assert created["record"]["state"]["display_value"] == "New"
    assert (created["table"], created["sys_id"]) == ("incident", case["sys_id"])
    for headers, body in receiver.got:
        message_id = headers["webhook-id"]
        assert message_id == json.loads(body)["delivery"]
        signed = b".".join((message_id.encode(), headers["webhook-timestamp"].encode(), body))
        digest = hmac.new(b"a key of thirty-two random bytes", signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        age = desk.instance.now().timestamp() - int(headers["webhook-timestamp"])
        assert abs(age) < 60


async def test_a_refused_delivery_is_repeated_under_the_same_id(
    desk: ServiceNowDesk, receiver: Receiver
) -> None:
    receiver.statuses = [503, 302]
    desk.open_case(short_description="x")
    await until(lambda: desk.webhooks.counts["delivered"] == 1)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 3
    receiver.statuses = [500] * 3
    desk.open_case(short_description="y")
    await until(lambda: desk.webhooks.counts["failed"] == 1)


async def test_unreachable_receivers_count_as_refusals(desk: ServiceNowDesk) -> None:
    desk.webhooks.retry_delays = ()
    desk.subscribe("http://127.0.0.1:1/", secret=SECRET)
    desk.open_case(short_description="x")
    await until(lambda: desk.webhooks.counts["failed"] == 1)


async def test_duplicates_losses_and_disorder(desk: ServiceNowDesk, receiver: Receiver) -> None:
    desk.faults.webhooks.duplicates = 2
    desk.open_case(short_description="x")
    await until(lambda: len(receiver.got) == 3)
    assert len({(headers["webhook-id"], body) for headers, body in receiver.got}) == 1
    desk.faults.clear()
    receiver.got.clear()

    desk.faults.webhooks.lost = 1.0
    desk.open_case(short_description="never told")
    assert desk.webhooks.counts["lost"] == 1
    desk.faults.clear()

    desk.faults.webhooks.shuffled = 4
    numbers = [desk.open_case(short_description=f"{n}")["number"] for n in range(4)]
    await until(lambda: len(receiver.got) == 4)
    assert sorted(receiver.numbers()) == numbers
    assert receiver.numbers() != numbers

    desk.open_case(short_description="held back alone, but not for ever")
    await until(lambda: len(receiver.got) == 5)


async def test_a_subscription_can_leave_out_events_and_authors(
    desk: ServiceNowDesk, http: Http, receiver: Receiver
) -> None:
    desk.webhooks.unsubscribe(next(iter(desk.webhooks._subscriptions)))
    desk.subscribe(receiver.url, secret=SECRET, events=["updated"], skip_users=["dragoman"])
    case = desk.open_case(short_description="not told: created")
    path = f"table/incident/{case['sys_id']}"
    await http("PATCH", path, json={"work_notes": "not told: by the gateway"})
    await http("PATCH", path, json={})
    desk.edit(case["number"], urgency="1")
    await until(lambda: desk.webhooks.counts["delivered"] == 1)
    assert [json.loads(body)["record"]["urgency"]["value"] for _, body in receiver.got] == ["1"]
