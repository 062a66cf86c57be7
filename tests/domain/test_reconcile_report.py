"""The figures of a shift: how sure a rate is, when shifts begin, what an error is."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaincinv

from dragoman.domain.change import Entry
from dragoman.domain.reconcile.bound import upper_bound
from dragoman.domain.reconcile.report import Shift, report, shift_at

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SHIFT = Shift(start=START, end=START + timedelta(hours=8))
TIMES = (time(6), time(14), time(22))


@pytest.mark.parametrize(
    ("errors", "trials", "bound"),
    [  # the rule of three, and rows of published tables of one-sided Clopper-Pearson bounds
        (0, 300, 0.009936),
        (0, 299, 0.009969),
        (0, 10, 0.258866),
        (1, 10, 0.394163),
        (3, 3, 1.0),
        (0, 0, 1.0),
    ],
)
def test_known_bounds(errors: int, trials: int, bound: float) -> None:
    assert upper_bound(errors, trials) == pytest.approx(bound, abs=1e-6)


def test_zero_errors_show_less_than_one_in_a_hundred_from_299_cases_on() -> None:
    assert upper_bound(0, 298) > 0.01 > upper_bound(0, 299)


@given(st.integers(1, 30_000), st.data(), st.floats(0.5, 0.999))
def test_the_bound_is_that_of_the_beta_distribution(
    trials: int, data: st.DataObject, confidence: float
) -> None:
    errors = data.draw(st.integers(0, min(trials - 1, 60)) | st.integers(0, trials - 1))
    wanted = betaincinv(errors + 1, trials - errors, confidence)
    assert upper_bound(errors, trials, confidence) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("errors", "trials"), [(-1, 3), (4, 3)])
def test_what_is_no_sample_is_refused(errors: int, trials: int) -> None:
    with pytest.raises(ValueError, match="errors in"):
        upper_bound(errors, trials)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (the strategy adds the zone)
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
)
def test_every_moment_is_in_one_shift_and_shifts_follow_each_other(
    now: datetime, zone: str
) -> None:
    found = shift_at(now, TIMES, ZoneInfo(zone))
    assert found.start <= now < found.end
    assert found.start.astimezone(ZoneInfo(zone)).time() in TIMES
    assert shift_at(found.end, TIMES, ZoneInfo(zone)).start == found.end
    assert timedelta(hours=6) < found.end - found.start < timedelta(hours=10)


def test_one_shift_a_day_is_enough() -> None:
    days = [shift_at(START + timedelta(days=n), (time(7),), UTC) for n in range(3)]
    assert all(a.end == b.start for a, b in pairwise(days))


def entry(action: str, minutes: float, **data: object) -> Entry:
    return Entry(action=action, at=START + timedelta(minutes=minutes), text="", data=data)


def test_an_error_is_a_case_however_often_it_disagrees() -> None:
    found = report(
        SHIFT,
        [
            entry("reconcile.compared", 1, keys=["d/1", "d/2", "d/3"]),
            entry("reconcile.mismatch", 2, key="d/2", kind="stale", delivery="m1", detect_s=40),
            entry("reconcile.settled", 3, key="d/2", delivery="m1", heal_s=60.0),
            entry("reconcile.mismatch", 4, key="d/2", kind="orphan", delivery="m2", detect_s=60),
            entry("reconcile.unreachable", 5, keys=["d/4", "d/3"]),
            entry("reconcile.swept", 6),
            entry("reconcile.mismatch", 600, key="d/3", kind="stale", delivery="m3"),
            entry("reconcile.settled", 601, key="d/2", delivery="m2", heal_s=1.0),
        ],
        {"d/1", "d/2", "d/3", "d/4"},
        "hall",
    )
    assert (found.active, found.compared, found.errors, found.unreachable) == (4, 3, 1, 1)
    assert found.by_kind == {"orphan": 1, "stale": 1, "unreachable": 2}
    assert found.coverage == 0.75
    assert (found.open, found.swept, found.too_many) == (0, True, True)
    assert (found.detect.count, found.detect.median_s, found.detect.longest_s) == (2, 50, 60)
    assert (found.heal.count, found.heal.longest_s) == (1, 60.0)


def test_nothing_compared_shows_nothing() -> None:
    found = report(SHIFT, [], {"d/1"}, "hall")
    assert (found.coverage, found.rate, found.rate_at_most) == (0.0, 0.0, 1.0)
    assert not found.too_many
