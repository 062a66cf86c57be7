"""One simulated site: the gateway and what lies outside of it, moved one small step at a time.

Vehicles are those of testing/robots/vehicle.py, the same that speak over real MQTT elsewhere.
"""

from collections.abc import Sequence

from dragoman.domain.case import CaseState
from dragoman.domain.policy import Policy
from dragoman.flow import operate
from dragoman.testing.robots.ledger import Outcome
from dragoman.testing.robots.misbehaviour import Misbehaviour
from dragoman.testing.robots.profile import Pose, VehicleProfile
from dragoman.testing.robots.vehicle import Vehicle
from dragoman.testing.sim.gateway import SimGateway


class World(SimGateway):
    """A site with its desk and robots. Methods are single steps; `heal` lets all of it settle."""

    def __init__(self, robots: int = 2, *, policy: Policy | None = None) -> None:
        super().__init__(policy or Policy())
        self.vehicles = {v.profile.robot_id: v for v in self._vehicles(robots)}
        for robot_id, vehicle in self.vehicles.items():
            self.fleet.add(vehicle)
            self.fleet.up[robot_id].extend(vehicle.connected(self.clock.now()))

    def _vehicles(self, count: int) -> Sequence[Vehicle]:
        return [
            Vehicle(
                VehicleProfile(
                    serial=f"r{n}",
                    version="2.1.0" if n % 2 else "2.0.0",
                    pose=Pose(x=float(n), y=0.0),
                    node_id=f"home-{n}",
                    speed_mps=5.0,
                ),
                self.clock.now(),
            )
            for n in range(count)
        ]

    def pass_time(self, seconds: float) -> None:
        """Time passes; vehicles go on."""
        self.clock.advance(seconds)
        for robot_id, vehicle in self.vehicles.items():
            self.fleet.up[robot_id].extend(vehicle.advance(self.clock.now()))

    def robot_reads(self, robot_id: str) -> None:
        """A vehicle takes one message off its wire."""
        wire = self.fleet.down[robot_id]
        if wire:
            kind, payload = wire.popleft()
            said = self.vehicles[robot_id].received(kind, payload, self.clock.now())
            self.fleet.up[robot_id].extend(said)

    def is_running(self, order_id: str) -> bool:
        """Whether any vehicle really executes this order now."""
        return any(
            execution.order_id == order_id and execution.outcome is Outcome.RUNNING
            for vehicle in self.vehicles.values()
            for execution in vehicle.ledger.executions
        )

    def is_done(self, number: str) -> bool:
        """Whether any vehicle really finished the work of this case."""
        return any(
            execution.case_ref == number and execution.outcome is Outcome.FINISHED
            for vehicle in self.vehicles.values()
            for execution in vehicle.ledger.executions
        )

    def misbehave(self, robot_id: str, switches: Misbehaviour) -> None:
        """Set a vehicle's switches."""
        said = self.vehicles[robot_id].misbehave(switches, self.clock.now())
        self.fleet.up[robot_id].extend(said)

    def reboot(self, robot_id: str) -> None:
        """A vehicle restarts: its memory is gone, and so is what was on its wires."""
        vehicle, now = self.vehicles[robot_id], self.clock.now()
        vehicle.reboot(now)
        self.fleet.down[robot_id].clear()
        self.fleet.up[robot_id].extend(vehicle.connected(now))

    def heal(self, seconds: float = 400.0) -> None:
        """Mend all faults, and let everything go on for so long."""
        self.fleet.broker_up = True
        self.desk.refuse.clear()
        for robot_id in self.vehicles:
            self.misbehave(robot_id, Misbehaviour())
        until = self.clock.now().timestamp() + seconds
        while self.clock.now().timestamp() < until:
            self.settle()
            self.pass_time(1.0)
            self.fire()
        self.settle()

    def look_after(self) -> None:
        """What people do in the end: confirm a stop that they have seen, cancel what is held."""
        for case in tuple(self.kit.site.cases.values()):
            if case.state is CaseState.UNCERTAIN and not self.is_running(case.order_id):
                self.act(case.id, "confirm-stopped")
            self.act(case.id, "cancel")
        decision = operate.Decision(actor="operator:x", reason="looked after")
        for robot in tuple(self.kit.site.robots.values()):
            if robot.quarantined and not self.is_running(robot.last):
                self.commit(operate.ban(self.kit, robot.id, decision, lift=True))

    def settle(self) -> None:
        """Everything that can happen without time passing."""
        for _ in range(200):
            self.poll()
            self.assign()
            self.sync()
            lanes = self.lanes()
            for key in lanes:
                self.carry(key)
            moved = bool(lanes)
            for robot_id in self.vehicles:
                while self.fleet.down[robot_id]:
                    self.robot_reads(robot_id)
                while self.fleet.up[robot_id]:
                    self.hear(robot_id)
                    moved = True
            if not moved:
                return
