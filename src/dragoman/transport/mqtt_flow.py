"""Two small parts of one MQTT connection: the room for more messages, and the keep-alive.

Used by `mqtt_connection.py` only.
"""

import asyncio
from collections.abc import Callable

from dragoman.transport.mqtt_errors import NotSent


class SendWindow:
    """Holds publishers back while the socket takes nothing or too much is unacknowledged.

    most_unacknowledged: messages at QoS 1 in flight (Receive Maximum of MQTT 5, 3.1.2.11.3).
    """

    def __init__(self, most_unacknowledged: int) -> None:
        self._places = asyncio.Semaphore(most_unacknowledged)
        self.writable = asyncio.Event()
        self.writable.set()

    async def enter(self, qos: int, deadline_s: float) -> None:
        """Wait for room; at QoS 1 this takes a place, which `leave` gives back.

        Raises NotSent at the deadline.
        """
        try:
            async with asyncio.timeout(deadline_s):
                await self.writable.wait()
                if qos:
                    await self._places.acquire()
        except TimeoutError:
            raise NotSent("the MQTT broker took no more messages within the deadline") from None

    def leave(self, _: object = None) -> None:
        """Give the place back: the message is acknowledged, or was never written."""
        self._places.release()


class KeepAlive:
    """Pings twice per interval and tells when the peer was silent for one and a half of it.

    MQTT 3.1.1 section 3.1.2.10. ping: called to send a PINGREQ; silent: called once, with the
    seconds of silence, after which nothing more is pinged.
    """

    def __init__(self, ping: Callable[[], None], silent: Callable[[float], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ping = ping
        self._silent = silent
        self._interval_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.heard_at = self._loop.time()

    def start(self, interval_s: float) -> None:
        """Begin, or go on with another interval."""
        self.stop()
        self._interval_s = interval_s
        self._timer = self._loop.call_later(interval_s / 2, self._tick)

    def stop(self) -> None:
        """No more pings."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        silent_s = self._loop.time() - self.heard_at
        if silent_s > 1.4 * self._interval_s:
            self._silent(silent_s)
            return
        self._ping()
        self._timer = self._loop.call_later(self._interval_s / 2, self._tick)
