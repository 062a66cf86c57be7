"""The assignment problem: rows (cases) to columns (robots) at the least total cost."""

from collections.abc import Sequence
from typing import Protocol


class Solver(Protocol):
    """A minimum-cost matching."""

    def __call__(self, costs: Sequence[Sequence[float]]) -> Sequence[tuple[int, int]]:
        """Pairs (row, column), each row and column at most once. `inf` forbids a pair."""
        ...
