"""The watermark: it never goes back, never jumps into the future, and survives its cursor."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.domain.errors import BadInput
from dragoman.domain.watermark import Seen, Watermark

NOON = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
times = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.just(UTC),
)
ids = st.text(min_size=1, max_size=40)


@given(times, times, st.integers(0, 10**9), st.none() | st.tuples(times, ids))
def test_a_cursor_holds_everything(
    at: datetime, floor: datetime, serial: int, step: tuple[datetime, str] | None
) -> None:
    mark = Watermark(at=at, floor=floor, serial=serial, step=step)
    assert Watermark.decode(mark.encode()) == mark


@pytest.mark.parametrize("cursor", ["x", "2026-01-01 2026-01-01 0", "1 2", f"{NOON} {NOON} x"])
def test_a_strange_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput):
        Watermark.decode(cursor)


@given(st.lists(st.integers(-100, 100)))
def test_it_never_goes_back(steps: list[int]) -> None:
    mark = Watermark(at=NOON, floor=NOON)
    for step in steps:
        after = mark.finished(NOON + timedelta(seconds=step), NOON + timedelta(seconds=200))
        assert after.at >= mark.at
        assert after.lower(5) >= after.floor
        mark = after


def test_a_record_from_the_future_does_not_drag_it_along() -> None:
    mark = Watermark(at=NOON, floor=NOON)
    future = datetime(9999, 12, 31, tzinfo=UTC)
    assert mark.finished(future, NOON).at == NOON
    assert mark.stepped(future, "x").finished(None, NOON).at == NOON
    soon = NOON + timedelta(seconds=30)
    assert mark.finished(soon, NOON).at == soon


def test_the_end_of_a_walk_counts_the_pages_before() -> None:
    later = NOON + timedelta(seconds=9)
    mark = Watermark(at=NOON, floor=NOON).stepped(later, "a")
    assert mark.finished(None, None) == Watermark(at=later, floor=NOON)


def test_only_a_page_that_was_kept_counts_as_reported() -> None:
    seen = Seen()
    seen.offer("c1", [("a", "1")])
    seen.resume("c0")  # asked for again: the page wasn't kept
    assert not seen.has("a", "1")
    seen.offer("c1", [("a", "1")])
    seen.resume("c1")
    assert seen.has("a", "1")
    assert not seen.has("a", "2")
    seen.resume("c1")
    assert seen.has("a", "1")


def test_a_caller_that_lost_what_it_kept_gets_it_again() -> None:
    seen = Seen()
    seen.resume("c0")
    seen.offer("c1", [("a", "1")])
    seen.resume("c1")
    seen.offer("c2", [("b", "1")])
    seen.resume("c0")  # the journal had lost the cursor c1
    assert not seen.has("a", "1")
    assert not seen.has("b", "1")


def test_it_forgets_the_oldest_and_stays_small() -> None:
    seen = Seen(size=3)
    for name in "abcd":
        seen.add(name, "1")
    assert len(seen) == 3
    assert [seen.has(name, "1") for name in "abcd"] == [False, True, True, True]
    assert seen.get("d") == "1"
    assert seen.get("a") == ""
