"""A tenant that was told to wait asks for nothing; polls leave the rest of a quota to writes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from dragoman.transport.http import HttpClient
from dragoman.transport.http_errors import RateLimited
from dragoman.transport.http_quota import LONGEST_S, Quota, polling
from tests.adapters.desks.witnesses import ShiftingClock
from tests.adapters.transport.http_client.server import Server

THERE = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def refused(quota: Quota) -> float:
    """Seconds that a call has to wait, 0 if it need not."""
    refusal = quota.refusal()
    return 0.0 if refusal is None else refusal.delay_s or 0.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Tue, 01 Jan 2030 12:00:09 GMT"}, 9.0),
        ({"retry-after": "Fri, 01 Jan 2099 00:00:00 GMT"}, LONGEST_S),
        ({"x-ratelimit-reset": (THERE + timedelta(seconds=20)).isoformat()}, 20.0),
        ({"x-ratelimit-reset": str(int(THERE.timestamp()) + 30)}, 30.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "40"}, 40.0),
        ({}, 0.0),
        ({"retry-after": "soon"}, 0.0),
    ],
)
def test_too_many_calls_close_it_for_as_long_as_is_told(
    headers: Mapping[str, str], seconds: float
) -> None:
    clock = ShiftingClock()
    quota = Quota("desk.example", clock)
    quota.learn(429, headers, THERE)
    assert refused(quota) == pytest.approx(seconds, abs=0.5)
    clock.shift += timedelta(seconds=seconds + 0.1)
    assert refused(quota) == 0.0


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "4", "x-ratelimit-reset": "30"},
        {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "4", "ratelimit-reset": "30"},
        {"x-rate-limit": "700", "x-rate-limit-remaining": "20"},
        {"sforce-limit-info": "api-usage=14700/15000"},
    ],
)
def test_the_last_of_a_quota_is_for_writes(headers: Mapping[str, str]) -> None:
    quota = Quota("desk.example", ShiftingClock())
    quota.learn(200, headers, THERE)
    assert refused(quota) == 0.0
    with polling():
        assert refused(quota) > 0.0
    assert refused(quota) == 0.0
    plenty = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "90"}
    quota.learn(200, plenty, THERE)
    with polling():
        assert refused(quota) == 0.0


def test_a_used_up_quota_closes_it_before_the_server_has_to_say_no() -> None:
    quota = Quota("desk.example", ShiftingClock())
    quota.learn(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, THERE)
    assert refused(quota) == pytest.approx(12.0, abs=0.5)


@pytest.mark.parametrize("text", ["", "-1", "x", "1e9", "9" * 30, "0x10"])
def test_headers_that_say_nothing_change_nothing(text: str) -> None:
    quota = Quota("desk.example", ShiftingClock())
    names = ("x-ratelimit-remaining", "x-ratelimit-limit", "sforce-limit-info")
    quota.learn(200, dict.fromkeys(names, text), THERE)
    with polling():
        assert refused(quota) == 0.0


async def test_one_refusal_is_no_storm(
    client: HttpClient, server: Server, clock: ShiftingClock
) -> None:
    asked = 0

    def answer(_: web.BaseRequest) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=429, headers={"Retry-After": "30"})

    server.answer = answer
    for _ in range(20):
        with pytest.raises(RateLimited) as told:
            await client.request("GET", "/")
        assert told.value.delay_s == pytest.approx(30.0, abs=5.0)
    assert asked == 1
    assert client.quota.waits == 19
    clock.shift += timedelta(seconds=31)
    with pytest.raises(RateLimited):
        await client.request("GET", "/")
    assert asked == 2
