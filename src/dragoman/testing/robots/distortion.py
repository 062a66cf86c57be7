"""How misbehaving vehicles spoil what they publish: lies, garbage, doubled and swapped messages.

Pure. `Vehicle` (vehicle.py) passes every message through here; the body behind it stays honest,
and so does the ledger.
"""

import math
from typing import Any

from dragoman.testing.robots.messages import Outgoing
from dragoman.testing.robots.misbehaviour import Garbage, Lie, Misbehaviour

_HUGE = 5_000_000


class Distorter:
    """Remembers the state that waits to be overtaken by the next one."""

    def __init__(self) -> None:
        self._waiting: Outgoing | None = None

    def apply(self, message: Outgoing, misbehaviour: Misbehaviour) -> list[Outgoing]:
        """Return what really goes out in place of `message`."""
        if misbehaviour.silent:
            return []
        waiting, self._waiting = self._waiting, None
        messages = [message] if waiting is None else [message, waiting]
        if misbehaviour.reorder and waiting is None and message.kind == "state":
            self._waiting = message
            return []
        return [m for m in messages for _ in range(2 if misbehaviour.duplicate else 1)]


def lie(body: dict[str, Any], kind: Lie, end: tuple[str, int]) -> dict[str, Any]:
    """Return the state that a liar reports. end: last node and sequenceId of its order."""
    idle = {"nodeStates": [], "edgeStates": [], "driving": False}
    if kind is Lie.IDLE:
        return {**body, **idle, "orderId": "", "orderUpdateId": 0, "actionStates": []}
    if kind is Lie.FINISHED:
        done = [{**told, "actionStatus": "FINISHED"} for told in body["actionStates"]]
        place = {"lastNodeId": end[0], "lastNodeSequenceId": end[1]}
        return {**body, **idle, **place, "actionStates": done}
    made_up = {"orderId": "order-that-nobody-sent", "orderUpdateId": 0, "actionStates": []}
    if kind is Lie.NEVER_SENT:
        told = {"actionId": "action-that-nobody-sent", "actionStatus": "FINISHED"}
        return {**body, **idle, **made_up, "actionStates": [told]}
    node = {"nodeId": "somewhere-else", "sequenceId": 2, "released": True}
    edge = {"edgeId": "another-way", "sequenceId": 1, "released": True}
    busy = {"nodeStates": [node], "edgeStates": [edge], "driving": True}
    return {**body, **made_up, **busy}


def spoil(state: dict[str, Any], kind: Garbage) -> bytes | dict[str, Any]:
    """Return one piece of garbage made from a good state: bytes, or a dictionary to encode."""
    if kind is Garbage.JSON:
        return b'{"headerId": 1, "timestamp": "2026-'
    if kind is Garbage.HUGE:
        return {**state, "information": [], "padding": "x" * _HUGE}
    if kind is Garbage.FOREIGN:
        return {**state, "manufacturer": "somebody-else", "serialNumber": "not-me"}
    if kind is Garbage.FUTURE:
        time = state["timestamp"]
        return {**state, "timestamp": time.replace(year=time.year + 10, day=1)}
    return {**state, "nodeStates": "none", "orderId": {"id": 1}, "headerId": -math.pi}
