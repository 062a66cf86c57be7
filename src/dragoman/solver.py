"""The assignment problem by SciPy's shortest augmenting paths. Implements ports/solver.py."""

from collections.abc import Sequence
from math import inf

FORBIDDEN = 1e12
"""Stands for `inf`, which makes the problem infeasible when a row has nothing else."""


def solve(costs: Sequence[Sequence[float]]) -> Sequence[tuple[int, int]]:
    """Pairs (row, column) of least total cost; as many as are possible without `inf`."""
    if not costs or not costs[0]:
        return ()
    if len(costs) == 1:
        best = min(range(len(costs[0])), key=costs[0].__getitem__)
        return ((0, best),) if costs[0][best] != inf else ()
    import numpy as np  # noqa: PLC0415 (heavy: a start must not wait for it, see `preload`)
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 (as above)

    matrix = np.asarray(costs, dtype=np.float64)
    forbidden = np.isinf(matrix)
    if forbidden.any():
        matrix = np.where(forbidden, FORBIDDEN, matrix)
    # Cases at one place have equal rows. As columns of a square such ties cost less than half the
    # time (bench/assignment.py); SciPy itself turns a matrix that is higher than wide.
    missing = matrix.shape[1] - len(costs)
    if 0 < missing < len(costs):
        matrix = np.vstack([matrix, np.zeros((missing, matrix.shape[1]))])
    columns, rows = linear_sum_assignment(matrix.T)
    return tuple(
        (int(row), int(column))
        for column, row in zip(columns, rows, strict=True)
        if row < len(costs) and not forbidden[row, column]
    )


def preload() -> None:
    """Import SciPy, which takes a second; to be called in a thread while the gateway starts."""
    solve([[0.0, 1.0], [1.0, 0.0]])
