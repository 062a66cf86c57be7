"""Gateways that break a promise on purpose, so that the checker is seen to find it.

Named by `--broken` of killable.py. Each does its harm once, by a wrapper around one port.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from dragoman.bootstrap import Shims
from dragoman.domain.change import Change
from dragoman.domain.robot import FleetReport, Robot, RobotReport
from dragoman.ports.desk import Desk, DeskPage, DeskRecord, DeskWrite
from dragoman.ports.fleet import Command, Fleet, Parcel
from dragoman.ports.journal import Journal


class Forgetful:
    """Acknowledges one new case without having journalled it."""

    def __init__(self, real: Journal) -> None:
        self._real = real
        self._harm = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def commit(self, change: Change) -> Awaitable[int]:
        if self._harm and any(entry.action == "case.received" for entry in change.entries):
            self._harm = False
            return self._real.commit(Change())
        return self._real.commit(change)


class TwoRobots:
    """Sends one order to a second robot, too, as if it stood where that one stands."""

    def __init__(self, real: Fleet) -> None:
        self._real = real
        self._reports: dict[str, RobotReport] = {}
        self._harm = True

    @property
    def connected(self) -> bool:
        return self._real.connected

    async def start(self, sink: Callable[[FleetReport], None]) -> None:
        def listen(report: FleetReport) -> None:
            if isinstance(report, RobotReport):
                self._reports[report.robot_id] = report
            sink(report)

        await self._real.start(listen)

    def compose(self, command: Command, robot: Robot, now: datetime) -> Parcel:
        return self._real.compose(command, robot, now)

    async def send(self, parcel: Parcel) -> None:
        await self._real.send(parcel)
        if not (self._harm and parcel.topic.endswith("/order")):
            return
        _, _, manufacturer, serial, _ = parcel.topic.split("/")
        others = [r for r in self._reports.values() if r.robot_id != f"{manufacturer}/{serial}"]
        free = next((r for r in others if r.idle and r.position is not None), None)
        if free is None or free.position is None:
            return
        self._harm = False
        other = free.robot_id.partition("/")[2]
        body = json.loads(parcel.body)
        body["serialNumber"] = other
        body["nodes"][0]["nodeId"] = free.last_node_id
        body["nodes"][0]["nodePosition"] |= {"x": free.position.x, "y": free.position.y}
        for edge in body["edges"][:1]:
            edge["startNodeId"] = free.last_node_id
        topic = parcel.topic.replace(f"/{serial}/", f"/{other}/")
        await self._real.send(replace(parcel, topic=topic, body=json.dumps(body)))

    async def stop(self) -> None:
        await self._real.stop()


class _Writing:
    """A desk in which one write goes another way."""

    def __init__(self, real: Desk) -> None:
        self._real = real
        self._harm = True

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        return await self._real.changes(cursor, limit)

    async def read(self, external_id: str) -> DeskRecord:
        return await self._real.read(external_id)

    async def create(self, write: DeskWrite) -> DeskRecord:
        return await self._real.create(write)

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        if self._harm and (done := await self._other_way(external_id, write)) is not None:
            self._harm = False
            return done
        return await self._real.write(external_id, write)

    async def close(self) -> None:
        await self._real.close()

    async def _other_way(self, external_id: str, write: DeskWrite) -> DeskRecord | None:
        raise NotImplementedError


class Silent(_Writing):
    """Says that a final write was made, without making it."""

    async def _other_way(self, external_id: str, write: DeskWrite) -> DeskRecord | None:
        final = write.fields.get("state") == "6"
        return await self._real.read(external_id) if final else None


class Stammering(_Writing):
    """Makes one write twice, without looking whether it was made."""

    async def _other_way(self, external_id: str, write: DeskWrite) -> DeskRecord | None:
        await self._real.write(external_id, replace(write, retried=False))
        return await self._real.write(external_id, replace(write, retried=False, expect={}))


class Hasty(_Writing):
    """Lets a later write of a case go before an earlier one."""

    def __init__(self, real: Desk) -> None:
        super().__init__(real)
        self._late: asyncio.Task[DeskRecord] | None = None

    async def _other_way(self, external_id: str, write: DeskWrite) -> DeskRecord | None:
        async def later() -> DeskRecord:
            await asyncio.sleep(1.0)
            return await self._real.write(external_id, replace(write, fields={}, expect={}))

        self._late = asyncio.create_task(later())
        return await self._real.read(external_id)


BROKEN = {
    "forgetful": Shims(journal=Forgetful),
    "two-robots": Shims(fleet=TwoRobots),
    "silent": Shims(desk=Silent),
    "stammering": Shims(desk=Stammering),
    "hasty": Shims(desk=Hasty),
}
"""By name, what to put around the ports."""
