"""What every fleet has to do: one suite for all implementations of ports/fleet.py.

Subclass FleetConformance in a test module, and override the fixture `world`.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dragoman.domain.errors import Permanent, RetryLater
from dragoman.domain.robot import FleetReport, Introduction, Link, LinkReport, RobotReport
from dragoman.ports.fleet import AskState, CancelOrder, SendOrder
from dragoman.testing.conformance.feed import LONGEST_S, eventually
from dragoman.testing.conformance.fleet_master import (
    FleetWorld,
    Master,
    an_order,
    arrived,
    commanding,
)

AT_ONCE_S = 2.0
"""The most that "at once" may take on a busy machine; no network deadline is that short."""


async def _order_is_executed(world: FleetWorld, master: Master, robot_id: str) -> None:
    await arrived(master, robot_id)
    order = an_order(robot_id, f"order-of-{robot_id}")
    await master.send(SendOrder(order=order), robot_id)
    await eventually(lambda: world.outcomes(robot_id)[-1:] == [(order.id, "finished")])
    await eventually(lambda: master.status(robot_id, f"{order.id}-a2") == "FINISHED")
    last = master.states(robot_id)[-1]
    assert (last.order_id, last.idle, last.last_sequence_id) == (order.id, True, 2)
    assert {a.status for a in last.actions if a.id in order.action_ids} == {"FINISHED"}
    assert list(world.outcomes(robot_id)) == [(order.id, "finished")]


async def _order_is_cancelled(world: FleetWorld, master: Master, robot_id: str) -> None:
    await arrived(master, robot_id)
    order = an_order(robot_id, f"order-of-{robot_id}")
    await master.send(SendOrder(order=order), robot_id)
    await eventually(lambda: master.states(robot_id)[-1].order_id == order.id)
    await master.send(CancelOrder(order_id=order.id, action_id="stop-it"), robot_id)
    await eventually(lambda: master.status(robot_id, "stop-it") == "FINISHED")
    assert master.states(robot_id)[-1].idle
    assert list(world.outcomes(robot_id)) == [(order.id, "cancelled")]


class OrderConformance:
    """Orders, and what is told of them."""

    @pytest.fixture
    def world(self) -> FleetWorld:
        """The fleet under test; override it."""
        raise NotImplementedError

    async def test_an_order_is_executed_and_told(self, world: FleetWorld) -> None:
        """From the acknowledgement to the end, by robots of every version."""
        async with commanding(world) as master:
            for number, version in enumerate(world.versions):
                robot_id = await world.add(f"r{number}", version)
                await _order_is_executed(world, master, robot_id)
                assert master.robots[robot_id].dialect == version

    async def test_a_cancelled_order_ends(self, world: FleetWorld) -> None:
        """The robot stops, and says so under the id of the command."""
        async with commanding(world) as master:
            for number, version in enumerate(world.versions):
                robot_id = await world.add(f"r{number}", version, slow=True)
                await _order_is_cancelled(world, master, robot_id)

    async def test_nothing_to_cancel_is_told(self, world: FleetWorld) -> None:
        """By it the gateway knows that a lost order isn't running."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            await master.send(CancelOrder(order_id="never-sent", action_id="stop-it"), robot_id)
            await eventually(lambda: master.status(robot_id, "stop-it") == "FAILED")
            assert list(world.outcomes(robot_id)) == []

    async def test_a_robot_that_is_asked_tells_its_state(self, world: FleetWorld) -> None:
        """At once, and not at its next interval."""
        async with commanding(world) as master:
            for number, version in enumerate(world.versions):
                robot_id = await world.add(f"r{number}", version)
                await arrived(master, robot_id)
                before = len(master.states(robot_id))
                await master.send(AskState(action_id="how-are-you"), robot_id)
                await master.more_states(robot_id, before)

    async def test_a_repeated_parcel_is_executed_once(self, world: FleetWorld) -> None:
        """The gateway repeats identical bytes until the order is acknowledged."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            parcel = await master.send(SendOrder(order=an_order(robot_id, "order-1")), robot_id)
            await eventually(lambda: list(world.outcomes(robot_id)) == [("order-1", "finished")])
            await master.fleet.send(parcel)
            await master.send(SendOrder(order=an_order(robot_id, "order-2")), robot_id)
            await eventually(lambda: len(world.outcomes(robot_id)) == 2)
            assert [order_id for order_id, _ in world.outcomes(robot_id)] == ["order-1", "order-2"]

    async def test_composing_is_pure_and_counts_headers(self, world: FleetWorld) -> None:
        """The journal holds the very bytes, and each topic kind has a counter of its own."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            robot, now = master.robots[robot_id], datetime.now(UTC)
            order = SendOrder(order=an_order(robot_id, "order-1"))
            cancel = CancelOrder(order_id="order-1", action_id="stop-it")
            first = master.fleet.compose(order, robot, now)
            assert master.fleet.compose(order, robot, now) == first
            counted = replace(robot, headers={first.header: 1})
            assert master.fleet.compose(order, counted, now).body != first.body
            other = master.fleet.compose(cancel, robot, now)
            assert other.header != first.header
            assert master.fleet.compose(cancel, counted, now) == other

    async def test_an_unknown_dialect_is_refused(self, world: FleetWorld) -> None:
        """For good: repeating it would not help."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            stranger = replace(master.robots[robot_id], dialect="9.9.9")
            command = AskState(action_id="how-are-you")
            with pytest.raises(Permanent):
                master.fleet.compose(command, stranger, datetime.now(UTC))


class LinkConformance:
    """Who is there, and what happens when the way between is cut."""

    @pytest.fixture
    def world(self) -> FleetWorld:
        """The fleet under test; override it."""
        raise NotImplementedError

    async def test_a_robot_introduces_itself_first(self, world: FleetWorld) -> None:
        """A state of somebody unknown can't be kept."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            assert isinstance(master.heard[0], Introduction)
            await eventually(
                lambda: any(
                    isinstance(r, LinkReport) and r.link is Link.ONLINE for r in master.heard
                )
            )
            state = master.states(robot_id)[0]
            assert (state.order_id, state.idle, state.last_node_id) == ("", True, "home")
            assert state.position is not None
            assert (state.position.x, state.position.y, state.position.map_id) == (0, 0, "map")
            assert state.received_at.tzinfo is UTC

    async def test_a_robot_is_introduced_once(self, world: FleetWorld) -> None:
        """Unless it says something new of itself."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            for number in range(3):
                await master.send(AskState(action_id=f"ask-{number}"), robot_id)
                await master.reported(robot_id, f"ask-{number}")
            said = [r for r in master.heard if isinstance(r, Introduction)]
            news = {(r.dialect, r.capabilities) for r in said}
            assert len(said) == len(news)

    async def test_a_parcel_is_sent_now_or_never(self, world: FleetWorld) -> None:
        """One that failed must not reach a robot later: the case may be elsewhere by then."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            await world.cut()
            await self._until_noticed(master, robot_id)
            never = master.compose(SendOrder(order=an_order(robot_id, "never")), robot_id)
            for _ in range(20):
                with pytest.raises(RetryLater):
                    async with asyncio.timeout(AT_ONCE_S):
                        await master.fleet.send(never)
            await world.restore()
            await master.send(SendOrder(order=an_order(robot_id, "order-2")), robot_id)
            await eventually(lambda: ("order-2", "finished") in world.outcomes(robot_id))
            assert [order_id for order_id, _ in world.outcomes(robot_id)] == ["order-2"]

    async def _until_noticed(self, master: Master, robot_id: str) -> None:
        """Ask for the state until the fleet has noticed that nothing goes out."""
        async with asyncio.timeout(LONGEST_S):
            while True:
                try:
                    await master.fleet.send(
                        master.compose(AskState(action_id="anybody-there"), robot_id)
                    )
                except RetryLater:
                    return
                await asyncio.sleep(0.01)

    async def test_reports_resume_after_a_cut(self, world: FleetWorld) -> None:
        """By itself, and without a second introduction to wait for."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            await world.cut()
            await self._until_noticed(master, robot_id)
            before = len(master.states(robot_id))
            await world.restore()
            await master.send(AskState(action_id="back-again"), robot_id)
            await master.more_states(robot_id, before)

    async def test_it_starts_while_nothing_can_be_reached(self, world: FleetWorld) -> None:
        """At once, and finds the robots when they can be."""
        await world.cut()
        master = Master(world.fleet())
        async with asyncio.timeout(AT_ONCE_S):
            await master.fleet.start(master.hear)
        await world.restore()
        robot_id = await world.add("r1", world.versions[0])
        try:
            await eventually(lambda: robot_id in master.robots)
            await master.send(AskState(action_id="how-are-you"), robot_id)
            await arrived(master, robot_id)
        finally:
            await master.fleet.stop()

    async def test_a_stopped_fleet_sends_nothing(self, world: FleetWorld) -> None:
        """And stopping twice is harmless."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            parcel = master.compose(SendOrder(order=an_order(robot_id, "never")), robot_id)
        with pytest.raises(RetryLater):
            await master.fleet.send(parcel)
        await master.fleet.stop()
        assert list(world.outcomes(robot_id)) == []

    async def test_garbage_is_told_and_does_no_harm(self, world: FleetWorld) -> None:
        """Each kind as a BadMessage of its kind; the robot is heard as before."""
        async with commanding(world) as master:
            robot_id = await world.add("r1", world.versions[0])
            await arrived(master, robot_id)
            for garbage, kind in world.garbage.items():
                before, told = len(master.states(robot_id)), master.bad()[kind]
                await world.spoil(robot_id, garbage)
                await master.more_states(robot_id, before)
                assert master.bad()[kind] == told + 1, garbage
            assert sum(master.bad().values()) == len(world.garbage)
            assert all(r.robot_id == robot_id for r in master.heard)

    async def test_a_sink_that_raises_does_no_harm(self, world: FleetWorld) -> None:
        """The reports after that are delivered."""
        fleet = world.fleet()
        heard: list[FleetReport] = []

        def sink(report: FleetReport) -> None:
            heard.append(report)
            if len(heard) == 1:
                raise ValueError("a defect of the sink")

        await fleet.start(sink)
        try:
            await eventually(lambda: fleet.connected)
            await world.add("r1", world.versions[0])
            await eventually(lambda: heard)
            second = await world.add("r2", world.versions[0])
            await eventually(
                lambda: any(isinstance(r, RobotReport) and r.robot_id == second for r in heard)
            )
        finally:
            await fleet.stop()


class FleetConformance(OrderConformance, LinkConformance):
    """The whole suite."""
