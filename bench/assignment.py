"""A burst: 500 cases on 500 robots in one pass. The limit is the matrix product of that size."""

import random
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dragoman.domain.robot import Position
from dragoman.solver import preload, solve
from dragoman.testing.sim import World
from dragoman.testing.sim.gateway import PLACES
from dragoman.testing.sim.stores import run as now

SIZE = 500


def burst() -> World:
    """A site with so many idle robots and waiting cases."""
    rng = random.Random(1)
    world = World(1)
    world.settle()
    (robot_id,) = world.vehicles
    robot, report = world.kit.site.robots[robot_id], world.track.latest[robot_id]
    for number in range(SIZE):
        name = f"bench/r{number}"
        place = Position(x=rng.uniform(0, 200), y=rng.uniform(0, 200), map_id="map")
        world.kit.site.robots[name] = replace(robot, id=name, serial=f"r{number}")
        world.track.latest[name] = replace(report, robot_id=name, position=place)
    for _ in range(SIZE):
        world.desk.open(rng.choice(tuple(PLACES)))
    for ticket in world.desk.tickets.values():
        world.commit(now(world.intake.record(ticket.record()))[1])
    return world


def run() -> dict[str, float]:
    """Milliseconds of processor time for the pass and the solver in it."""
    preload()
    world = burst()
    solving = 0.0

    def timed(costs: Sequence[Sequence[float]]) -> Sequence[tuple[int, int]]:
        nonlocal solving
        start = time.process_time()
        found = solve(costs)
        solving = time.process_time() - start
        return found

    step = replace(world.assigner, solver=timed)
    start = time.process_time()
    change = step.run(world.track.latest)
    whole = time.process_time() - start
    matrix = np.random.default_rng(1).uniform(size=(SIZE, SIZE))
    start = time.process_time()
    _ = matrix @ matrix
    product = time.process_time() - start
    return {
        "assigned": float(len(change.assignments)),
        "pass_ms": whole * 1e3,
        "solver_ms": solving * 1e3,
        "solver_per_matrix_product": solving / product,
    }
