"""Virtual AGVs of npm's vda-5050-lib 1.4.0 (VDA 5050 2.0), each a node process of its own."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live.counterparts.mosquitto import Mosquitto
from tests.live.counterparts.processes import Process

PROGRAM = Path(__file__).parent.parent / "vehicle" / "vehicle.mjs"
MANUFACTURER = "coaty"
INTERFACE = "uagv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a vehicle stands at its start: metres on a map, and the node it believes to be at."""

    map: str = "hall"
    x: float = 0.0
    y: float = 0.0
    node: str = "home"


def is_installed() -> bool:
    """Tell whether tests/live/setup.sh has been run on this machine."""
    return shutil.which("node") is not None and (PROGRAM.parent / "node_modules").is_dir()


class Vehicle:
    """One vehicle: `start()`, `freeze()`, `thaw()`, `kill()`; `events()` tells what it did.

    `rejects_orders` makes it refuse each order in the library's own way. `more` overrides any
    option of vehicle.mjs, such as `speed` (m/s) or `timeLapse` (simulated seconds in a real one).
    """

    def __init__(
        self,
        serial: str,
        *,
        broker: Mosquitto,
        account: tuple[str, str],
        folder: Path,
        place: Place | None = None,
        rejects_orders: bool = False,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        place = place or Place()
        self.serial = serial
        self.log = folder / f"{serial}.jsonl"
        self._options = {
            "brokerUrl": broker.url,
            "caFile": str(broker.ca_file),
            "username": account[0],
            "password": account[1],
            "interfaceName": INTERFACE,
            "manufacturer": MANUFACTURER,
            "serialNumber": serial,
            "map": place.map,
            "x": place.x,
            "y": place.y,
            "lastNodeId": place.node,
            "rejectOrders": rejects_orders,
            **(more or {}),
        }
        self._process: Process | None = None

    def topic(self, name: str) -> str:
        """MQTT topic of this vehicle, such as `topic("state")`."""
        return f"{INTERFACE}/v2/{MANUFACTURER}/{self.serial}/{name}"

    def start(self) -> None:
        """Start the vehicle and wait until it has subscribed and is attached."""
        known = self.count("started")
        self._process = Process(
            ["node", PROGRAM],
            log=self.log,
            cwd=PROGRAM.parent,
            env={"VEHICLE": json.dumps(self._options)},
        )
        self._process.wait_until(
            lambda: self.count("started") > known, f"vehicle {self.serial}", 20
        )

    def freeze(self) -> None:
        """Stop its clock and its network (SIGSTOP): the broker still thinks it is there."""
        self._running().signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen vehicle go on (SIGCONT)."""
        self._running().signal(signal.SIGCONT)

    def stop(self) -> None:
        """Let it say OFFLINE and end."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def close(self) -> None:
        """End it, frozen or not."""
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would: the broker publishes its last will."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def events(self) -> list[dict[str, Any]]:
        """Everything that it did, oldest first; see `say` in vehicle.mjs for the shapes."""
        if not self.log.exists():
            return []
        lines = self.log.read_text().splitlines(keepends=True)
        # The last line may still be half written; others that aren't JSON are node's own.
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def count(self, event: str, **details: Any) -> int:
        """How many events of a kind carry these details."""
        return sum(
            one["event"] == event and all(one.get(key) == value for key, value in details.items())
            for one in self.events()
        )

    def accepted_orders(self) -> list[str]:
        """The orderIds that it took, in order; a repeated one is an order that ran twice."""
        return [
            one["orderId"]
            for one in self.events()
            if one["event"] == "order accepted" and one["orderUpdateId"] == 0
        ]

    def finished_actions(self, types: Sequence[str] = ()) -> list[tuple[str, str, str]]:
        """(orderId, actionId, actionType) of each action that ended FINISHED, in order."""
        return [
            (one["orderId"], one["actionId"], one["actionType"])
            for one in self.events()
            if one["event"] == "action ended"
            and one["actionStatus"] == "FINISHED"
            and (not types or one["actionType"] in types)
        ]

    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError(f"vehicle {self.serial} is not running")
        return self._process
