"""What is said of a location that no place of the map has."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dragoman.domain.case import CaseDraft
from dragoman.domain.errors import BadInput
from dragoman.domain.lifecycle.step import opened
from dragoman.domain.mission import place_of
from dragoman.domain.order import Place

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLACES = {
    "dock 1": Place(node_id="n-17", x=0.0, y=0.0, map_id="m"),
    "lab": Place(node_id="n-18", x=1.0, y=0.0, map_id="m"),
}
DRAFT = CaseDraft(
    external_id="1",
    number="N1",
    version="1",
    kind="look",
    title="look",
    priority=3,
    location="DOCK  1",
    opened_at=NOON,
    updated_at=NOON,
)


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("", "the record gives no location; field location; .*known names: dock 1, lab"),
        (" ", "the record gives no location"),
        ("dok 1", "no location is configured by this name; .*'dok 1'; .*known names: dock 1$"),
    ],
)
def test_a_location_that_is_none_is_told_with_the_names_that_are(location: str, told: str) -> None:
    case = opened("c", "d", DRAFT, "0" * 32, NOON)
    assert place_of(case, PLACES).node_id == "n-17"
    with pytest.raises(BadInput, match=told) as caught:
        place_of(replace(case, location=location), PLACES)
    assert "n-17" not in str(caught.value)
