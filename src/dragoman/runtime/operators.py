"""What people and programs ask of the running gateway, by the API and the CLI behind it.

Reads look into the whole history; actions are committed before they return.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dragoman.domain.case import Case
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.domain.errors import NotFound, Permanent
from dragoman.domain.order import Assignment
from dragoman.domain.robot import Robot, RobotReport
from dragoman.flow import operate, writeback
from dragoman.flow.assign import Assign
from dragoman.flow.kit import Kit
from dragoman.ports.journal import Find, RowT, Tally
from dragoman.runtime.courier import Courier

READ_WITHIN_S = 2.0
"""How long the answer to a release waits for the record to be read. It takes effect later, too."""
NAMES = ("id", "number", "external_id")
"""By what a case can be named, beside its order ids, in the order of trying."""


class Operators:
    """Reads and actions over one site. latest: the newest state of each robot since the start.

    couriers: by target, to know what is out.
    """

    def __init__(
        self,
        kit: Kit,
        assign: Assign,
        latest: Mapping[str, RobotReport],
        couriers: Mapping[str, Courier],
    ) -> None:
        self.kit = kit
        self.latest = latest
        self._assign = assign
        self._couriers = couriers

    async def case(self, name: str) -> Case:
        """A case by id, number, external id, or one of its order ids; the newest if several.

        Raises NotFound.
        """
        for column in NAMES:
            case = await self._one(Case, {column: name})
            if case is not None:
                return case
        attempt = await self._one(Assignment, {"order_id": name})
        if attempt is not None:
            return await self.case(attempt.case_id)
        raise NotFound("no case has this id, number or order", field="case", value=name)

    async def case_to_act_on(self, name: str) -> Case:
        """As `case`; but a name that several records at desks have is refused.

        Raises NotFound, and Permanent with the ids to choose from.
        """
        found = await self.case(name)
        if name == found.id:
            return found
        newest: dict[tuple[str, str], Case] = {}
        for column in ("number", "external_id"):
            query = Find(where={column: name}, limit=50, newest_first=True)
            for case in (await self.kit.journal.find(Case, query)).rows:
                newest.setdefault(case.key, case)
        if len(newest) > 1:
            choice = ", ".join(f"{case.id} ({case.desk})" for case in newest.values())
            raise Permanent(
                "several cases have this name", field="case", value=name, mend=f"use {choice}"
            )
        return found

    async def delivery(self, delivery_id: str) -> Delivery:
        """One delivery. Raises NotFound."""
        found = await self._one(Delivery, {"id": delivery_id})
        if found is None:
            raise NotFound("no delivery has this id", field="delivery", value=delivery_id)
        return found

    async def robot(self, robot_id: str) -> Robot:
        """One robot. Raises NotFound."""
        robot = self.kit.site.robots.get(robot_id)
        if robot is None:
            raise NotFound("no robot has this id", field="robot", value=robot_id)
        return robot

    async def all(self, row: type[RowT], where: Mapping[str, str]) -> list[RowT]:
        """Every row that matches, oldest first. For one case's or robot's rows, not for lists."""
        rows: list[RowT] = []
        after = ""
        while True:
            found = await self.kit.journal.find(row, Find(where=where, after=after, limit=500))
            rows.extend(found.rows)
            after = found.next
            if not after:
                return rows

    async def timeline(self, case: Case) -> list[Entry]:
        """Everything the journal says of a case, in order."""
        return await self.all(Entry, {"case_id": case.id})

    def why_waiting(self, case: Case) -> str:
        """Why a queued case has no robot now."""
        return self._assign.why_waiting(case, self.latest)

    async def act(self, case_id: str, action: str, decision: operate.Decision) -> Case:
        """An action on an open case; the case as it is then. Raises Permanent if it can't be.

        A release waits a little for the desk: its record is read before it takes effect.
        """
        if case_id not in self.kit.site.cases:
            await self.kit.journal.commit(Change())
            raise operate.over(await self.case(case_id), action)
        await self.kit.journal.commit(operate.ask(self.kit, case_id, action, decision))
        case = self.kit.site.cases.get(case_id)
        until = self.kit.clock.monotonic() + READ_WITHIN_S
        while case is not None and self.kit.clock.monotonic() < until:
            if not any(d.state is DeliveryState.QUEUED for d in operate.releasing(self.kit, case)):
                break
            await asyncio.sleep(0.02)
        await self.kit.journal.commit(Change())
        return self.kit.site.cases.get(case_id) or await self.case(case_id)

    async def replay(
        self,
        delivery_id: str,
        decision: operate.Decision,
        payload: Mapping[str, object] | None = None,
    ) -> None:
        """Send a dead letter again, edited if `payload` is given. Raises Permanent, NotFound."""
        delivery = await self._unsettled(delivery_id)
        await self.kit.journal.commit(operate.replay(self.kit, delivery, decision, payload))

    async def drop(self, delivery_id: str, decision: operate.Decision) -> None:
        """Give a delivery up. Raises Permanent if it is out now or has ended already, NotFound."""
        delivery = await self._unsettled(delivery_id)
        courier = self._couriers.get(delivery.target)
        if courier is not None and courier.carries(delivery):
            raise Permanent(
                "this delivery is being made now, and may have arrived",
                field="delivery",
                value=delivery_id,
                mend="wait until its attempt is over: it has a deadline",
            )
        change = writeback.given_up(self.kit, delivery, decision.reason, decision.actor)
        await self.kit.journal.commit(change)

    async def ban(self, robot_id: str, decision: operate.Decision, *, lift: bool) -> Robot:
        """Take a robot out of service, or back in. Raises Permanent if there is none."""
        await self.kit.journal.commit(operate.ban(self.kit, robot_id, decision, lift=lift))
        return await self.robot(robot_id)

    async def tallies(self) -> Sequence[Tally]:
        """The outbox's sums. What couriers have out is queued for the journal, and shown apart."""
        sums = []
        for tally in await self.kit.journal.tallies():
            courier = self._couriers.get(tally.target)
            out = min(tally.queued, 0 if courier is None else courier.in_flight)
            sums.append(replace(tally, queued=tally.queued - out, in_flight=tally.in_flight + out))
        return sums

    async def _unsettled(self, delivery_id: str) -> Delivery:
        """A delivery as it is now, which the disk may not have yet. Raises Permanent, NotFound."""
        durable = await self.delivery(delivery_id)
        lane = self.kit.site.lanes.get((durable.target, durable.lane), {})
        if delivery_id not in lane:
            raise Permanent(
                "this delivery has ended already",
                field="state",
                value=durable.state,
                mend="only a queued or dead delivery can be changed",
            )
        return lane[delivery_id]

    async def _one(self, row: type[RowT], where: Mapping[str, str]) -> RowT | None:
        query = Find(where=where, limit=1, newest_first=True)
        rows = (await self.kit.journal.find(row, query)).rows
        return rows[0] if rows else None
