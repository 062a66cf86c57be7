"""The whole way on real counterparts: Request Tracker 5 → gateway → mosquitto → vehicles, and back.

Fifty tickets; of the three vehicles one is frozen for a while and one refuses every order. What
counts is what the tickets say at the end and what the vehicles say they did.
"""

from __future__ import annotations

import base64
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live.conftest import GATEWAY_ACCOUNT
from tests.live.counterparts.mosquitto import Mosquitto
from tests.live.counterparts.processes import wait_until
from tests.live.counterparts.request_tracker import QUEUE, RequestTracker, Ticket
from tests.live.counterparts.vehicle import MANUFACTURER, Vehicle
from tests.live.gateway import TOKEN_VARIABLE, Gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(540)]

TICKETS = 50
PLACES = {f"Pump {number}": (f"pump-{number}", 1.5 * number) for number in range(1, 9)}
FAST = {"speed": 2, "timeLapse": 10, "publishStateIntervalMs": 1000}
FROZEN_S = 20
"""Less than the 22 s after which the broker takes a vehicle for gone."""
SETTLE_S = 8
"""How long a thawed vehicle and the gateway get to sort a case out before the operator looks."""
ALL_DONE_S = 420
"""Fifty seconds on an idle machine of two cores; Request Tracker is what takes the time."""
WEBHOOK_SECRET = base64.b64encode(b"a word between the two").decode()

# An order to a frozen vehicle is taken for unanswered after 5 s, and a vehicle that stands still
# for 6 s is told to stop; with 6 s for that, both are uncertain while the vehicle is frozen.
CONFIG = """\
[site]
name = "live"
data = "data"

[api]
listen = "127.0.0.1:0"
[[api.tokens]]
name = "operator"
token = {{ env = "{token_variable}" }}

[broker]
url = "{broker_url}"
username = "{username}"
password = {{ env = "LIVE_BROKER_PASSWORD" }}
tls = {{ ca_file = "{ca_file}" }}

[desks.rt]
type = "rt"
url = "{desk_url}"
queue = "{queue}"
auth = {{ type = "token", token = {{ env = "LIVE_RT_TOKEN" }} }}
concurrency = 4
poll = {{ min_s = 2, max_s = 5 }}
[desks.rt.webhook]
secrets = [{{ env = "LIVE_WEBHOOK_SECRET" }}]

[fleets.hall]
type = "vda5050"
[fleets.hall.dialects."{manufacturer}/*"]
instant_actions = "both"
capabilities = ["inspect"]

[missions.inspect]
needs = ["inspect"]
expected_s = 2
actions = [{{ type = "inspect", parameters = {{ ticket = "{{number}}" }} }}]

[policy]
progress_least = 6
stop_within = 6
cool_down = 5
"""
LOCATION = '[locations."{name}"]\nnode = "{node}"\nx = {x}\ny = 0.0\nmap = "hall"\n'


