"""A whole site in virtual time: the real domain and flow, pure vehicles, faults on every wire.

Public. `World` (world.py) is driven step by step, by hypothesis or by a seeded scheduler;
`broken` (invariants.py) says which promise does not hold.
"""

from dragoman.testing.sim.invariants import broken, unfinished
from dragoman.testing.sim.world import World

__all__ = ["World", "broken", "unfinished"]
