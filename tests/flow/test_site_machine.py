"""Hypothesis drives a whole site: arbitrary interleavings, losses, repeats, crashes and restarts.

After every step the promises G2 and G3 are checked by the vehicles' own ledgers and the site's
state; at the end the world is healed and everything must come to an end (G3) and be told (G4).
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dragoman.testing.robots.misbehaviour import BEHAVED, Misbehaviour
from dragoman.testing.sim import World, broken, unfinished
from dragoman.testing.sim.gateway import PLACES
from dragoman.testing.sim.storm import ACTIONS, MISBEHAVIOURS, is_known_as_done

ROBOTS = st.sampled_from(["dragoman/r0", "dragoman/r1"])
SECONDS = st.sampled_from([0.3, 1.0, 1.6, 3.0, 6.0, 20.0, 100.0])


class Outside(RuleBasedStateMachine):
    """What people, the desk, the wires and robots may do to two robots and one desk."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(2)

    @rule(place=st.sampled_from([*PLACES, "nowhere"]))
    def a_person_opens_a_ticket(self, place: str) -> None:
        if len(self.world.desk.tickets) < 5:
            self.world.desk.open(place)

    @rule(what=st.sampled_from(["cancelled", "priority", "location"]), which=st.integers(1, 5))
    def a_person_changes_a_ticket(self, what: str, which: int) -> None:
        ticket = self.world.desk.tickets.get(str(which))
        if ticket is None or ticket.phase != "open":
            return
        fields = {"phase": what} if what == "cancelled" else {}
        fields |= {"priority": "1"} if what == "priority" else {}
        fields |= {"location": "lab"} if what == "location" else {}
        self.world.desk.change(str(which), **fields)

    @rule(robot=ROBOTS)
    def a_robot_reads(self, robot: str) -> None:
        self.world.robot_reads(robot)

    @rule(robot=ROBOTS)
    def a_message_to_a_robot_is_lost(self, robot: str) -> None:
        if self.world.fleet.down[robot]:
            self.world.fleet.down[robot].popleft()

    @rule(robot=ROBOTS, repeat=st.booleans())
    def a_state_is_lost_or_repeated(self, robot: str, repeat: bool) -> None:
        up = self.world.fleet.up[robot]
        if up and up[0].kind == "state":
            if repeat:
                up.appendleft(up[0])
            else:
                up.popleft()

    @rule(robot=ROBOTS)
    def two_states_swap(self, robot: str) -> None:
        up = self.world.fleet.up[robot]
        if len(up) > 1 and up[0].kind == up[1].kind == "state":
            up[0], up[1] = up[1], up[0]

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        self.world.fire()

    @rule(robot=ROBOTS, switches=st.sampled_from([*MISBEHAVIOURS, BEHAVED, BEHAVED]))
    def a_robot_misbehaves(self, robot: str, switches: Misbehaviour) -> None:
        self.world.misbehave(robot, switches)

    @rule(robot=ROBOTS)
    def a_robot_restarts(self, robot: str) -> None:
        self.world.reboot(robot)

    @rule(fault=st.sampled_from(["retry", "reset"]))
    def the_desk_falters(self, fault: str) -> None:
        self.world.desk.refuse.append(fault)

    @rule()
    def the_broker_goes_or_comes(self) -> None:
        self.world.fleet.broker_up = not self.world.fleet.broker_up

    @rule(action=st.sampled_from(ACTIONS), which=st.integers(0, 5))
    def a_person_decides(self, action: str, which: int) -> None:
        cases = sorted(self.world.kit.site.cases)
        if cases:
            case_id = cases[which % len(cases)]
            if action == "release" and is_known_as_done(self.world, case_id):
                action = "cancel"
            self.world.act(case_id, action)


class SiteMachine(Outside):
    """And what the gateway itself does, in any order, until it is killed."""

    @rule()
    def the_desk_is_polled_and_cases_are_assigned(self) -> None:
        self.world.poll()
        self.world.assign()

    @rule()
    def the_disk_catches_up(self) -> None:
        self.world.sync()

    @rule(which=st.integers(0, 20), die=st.booleans())
    def a_delivery_leaves(self, which: int, die: bool) -> None:
        lanes = sorted(self.world.lanes())
        if lanes:
            self.world.carry(lanes[which % len(lanes)], die_after=die and which > 15)

    @rule(robot=ROBOTS, count=st.integers(1, 4))
    def the_gateway_hears(self, robot: str, count: int) -> None:
        for _ in range(count):
            self.world.hear(robot)

    @rule()
    def the_gateway_is_killed(self) -> None:
        self.world.crash()

    @rule()
    def all_goes_on_for_a_while(self) -> None:
        self.world.settle()

    @invariant()
    def no_promise_is_broken(self) -> None:
        assert not list(broken(self.world))

    def teardown(self) -> None:
        self.world.heal(90)
        self.world.look_after()
        self.world.heal(150)
        self.world.look_after()
        self.world.heal(60)
        assert not [*broken(self.world), *unfinished(self.world)]


SiteMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestSite = SiteMachine.TestCase
