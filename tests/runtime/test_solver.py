"""The solver against brute force."""

from itertools import permutations
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from dragoman.solver import solve

COSTS = st.integers(1, 4).flatmap(
    lambda rows: st.integers(1, 4).flatmap(
        lambda columns: st.lists(
            st.lists(
                st.one_of(st.floats(-1e4, 1e4), st.just(inf)), min_size=columns, max_size=columns
            ),
            min_size=rows,
            max_size=rows,
        )
    )
)


def best(costs: list[list[float]]) -> tuple[int, float]:
    """How many pairs are possible, and the least cost of so many, by trying everything."""
    rows, columns = range(len(costs)), range(len(costs[0]))
    slots: list[int | None] = [*columns, *(None for _ in rows)]
    found = (0, 0.0)
    for choice in permutations(slots, len(costs)):
        pairs = [(r, c) for r, c in zip(rows, choice, strict=True) if c is not None]
        if any(costs[r][c] == inf for r, c in pairs):
            continue
        total = sum(costs[r][c] for r, c in pairs)
        found = min(found, (-len(pairs), total))
    return -found[0], found[1]


@given(COSTS)
def test_as_many_pairs_as_possible_at_the_least_cost(costs: list[list[float]]) -> None:
    pairs = solve(costs)
    count, cost = best(costs)
    assert len(pairs) == count
    assert abs(sum(costs[r][c] for r, c in pairs) - cost) <= 1e-3
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)


def test_nothing_to_solve() -> None:
    assert solve([]) == ()
    assert solve([[]]) == ()
