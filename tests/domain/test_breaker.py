"""The circuit breaker of a target: how long it pauses, and what makes the pause grow."""

from datetime import UTC, datetime, timedelta

from dragoman.domain.delivery import Breaker, BreakerState
from dragoman.domain.errors import RetryLater

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GONE = RetryLater("not connected")


def failing(breaker: Breaker, times: int) -> Breaker:
    for _ in range(times):
        breaker = breaker.failed(GONE, NOW)
    return breaker


def test_calls_that_fail_together_make_one_pause() -> None:
    just_open = failing(Breaker(), Breaker().limit)
    assert just_open.state is BreakerState.OPEN
    crowd = failing(just_open, 50)
    assert crowd.until == just_open.until == NOW + timedelta(seconds=Breaker().pause_s)
    assert crowd.opens == 1


def test_each_failed_trial_doubles_the_pause_up_to_the_cap() -> None:
    breaker = failing(Breaker(pause_s=1.0, cap_s=4.0), Breaker().limit)
    pauses = []
    for _ in range(4):
        breaker = breaker.trying().failed(GONE, NOW)
        assert breaker.until is not None
        pauses.append((breaker.until - NOW).total_seconds())
    assert pauses == [2.0, 4.0, 4.0, 4.0]


def test_success_closes_it_and_forgets() -> None:
    breaker = failing(Breaker(), 5).trying().succeeded()
    assert breaker == Breaker()
