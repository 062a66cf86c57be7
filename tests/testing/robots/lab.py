"""A vehicle on a bench: virtual time, orders in, every published message checked.

Each message that a vehicle publishes is validated against the official (mended) schema of its
version, unless a test asks for garbage.
"""

import functools
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema

from dragoman.fleets.vda5050.mends import load_schema
from dragoman.testing.robots import BEHAVED, Misbehaviour, Outgoing, Vehicle, VehicleProfile

START = datetime(2026, 5, 4, 10, tzinfo=UTC)
PROFILE = VehicleProfile(
    serial="r1", manufacturer="acme", node_id="A", speed_mps=1.0, action_s=10.0
)


@functools.cache
def validator(version: str, name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        load_schema(version, name), format_checker=jsonschema.FormatChecker()
    )


def check(message: Outgoing, version: str) -> dict[str, Any]:
    """Validate a message against the official schema; return what it says."""
    said: dict[str, Any] = json.loads(message.payload)
    if not (version == "2.0.0" and message.kind == "factsheet"):  # 2.0.0 has no schema for it
        validator(version, message.kind).validate(said)
    assert message.topic.endswith(f"/{message.kind}")
    assert (message.qos, message.retain) == {
        "state": (0, False),
        "connection": (1, True),
        "factsheet": (0, True),
    }[message.kind]
    return said


def action(action_id: str, blocking: str = "HARD", **parameters: object) -> dict[str, Any]:
    kind = str(parameters.pop("type", "inspect"))
    return {
        "actionId": action_id,
        "actionType": kind,
        "blockingType": blocking,
        "actionParameters": [{"key": k, "value": v} for k, v in parameters.items()],
    }


def order(
    route: str = "ABC",
    *,
    order_id: str = "o1",
    update: int = 0,
    first: int = 0,
    released: int | None = None,
    actions: dict[str, list[dict[str, Any]]] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """An order along nodes named by letters, ten metres apart; `released` nodes are the base.

    actions: by node name, or by edge name such as "AB".
    """
    does = actions or {}
    base = len(route) if released is None else released
    nodes = [
        {
            "nodeId": name,
            "sequenceId": first + 2 * i,
            "released": i < base,
            "nodePosition": {"x": (ord(name) - 65) * 10.0, "y": 0.0, "mapId": "map"},
            "actions": does.get(name, []),
        }
        for i, name in enumerate(route)
    ]
    edges = [
        {
            "edgeId": a + b,
            "sequenceId": first + 2 * i + 1,
            "released": i + 1 < base,
            "startNodeId": a,
            "endNodeId": b,
            "actions": does.get(a + b, []),
        }
        for i, (a, b) in enumerate(itertools.pairwise(route))
    ]
    return {
        "headerId": 1,
        "timestamp": "2026-05-04T10:00:00.00Z",
        "version": "2.0.0",
        "manufacturer": "acme",
        "serialNumber": "r1",
        "orderId": order_id,
        "orderUpdateId": update,
        "nodes": nodes,
        "edges": edges,
        **changes,
    }


class Lab:
    """One vehicle. said: every state so far; now: the virtual time."""

    def __init__(
        self, profile: VehicleProfile = PROFILE, misbehaviour: Misbehaviour = BEHAVED
    ) -> None:
        self.now = START
        self.vehicle = Vehicle(profile, START, misbehaviour=misbehaviour)
        self.said: list[dict[str, Any]] = []
        self.other: list[dict[str, Any]] = []
        self.conforming = True
        self._instants = 0
        self.hear(self.vehicle.connected(START))

    def hear(self, messages: list[Outgoing]) -> list[dict[str, Any]]:
        """Take in what was published; return the states."""
        states = []
        for message in messages:
            said = (
                check(message, self.vehicle.profile.version)
                if self.conforming
                else json.loads(message.payload)
            )
            if message.kind == "state":
                states.append(said)
            else:
                self.other.append(said)
        self.said += states
        return states

    def order(self, **options: Any) -> list[dict[str, Any]]:
        """Send an order."""
        return self.send("order", order(**options))

    def send(self, kind: str, message: object) -> list[dict[str, Any]]:
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.hear(self.vehicle.received(kind, payload, self.now))

    def instant(self, kind: str, **parameters: object) -> str:
        """Send one instant action; return its id."""
        self._instants += 1
        action_id = f"i{self._instants}"
        head = {name: value for name, value in order("A").items() if name in HEADER}
        self.send(
            "instantActions",
            {**head, "actions": [action(action_id, "NONE", type=kind, **parameters)]},
        )
        return action_id

    def run(self, seconds: float) -> list[dict[str, Any]]:
        """Let time pass, waking the vehicle when it asks for it; return the new states."""
        until = self.now + timedelta(seconds=seconds)
        states: list[dict[str, Any]] = []
        while (due := self.vehicle.next_due()) is not None and due <= until:
            self.now = max(due, self.now)
            states += self.hear(self.vehicle.advance(self.now))
        self.now = until
        return states

    def misbehave(self, **switches: Any) -> list[dict[str, Any]]:
        """Set the switches."""
        return self.hear(self.vehicle.misbehave(Misbehaviour(**switches), self.now))

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        return self.said[-1]

    def status(self, action_id: str) -> str:
        """The last reported status of an action."""
        found = [a for a in self.state["actionStates"] if a["actionId"] == action_id]
        return str(found[0]["actionStatus"])

    def errors(self) -> list[str]:
        """The types of the errors in the last state."""
        return [error["errorType"] for error in self.state["errors"]]

    def outcomes(self) -> list[tuple[str, str]]:
        """Order id and outcome of every execution."""
        return [(e.order_id, str(e.outcome)) for e in self.vehicle.ledger.executions]


HEADER = ("headerId", "timestamp", "version", "manufacturer", "serialNumber")


def references(error: dict[str, Any]) -> dict[str, str]:
    """The references of an error."""
    return {r["referenceKey"]: r["referenceValue"] for r in error["errorReferences"]}
