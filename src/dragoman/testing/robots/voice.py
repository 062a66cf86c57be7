"""How a simulated vehicle speaks: headers, topics, and what misbehaviour makes of its messages.

Pure. `Vehicle` (vehicle.py) decides when to speak, `Body` (body.py) knows what is true. Nothing
is said while the vehicle is offline.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from dragoman.testing.robots import distortion
from dragoman.testing.robots.body import Body
from dragoman.testing.robots.messages import (
    Kind,
    Outgoing,
    encode,
    factsheet_body,
    header,
    outgoing,
)
from dragoman.testing.robots.misbehaviour import Garbage


class Voice:
    """Speaks for one body. online: there is a connection to speak on. said_at: when the last
    state was due or said, which the state interval counts from."""

    def __init__(self, body: Body, now: datetime) -> None:
        self._body = body
        self._headers: Counter[str] = Counter()
        self._distorter = distortion.Distorter()
        self.online = False
        self.said_at = now

    def reset(self) -> None:
        """A restart: all counters begin at 0 again, nothing waits."""
        self._headers.clear()
        self._distorter = distortion.Distorter()
        self.online = False

    def connection(self, state: str, now: datetime) -> list[Outgoing]:
        """ONLINE or OFFLINE."""
        return self._send(self.compose("connection", {"connectionState": state}, now))

    def factsheet(self, now: datetime) -> list[Outgoing]:
        """What the vehicle is and can do."""
        return self._send(self.compose("factsheet", factsheet_body(self._body.profile), now))

    def state(self, now: datetime) -> list[Outgoing]:
        """A state, true or not; the first that leaves with an order in it acknowledges that."""
        self.said_at = now
        if not self.online:
            return []
        body = self._body.state(now)
        lie = self._body.misbehaviour.lie
        if lie is not None:
            body = distortion.lie(body, lie, self._body.order_end)
        messages = self._send(self.compose("state", body, now))
        journey = self._body.journey
        if messages and journey is not None and body["orderId"] == journey.order_id:
            self._body.ledger.acknowledge(body["orderId"], body["orderUpdateId"], now)
        return messages

    def garbage(self, kind: Garbage, now: datetime) -> list[Outgoing]:
        """One piece of garbage on the state topic."""
        if not self.online:
            return []
        state = {**self._header("state", now), **self._body.state(now)}
        spoilt = distortion.spoil(state, kind)
        payload = spoilt if isinstance(spoilt, bytes) else encode(spoilt)
        return [outgoing("state", self._body.profile, payload)]

    def compose(self, kind: Kind, body: dict[str, Any], now: datetime) -> Outgoing:
        """A message with its header."""
        return outgoing(kind, self._body.profile, encode({**self._header(kind, now), **body}))

    def _send(self, message: Outgoing) -> list[Outgoing]:
        return self._distorter.apply(message, self._body.misbehaviour) if self.online else []

    def _header(self, kind: Kind, now: datetime) -> dict[str, Any]:
        header_id = self._headers[kind]
        self._headers[kind] += 1
        skew = timedelta(seconds=self._body.misbehaviour.clock_skew_s)
        return header(self._body.profile, header_id, now + skew)
