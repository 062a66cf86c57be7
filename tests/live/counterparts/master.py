"""A hand-written VDA 5050 2.0 master control, to try a vehicle without the gateway.

It shares no code with the gateway: what it sends is written out as the specification has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import gmqtt

from tests.live.counterparts.vehicle import MANUFACTURER, Vehicle

Message = dict[str, Any]


class Refused(Exception):
    """The broker didn't take the connection, for its user name or password."""


def move_order(order_id: str, node: str, *, x: float, action: str = "") -> Message:
    """Write an order that drives along the x axis from "home" to a node and acts there."""
    actions = [
        {
            "actionType": action,
            "actionId": f"{order_id}-act",
            "blockingType": "HARD",
            "actionParameters": [{"key": "duration", "value": 0.3}],
        }
    ]
    return {
        "orderId": order_id,
        "orderUpdateId": 0,
        "nodes": [
            _node("home", 0, 0.0, []),
            _node(node, 2, x, actions if action else []),
        ],
        "edges": [
            {
                "edgeId": f"home-{node}",
                "sequenceId": 1,
                "released": True,
                "startNodeId": "home",
                "endNodeId": node,
                "actions": [],
            }
        ],
    }


class Master:
    """A connection to the broker that sees all topics; an asynchronous context manager."""

    def __init__(self, port: int, trust: ssl.SSLContext, account: tuple[str, str]) -> None:
        self.topics: list[str] = []
        self._port = port
        self._trust = trust
        self._states: asyncio.Queue[tuple[str, Message]] = asyncio.Queue()
        self._connected = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._sent = 0
        self._client = gmqtt.Client(f"live-master-{id(self)}")
        self._client.set_auth_credentials(*account)
        self._client.set_config({"reconnect_retries": 0})
        self._client.on_connect = lambda *_: self._connected.set()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._note

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connect and subscribe. Raises Refused, or ssl.SSLCertVerificationError."""
        connecting = asyncio.ensure_future(
            self._client.connect(
                "127.0.0.1", self._port, ssl=self._trust, version=gmqtt.constants.MQTTv311
            )
        )
        try:
            await asyncio.wait_for(connecting, 10)
            await asyncio.wait_for(self._connected.wait(), 10)
        except (gmqtt.mqtt.handler.MQTTConnectError, TimeoutError) as error:
            raise Refused(str(error)) from error
        self._client.subscribe("#", qos=1)
        await asyncio.wait_for(self._subscribed.wait(), 10)

    async def close(self) -> None:
        """Disconnect."""
        # States may still come in while TLS closes, which Python's ssl takes for an error.
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._client.disconnect()

    def send(self, vehicle: Vehicle, topic: str, body: Message) -> None:
        """Publish an order or instant actions with the header that VDA 5050 asks for."""
        self._sent += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        header = {
            "headerId": self._sent,
            "timestamp": now,
            "version": "2.0.0",
            "manufacturer": MANUFACTURER,
            "serialNumber": vehicle.serial,
        }
        self._client.publish(vehicle.topic(topic), json.dumps(header | body).encode(), qos=0)

    async def wait_for_state(
        self, vehicle: Vehicle, fits: Callable[[Message], bool], timeout_s: float = 20.0
    ) -> Message:
        """Return the next state of a vehicle that fits; TimeoutError if none comes."""
        async with asyncio.timeout(timeout_s):
            while True:
                topic, state = await self._states.get()
                if topic == vehicle.topic("state") and fits(state):
                    return state

    def _note(
        self, client: gmqtt.Client, topic: str, payload: bytes, qos: int, properties: object
    ) -> int:
        del client, qos, properties
        self.topics.append(topic)
        if topic.endswith("/state"):
            self._states.put_nowait((topic, json.loads(payload)))
        return 0


def _node(node: str, sequence: int, x: float, actions: list[Message]) -> Message:
    return {
        "nodeId": node,
        "sequenceId": sequence,
        "released": True,
        "nodePosition": {"x": x, "y": 0.0, "mapId": "hall"},
        "actions": actions,
    }