@pytest.fixture
def gateway(desk: RequestTracker, broker: Mosquitto, tmp_path: Path) -> Iterator[Gateway]:
    """A running gateway between the desk and the broker, told of changes by the desk's webhook."""
    username, password = GATEWAY_ACCOUNT
    config = CONFIG.format(
        token_variable=TOKEN_VARIABLE,
        broker_url=broker.url,
        username=username,
        ca_file=broker.ca_file,
        desk_url=desk.url,
        queue=QUEUE,
        manufacturer=MANUFACTURER,
    )
    places = (LOCATION.format(name=name, node=node, x=x) for name, (node, x) in PLACES.items())
    secrets = {
        "LIVE_BROKER_PASSWORD": password,
        "LIVE_RT_TOKEN": desk.gateway_token,
        "LIVE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }
    running = Gateway(tmp_path / "gateway", config + "\n".join(places), secrets)
    running.start()
    desk.add_webhook(f"{running.url}/hooks/rt", WEBHOOK_SECRET)
    yield running
    running.stop()


class Operator:
    """The person whom the gateway asks: looks at the vehicle, then decides by the API.

    `asked` are the cases that the gateway ever called uncertain or held; `done` what was decided.
    """

    def __init__(self, gateway: Gateway, vehicles: dict[str, Vehicle]) -> None:
        self.asked: dict[str, set[str]] = {"uncertain": set(), "held": set()}
        self.done: Counter[str] = Counter()
        self._gateway = gateway
        self._vehicles = vehicles
        self._since: dict[str, float] = {}

    def look(self, *, may_act: bool) -> None:
        """Note who waits for a person, and decide what has waited for SETTLE_S."""
        waiting = {
            case["id"]: case for state in self.asked for case in self._gateway.cases(state=state)
        }
        now = time.monotonic()
        self._since = {id_: self._since.get(id_, now) for id_ in waiting} if may_act else {}
        for id_, case in waiting.items():
            self.asked[case["state"]].add(id_)
            if may_act and now - self._since[id_] > SETTLE_S:
                self._decide(case["id"], case["state"], case["order_id"])

    def _decide(self, case_id: str, state: str, order_id: str) -> None:
        if state == "held":
            action, reason = "release", "The vehicles are back."
        elif self._is_safe_to_repeat(order_id):
            action, reason = "confirm-stopped", "I looked: the vehicle neither does it nor did it."
        else:
            return
        if self._gateway.act(case_id, action, reason):
            self.done[action] += 1

    def _is_safe_to_repeat(self, order_id: str) -> bool:
        """Whether no vehicle has the order at hand, and none has done its work."""
        return not any(
            vehicle.count("order accepted", orderId=order_id)
            > vehicle.count("order ended", orderId=order_id)
            or order_id in [order for order, _, _ in vehicle.finished_actions(["inspect"])]
            for vehicle in self._vehicles.values()
        )


def test_fifty_tickets_are_resolved_by_robots_once_each(
    desk: RequestTracker, gateway: Gateway, start_vehicle: Callable[..., Vehicle]
) -> None:
    vehicles = {
        serial: start_vehicle(serial, rejects_orders=serial == "stubborn", more=FAST)
        for serial in ("steady", "frozen", "stubborn")
    }
    wait_until(lambda: len(gateway.robots()) == len(vehicles), "three robots at the gateway")
    operator = Operator(gateway, vehicles)
    started = time.monotonic()
    try:
        with ThreadPoolExecutor(1) as requester:
            opening = requester.submit(_open_all, desk)
            _wait_for_mission(vehicles["frozen"])
            _freeze(vehicles["frozen"], operator)
            numbers = opening.result(ALL_DONE_S)
        opened = time.monotonic()
        _wait_until_closed(gateway, operator)
    except TimeoutError as error:
        pytest.fail(f"{error}\n{_story(gateway)}")
    closed = time.monotonic()

    tickets = [desk.read_ticket(number) for number in numbers]
    finished = {name: one.finished_actions(["inspect"]) for name, one in vehicles.items()}
    print(
        f"\n{TICKETS} tickets opened in {opened - started:.0f} s, closed in "
        f"{closed - started:.0f} s; missions: "
        f"{ {name: len(one) for name, one in finished.items()} }"
        f"; uncertain: {len(operator.asked['uncertain'])}, held: {len(operator.asked['held'])}"
        f"; decided by the operator: {dict(operator.done)}"
    )
    _check_tickets(tickets)
    # Each ticket names the order that did it, no two the same, and the vehicles finished these
    # orders and no others: none lost, none twice.
    told = [_order_of(ticket) for ticket in tickets]
    ran = [order for actions in finished.values() for order, _, _ in actions]
    assert Counter(ran) == Counter(told)
    assert set(Counter(ran).values()) == {1}
    assert list(desk.statuses().values()) == ["resolved"] * TICKETS
    assert len(gateway.cases()) == TICKETS
    # The troubles were real.
    stubborn, frozen = vehicles["stubborn"], vehicles["frozen"]
    assert stubborn.count("error") > 0
    assert finished["stubborn"] == []
    assert operator.asked["uncertain"], "the frozen vehicle left no case uncertain"
    assert {name for name, one in finished.items() if one} == {"steady", "frozen"}, frozen.events()
    doubted = [one for one in tickets if any("It is not known" in text for text in one.comments)]
    assert len(doubted) >= len(operator.asked["uncertain"])
    wait_until(lambda: not gateway.deliveries(state="queued"), "the last delivery")
    assert gateway.deliveries(state="dead") == []


def _open_all(desk: RequestTracker) -> list[int]:
    """Open the tickets, as a requester does: one after the other."""
    places = list(PLACES)
    return [
        desk.create_ticket(
            f"Inspection {index + 1}",
            fields={"Task": "inspect", "Location": places[index % len(places)]},
        )
        for index in range(TICKETS)
    ]


def _wait_for_mission(vehicle: Vehicle) -> None:
    def finished() -> bool:
        time.sleep(0.2)  # each look reads the vehicle's whole story
        return len(vehicle.finished_actions(["inspect"])) >= 3

    wait_until(finished, f"the third mission of {vehicle.serial}", ALL_DONE_S)


def _freeze(vehicle: Vehicle, operator: Operator) -> None:
    """Freeze the vehicle for FROZEN_S, meanwhile noting what the gateway asks."""
    vehicle.freeze()
    try:
        end = time.monotonic() + FROZEN_S
        while time.monotonic() < end:
            operator.look(may_act=False)
            time.sleep(0.5)
    finally:
        vehicle.thaw()


def _wait_until_closed(gateway: Gateway, operator: Operator) -> None:
    """Wait until nothing is left to do by the gateway's account; the verdict is the desk's."""

    def closed() -> bool:
        operator.look(may_act=True)
        time.sleep(1)
        cases = gateway.cases()
        return len(cases) >= TICKETS and all(case["state"] == "closed" for case in cases)

    wait_until(closed, "every case closed", ALL_DONE_S)


def _check_tickets(tickets: list[Ticket]) -> None:
    """Each is resolved, with robot, state and comments in it."""
    for ticket in tickets:
        assert ticket.status == "resolved", ticket
        assert ticket.custom_fields["RobotID"] in {
            f"{MANUFACTURER}/steady",
            f"{MANUFACTURER}/frozen",
        }, ticket
        assert ticket.custom_fields["RobotState"] == "done", ticket
        assert any("is assigned" in text for text in ticket.comments), ticket


def _order_of(ticket: Ticket) -> str:
    """The order that did the work, by the one reply that says so."""
    replies = [line.content for line in ticket.history if line.type == "Correspond"]
    done = [found for text in replies if (found := re.search(r"done .*\(order ([^)]+)\)", text))]
    assert len(done) == 1, ticket
    return done[0][1]


def _story(gateway: Gateway) -> str:
    """What is not closed, by the journal, and the end of the log."""
    lines = []
    for case in gateway.cases():
        if case["state"] != "closed":
            lines.append(f"-- {case['number']} {case['state']}: {case['reason']}")
            lines += gateway.timeline(case["id"])[-12:]
    dead = [f"dead: {one}" for one in gateway.deliveries(state="dead")]
    robots = [str(one) for one in gateway.robots()]
    return "\n".join([*lines[-150:], *dead[:5], *robots, "-- log", gateway.log_tail()])
