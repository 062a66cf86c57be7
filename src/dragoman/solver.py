"""The assignment problem by SciPy's shortest augmenting paths. Implements ports/solver.py."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

FORBIDDEN = 1e12
"""Stands for `inf`, which makes the problem infeasible when a row has nothing else."""


def solve(costs: Sequence[Sequence[float]]) -> Sequence[tuple[int, int]]:
    """Pairs (row, column) of least total cost; as many as are possible without `inf`."""
    if not costs or not costs[0]:
        return ()
    matrix = np.asarray(costs, dtype=np.float64)
    forbidden = np.isinf(matrix)
    if forbidden.any():
        matrix = np.where(forbidden, FORBIDDEN, matrix)
    rows, columns = linear_sum_assignment(matrix)
    return tuple(
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if not forbidden[row, column]
    )
