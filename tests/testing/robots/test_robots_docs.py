"""Every switch, lie and piece of garbage is in docs/reference/simulated-robots.md."""

import dataclasses
from pathlib import Path

import pytest

from dragoman.testing.robots import Garbage, Lie, Misbehaviour, Outcome

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "simulated-robots.md"
NAMES = [
    *(field.name for field in dataclasses.fields(Misbehaviour)),
    *(str(member) for kind in (Lie, Garbage) for member in kind),
    *(str(outcome) for outcome in Outcome if outcome is not Outcome.RUNNING),
]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text("utf-8")
