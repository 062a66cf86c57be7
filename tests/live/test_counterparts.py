"""Each real counterpart works by itself, and behaves as docs/reference/*-seen.md says it does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import queue
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import rt.exceptions
import rt.rest2

from dragoman.testing.tls import TestAuthority
from tests.adapters.rt.exchanges import RECORDED, normal, play
from tests.live.conftest import GATEWAY_ACCOUNT
from tests.live.counterparts.master import Master, Refused, move_order
from tests.live.counterparts.mosquitto import Mosquitto
from tests.live.counterparts.processes import wait_until
from tests.live.counterparts.request_tracker import RequestTracker
from tests.live.counterparts.vehicle import Vehicle

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]


@pytest.fixture
async def master(broker: Mosquitto) -> AsyncIterator[Master]:
    """A hand-written master control that is connected to the broker."""
    async with Master(broker.port, broker.authority.trust(), GATEWAY_ACCOUNT) as connected:
        yield connected


def test_a_ticket_is_created_and_read_back(desk: RequestTracker) -> None:
    number = desk.create_ticket("Inspect pump 7", fields={"Location": "hall/pump-7"})
    desk.requester.comment(number, "Hurry up.")
    ticket = desk.read_ticket(number)
    assert (ticket.subject, ticket.status) == ("Inspect pump 7", "new")
    assert ticket.custom_fields["Location"] == "hall/pump-7"
    assert ticket.comments == ("Hurry up.",)
    assert number in [one.id for one in desk.read_tickets()]


def test_a_wrong_token_is_refused(desk: RequestTracker) -> None:
    stranger = rt.rest2.Rt(desk.url, token=desk.gateway_token[:-1] + "x")
    with pytest.raises(rt.exceptions.AuthorizationError):
        stranger.get_ticket(1)
    stranger.session.close()


async def test_request_tracker_still_answers_as_recorded(tmp_path: Path) -> None:
    fresh = RequestTracker(tmp_path / "rt")
    fresh.start()
    try:
        tokens = {"gateway": fresh.gateway_token, "requester": fresh.requester_token}
        answers = await play(fresh.url, tokens)
    finally:
        fresh.stop()
    recorded = {name: json.loads((RECORDED / f"{name}.json").read_text()) for name in answers}
    assert {name: normal(told) for name, told in answers.items()} == {
        name: normal(told) for name, told in recorded.items()
    }


def test_request_tracker_posts_a_signed_webhook(tmp_path: Path) -> None:
    received: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put(({name.lower(): text for name, text in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
            """Keep quiet."""

    secret = b"secret-word"
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    own = RequestTracker(tmp_path / "rt")
    own.start()
    try:
        own.add_webhook(
            f"http://127.0.0.1:{server.server_port}/hook", base64.b64encode(secret).decode()
        )
        number = own.create_ticket("Inspect pump 7")
        headers, body = received.get(timeout=20)
        gateway = rt.rest2.Rt(own.url, token=own.gateway_token)
        gateway.comment(number, "Seen.")
        gateway.session.close()
        own.requester.comment(number, "Thanks.")
        _, second = received.get(timeout=20)
    finally:
        own.stop()
        server.shutdown()
        server.server_close()
        thread.join(10)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(secret, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    told = json.loads(body)
    assert (told["ticket"], told["type"]) == (number, "Create")
    assert headers["webhook-id"] == f"rt-{told['transaction']}"
    # The gateway's own comment came in between and is not told.
    told = json.loads(second)
    assert (told["ticket"], told["type"]) == (number, "Comment")
    assert received.empty()


async def test_the_broker_shows_its_certificate_and_asks_for_a_password(
    broker: Mosquitto, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    foreign = TestAuthority(other, datetime.now(UTC)).trust()
    with pytest.raises(ssl.SSLCertVerificationError):
        await Master(broker.port, foreign, GATEWAY_ACCOUNT).connect()
    trust = broker.authority.trust()
    with pytest.raises(Refused):
        await Master(broker.port, trust, (GATEWAY_ACCOUNT[0], "wrong")).connect()
    async with Master(broker.port, trust, GATEWAY_ACCOUNT):
        pass


async def test_an_order_drives_a_vehicle_to_its_end(
    master: Master, start_vehicle: Callable[..., Vehicle]
) -> None:
    vehicle = start_vehicle("agv-1")
    master.send(vehicle, "order", move_order("order-1", "pump-7", x=2.0, action="inspect"))
    state = await master.wait_for_state(
        vehicle,
        lambda one: (
            one["orderId"] == "order-1"
            and not one["nodeStates"]
            and all(action["actionStatus"] == "FINISHED" for action in one["actionStates"])
        ),
    )
    assert (state["lastNodeId"], state["edgeStates"], state["errors"]) == ("pump-7", [], [])
    assert state["agvPosition"]["x"] == pytest.approx(2.0)
    assert vehicle.accepted_orders() == ["order-1"]
    assert [kind for _, _, kind in vehicle.finished_actions()] == ["inspect"]


async def test_a_rejecting_vehicle_says_why(
    master: Master, start_vehicle: Callable[..., Vehicle]
) -> None:
    vehicle = start_vehicle("agv-1", rejects_orders=True)
    master.send(vehicle, "order", move_order("order-1", "pump-7", x=2.0))
    state = await master.wait_for_state(vehicle, lambda one: bool(one["errors"]))
    error = state["errors"][0]
    assert (state["orderId"], error["errorType"], error["errorLevel"]) == (
        "",
        "noRouteError",
        "WARNING",
    )
    assert {"referenceKey": "orderId", "referenceValue": "order-1"} in error["errorReferences"]
    assert vehicle.accepted_orders() == []


async def test_cancel_order_needs_both_keys(
    master: Master, start_vehicle: Callable[..., Vehicle]
) -> None:
    vehicle = start_vehicle("agv-1")
    master.send(vehicle, "order", move_order("order-1", "far", x=500.0, action="inspect"))
    await master.wait_for_state(vehicle, lambda one: one["driving"] is True)
    actions = [
        {
            "actionType": "cancelOrder",
            "actionId": "cancel-1",
            "blockingType": "HARD",
            "actionParameters": [],
        }
    ]
    master.send(vehicle, "instantActions", {"actions": actions})
    refused = await master.wait_for_state(vehicle, lambda one: bool(one["errors"]))
    assert refused["errors"][0]["errorType"] == "validationError"
    master.send(vehicle, "instantActions", {"actions": actions, "instantActions": actions})
    state = await master.wait_for_state(
        vehicle,
        lambda one: (
            {"cancel-1": "FINISHED"}.items()
            <= {
                action["actionId"]: action["actionStatus"] for action in one["actionStates"]
            }.items()
        ),
    )
    by_type = {action["actionType"]: action["actionStatus"] for action in state["actionStates"]}
    assert by_type == {"inspect": "FAILED", "cancelOrder": "FINISHED"}
    assert (state["nodeStates"], state["edgeStates"], state["driving"]) == ([], [], False)


async def test_a_frozen_vehicle_still_runs_the_order_that_was_on_its_way(
    master: Master, start_vehicle: Callable[..., Vehicle]
) -> None:
    vehicle = start_vehicle("agv-1")
    vehicle.freeze()
    master.send(vehicle, "order", move_order("order-1", "pump-7", x=0.5, action="inspect"))
    await asyncio.sleep(1)  # nothing may come in this time: there is no event to wait for
    assert vehicle.accepted_orders() == []
    vehicle.thaw()
    wait_until(lambda: vehicle.count("order ended", orderId="order-1"), "the end of the order", 20)
    assert vehicle.accepted_orders() == ["order-1"]


async def test_a_vehicle_survives_a_broker_crash_without_a_word(
    broker: Mosquitto, start_vehicle: Callable[..., Vehicle]
) -> None:
    vehicle = start_vehicle("agv-1", more={"publishStateIntervalMs": 1000})
    trust = broker.authority.trust()
    wait_until(lambda: vehicle.count("connection", state="online") == 1, "the connection", 20)
    # A subscription that is cut off before its answer ends the library's whole process.
    async with Master(broker.port, trust, GATEWAY_ACCOUNT) as master:
        await master.wait_for_state(vehicle, lambda _: True)
    broker.kill()
    broker.start()
    wait_until(lambda: vehicle.count("connection", state="online") == 2, "the reconnection", 20)
    async with Master(broker.port, trust, GATEWAY_ACCOUNT) as master:
        master.send(vehicle, "order", move_order("order-1", "pump-7", x=0.5))
        await master.wait_for_state(vehicle, lambda one: one["orderId"] == "order-1")
        assert [topic for topic in master.topics if topic.endswith("/connection")] == []
