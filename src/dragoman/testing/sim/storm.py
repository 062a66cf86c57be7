"""A seeded scheduler that does to a simulated site whatever may happen, in any order."""

from random import Random

from dragoman.testing.robots.misbehaviour import BEHAVED, Misbehaviour
from dragoman.testing.sim.gateway import PLACES
from dragoman.testing.sim.invariants import broken, unfinished
from dragoman.testing.sim.world import World

MISBEHAVIOURS = (
    Misbehaviour(reject="orderError", rejects=1),
    Misbehaviour(frozen=True),
    Misbehaviour(silent=True),
    *(Misbehaviour(fail_actions=True),) * 3,  # bites only if an order reaches its action meanwhile
    Misbehaviour(duplicate=True),
    Misbehaviour(reorder=True),
    Misbehaviour(slow_acceptance_s=4.0),
    Misbehaviour(clock_skew_s=900.0),
    Misbehaviour(fatal="motorError"),
    Misbehaviour(e_stop="MANUAL"),
    Misbehaviour(mode="MANUAL"),
)
ACTIONS = ("hold", "release", "cancel", "reassign")


class Storm:
    """One run: `blow` takes steps by chance, then `calm` heals and checks. story: what was done."""

    def __init__(self, seed: int, robots: int = 3) -> None:
        self.rng = Random(seed)  # noqa: S311 (a scene to repeat, no secret)
        self.world = World(robots)
        self.story: list[str] = []

    def blow(self, steps: int = 150) -> list[str]:
        """Take steps until a promise breaks; what broke, or nothing."""
        choices = (
            (self._work, 60),
            (self._bustle, 6),
            (self._time, 16),
            (self._desk, 8),
            (self._wire, 10),
            (self._robot, 5),
            (self._people, 3),
            (self._crash, 2),
        )
        moves, weights = zip(*choices, strict=True)
        for _ in range(steps):
            self.rng.choices(moves, weights)[0]()
            found = list(broken(self.world))
            if found:
                return found
        return []

    def calm(self) -> list[str]:
        """Heal the world and let people look after what waits for them; what does not hold."""
        self.story.append("heal")
        self.world.heal(90)
        self.world.look_after()
        self.world.heal(150)
        self.world.look_after()
        self.world.heal(60)
        return [*broken(self.world), *unfinished(self.world), *self._still_works()]

    def _still_works(self) -> list[str]:
        """After the storm, new tickets must simply be done."""
        desk = self.world.desk
        new = [desk.open(place) for place in PLACES]
        self.world.heal(60)
        told = {ticket: [status for _, status in desk.tickets[ticket].told] for ticket in new}
        return [
            f"after the storm ticket {ticket} was told {statuses}"
            for ticket, statuses in told.items()
            if statuses[-1:] != ["done"]
        ]

    def _say(self, what: str) -> None:
        self.story.append(f"{self.world.clock.now():%H:%M:%S} {what}")

    def _work(self) -> None:
        """The gateway, the disk or a robot goes one step on."""
        world, rng = self.world, self.rng
        lanes = sorted(world.lanes())
        down = sorted(r for r, wire in world.fleet.down.items() if wire)
        up = sorted(r for r, wire in world.fleet.up.items() if wire)
        options = [("poll", ""), ("assign", ""), ("sync", ""), ("fire", "")]
        options += [("carry", str(i)) for i in range(len(lanes))]
        options += [("robot_reads", r) for r in down] + [("hear", r) for r in up]
        name, argument = rng.choice(options)
        self._say(f"{name} {lanes[int(argument)] if name == 'carry' else argument}")
        if name == "carry":
            world.carry(lanes[int(argument)], die_after=rng.random() < 0.03)
        elif argument:
            getattr(world, name)(argument)
        else:
            getattr(world, name)()

    def _bustle(self) -> None:
        self._say("settle")
        self.world.settle()

    def _time(self) -> None:
        seconds = self.rng.choice((0.5, 1.0, 1.0, 1.6, 1.6, 2.0, 3.0, 5.0, 20.0, 70.0))
        self._say(f"pass_time {seconds}")
        self.world.pass_time(seconds)
        self.world.fire()

    def _desk(self) -> None:
        desk, rng = self.world.desk, self.rng
        kind = rng.choice(("open", "open", "open", "edit", "move", "cancel", "refuse"))
        self._say(f"desk {kind}")
        tickets = [t.id for t in desk.tickets.values() if t.phase == "open"]
        if kind == "open" and len(desk.tickets) < 6:
            desk.open(rng.choice((*PLACES, "nowhere")))
        elif kind == "refuse":
            desk.refuse.append(rng.choice(("retry", "reset")))
        elif tickets and kind == "edit":
            desk.change(rng.choice(tickets), priority=rng.choice("12345"))
        elif tickets and kind == "move":
            desk.change(rng.choice(tickets), location=rng.choice(tuple(PLACES)))
        elif tickets and kind == "cancel":
            desk.change(rng.choice(tickets), phase="cancelled")

    def _wire(self) -> None:
        """Lose or repeat a message. Connection messages are QoS 1 and retained: never lost."""
        fleet, rng = self.world.fleet, self.rng
        robot_id = rng.choice(sorted(self.world.vehicles))
        kind = rng.choice(("lose order", "lose state", "repeat state", "broker"))
        self._say(f"wire {kind} {robot_id}")
        up, down = fleet.up[robot_id], fleet.down[robot_id]
        if kind == "broker":
            fleet.broker_up = not fleet.broker_up
        elif kind == "lose order":
            down.clear()
        elif kind == "lose state":
            kept = [message for message in up if message.kind != "state"]
            up.clear()
            up.extend(kept)
        elif kind == "repeat state" and up and up[0].kind == "state":
            up.appendleft(up[0])

    def _robot(self) -> None:
        robot_id = self.rng.choice(sorted(self.world.vehicles))
        if self.rng.random() < 0.3:
            self._say(f"reboot {robot_id}")
            self.world.reboot(robot_id)
            return
        switches = self.rng.choice((*MISBEHAVIOURS, BEHAVED, BEHAVED, BEHAVED))
        self._say(f"misbehave {robot_id} {switches}")
        self.world.misbehave(robot_id, switches)

    def _people(self) -> None:
        cases = sorted(self.world.kit.site.cases)
        if cases:
            case_id, action = self.rng.choice(cases), self.rng.choice(ACTIONS)
            if action == "release" and is_known_as_done(self.world, case_id):
                action = "cancel"
            self._say(f"people {action} {case_id}")
            self.world.act(case_id, action)

    def _crash(self) -> None:
        self._say("crash")
        self.world.crash()


def is_known_as_done(world: World, case_id: str) -> bool:
    """The gateway said that it may be done already, and whoever looked has seen that it is."""
    case = world.kit.site.cases[case_id]
    return case.perhaps_done and world.is_done(case.number)
