"""The HTTP client against real servers: credentials, TLS, errors, limits, time."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from dragoman.domain.errors import Conflict, DragomanError, NeedsHuman, Permanent, RetryLater
from dragoman.testing.tls import TestAuthority
from dragoman.transport.http import HttpClient
from dragoman.transport.http_auth import ClientCredentials, basic, token
from dragoman.transport.http_errors import (
    EXCEPTIONS,
    FOREIGN,
    RateLimited,
    Unreachable,
    meaning,
    of_exception,
    of_status,
    retry_after_s,
)
from dragoman.transport.tls import TlsSettings
from tests.adapters.desks.witnesses import ShiftingClock
from tests.adapters.transport.http_client.server import (
    SECRET,
    Server,
    serving,
)

# --- credentials


async def test_basic_and_token_headers(server: Server, clock: ShiftingClock) -> None:
    for auth in (basic("gw", lambda: SECRET), token(lambda: SECRET, scheme="token")):
        client = HttpClient(server.url, clock=clock, auth=auth)
        await client.request("GET", "/")
        assert SECRET not in repr(client) + repr(auth) + repr(vars(client))
        await client.close()
    first, second = (one.headers["Authorization"] for one in server.seen)
    assert base64.b64decode(first.removeprefix("Basic ")).decode() == f"gw:{SECRET}"
    assert second == f"token {SECRET}"


async def test_a_rotated_secret_is_picked_up(server: Server, clock: ShiftingClock) -> None:
    stored = ["old"]
    server.answer = lambda request: web.Response(
        status=200 if request.headers["Authorization"] == "Bearer new" else 401
    )
    client = HttpClient(server.url, clock=clock, auth=token(lambda: stored[0]))
    with pytest.raises(NeedsHuman):
        await client.request("GET", "/")
    assert len(server.seen) == 1, "the same secret isn't tried twice"
    stored[0] = "new"
    assert (await client.request("GET", "/")).status == 200
    await client.close()


async def test_a_secret_with_a_line_end_is_refused(server: Server, clock: ShiftingClock) -> None:
    client = HttpClient(server.url, clock=clock, auth=token(lambda: f"{SECRET}\r\nX: y"))
    with pytest.raises(NeedsHuman) as told:
        await client.request("GET", "/")
    assert SECRET not in str(told.value)
    await client.close()


class TokenServer(Server):
    """A desk with OAuth 2.0 client credentials. life: of a token in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.issued = 0
        self.refused: set[str] = set()
        self.life: object = 600
        self.answer = self.route

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/oauth_token.do":
            await asyncio.sleep(0.05)
            if b"client_secret=" + SECRET.encode() not in self.bodies[-1]:
                return web.json_response({"error": "invalid_client"}, status=401)
            self.issued += 1
            access = f"t{self.issued}"
            return web.json_response({"access_token": access, "expires_in": self.life})
        told = request.headers.get("Authorization", "").removeprefix("Bearer ")
        good = told.startswith("t") and told not in self.refused
        return web.json_response({"token": told}, status=200 if good else 401)


@pytest.fixture
async def tokens() -> AsyncIterator[TokenServer]:
    async with serving(TokenServer()) as running:
        yield running


def oauth(server: Server, clock: ShiftingClock, secret: str = SECRET) -> HttpClient:
    auth = ClientCredentials("/oauth_token.do", "me", lambda: secret, clock)
    return HttpClient(server.url, clock=clock, auth=auth)


async def test_many_calls_share_one_token(tokens: TokenServer, clock: ShiftingClock) -> None:
    client = oauth(tokens, clock)
    answers = await asyncio.gather(*(client.request("GET", "/") for _ in range(20)))
    assert {answer.json()["token"] for answer in answers} == {"t1"}
    assert tokens.issued == 1
    await client.close()


async def test_a_token_is_renewed_before_its_end(tokens: TokenServer, clock: ShiftingClock) -> None:
    client = oauth(tokens, clock)
    await client.request("GET", "/")
    clock.shift += timedelta(seconds=530)
    assert (await client.request("GET", "/")).json() == {"token": "t1"}
    clock.shift += timedelta(seconds=15)  # 545 of 600: within a tenth, at most a minute, of its end
    assert (await client.request("GET", "/")).json() == {"token": "t2"}
    await client.close()


async def test_a_revoked_token_is_renewed_once(tokens: TokenServer, clock: ShiftingClock) -> None:
    client = oauth(tokens, clock)
    await client.request("GET", "/")
    tokens.refused = {"t1"}
    answers = await asyncio.gather(*(client.request("GET", "/") for _ in range(10)))
    assert {answer.json()["token"] for answer in answers} == {"t2"}
    assert tokens.issued == 2
    tokens.refused = {"t2", "t3", "t4"}
    with pytest.raises(NeedsHuman):
        await client.request("GET", "/")
    await client.close()


async def test_a_wrong_client_secret_needs_a_human(
    tokens: TokenServer, clock: ShiftingClock
) -> None:
    client = oauth(tokens, clock, secret="wrong-secret")
    with pytest.raises(NeedsHuman, match="invalid_client") as told:
        await client.request("GET", "/")
    assert "wrong-secret" not in str(told.value)
    await client.close()


async def test_a_failing_token_endpoint_is_passing(
    tokens: TokenServer, clock: ShiftingClock
) -> None:
    tokens.answer = lambda request: web.Response(status=503, headers={"Retry-After": "9"})
    client = oauth(tokens, clock)
    with pytest.raises(RetryLater) as told:
        await client.request("GET", "/")
    assert told.value.delay_s == 9
    await client.close()


# --- TLS


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    return TestAuthority(tmp_path, datetime.now(UTC))


async def test_tls_with_an_authority_of_ones_own(
    authority: TestAuthority, clock: ShiftingClock
) -> None:
    async with serving(Server(), tls=authority.issue().context()) as server:
        good = HttpClient(server.url, clock=clock, tls=TlsSettings(ca_file=authority.bundle))
        assert (await good.request("GET", "/")).status == 200
        await good.close()
        stranger = HttpClient(server.url, clock=clock)
        with pytest.raises(NeedsHuman) as told:
            await stranger.request("GET", "/")
        assert told.value.field == "tls.ca_file"
        await stranger.close()


async def test_plain_http_behind_https_needs_a_human(server: Server, clock: ShiftingClock) -> None:
    client = HttpClient(server.url.replace("http:", "https:"), clock=clock)
    with pytest.raises(NeedsHuman, match="TLS"):
        await client.request("GET", "/")
    await client.close()


# --- errors, limits, time


def _descendants(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    child: type[BaseException]
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def test_the_table_explains_every_exception_of_aiohttp() -> None:
    foreign = {one for root in FOREIGN for one in (root, *_descendants(root))}
    raised = {one for one in foreign if one.__module__.startswith(("aiohttp", "builtins"))}
    assert len(raised) > 30
    unexplained = {one for one in raised if meaning(one) is None}
    # the base, which is never raised itself, and one for bodies that are generators: we send none
    assert {one.__name__ for one in unexplained} <= {"ClientError", "UploadAbortedError"}
    assert isinstance(of_exception(aiohttp.ClientError("?"), "desk"), Unreachable)
    assert set(EXCEPTIONS) <= foreign | {OSError}


def test_every_status_has_a_meaning() -> None:
    for status in range(100, 600):
        error = of_status(status, "desk.example")
        assert isinstance(error, RetryLater | Permanent | NeedsHuman)
        assert f"HTTP {status}" in str(error)
        passing = status in (408, 421, 425, 429, *range(500, 600))
        if status >= 400:
            assert isinstance(error, RetryLater) is (passing and status not in (501, 505, 511))
        assert isinstance(error, Conflict) is (status in (409, 412))


@pytest.mark.parametrize("status", [401, 408, 429, 500, 502, 503, 504])
async def test_what_means_the_same_everywhere_is_raised(
    client: HttpClient, server: Server, status: int
) -> None:
    server.answer = lambda request: web.Response(
        status=status, headers={"Retry-After": "12"}, text="details"
    )
    with pytest.raises(DragomanError) as told:
        await client.request("GET", "/")
    if isinstance(told.value, RetryLater):
        assert told.value.delay_s == 12
    assert isinstance(told.value, RateLimited) is (status == 429)


async def test_other_refusals_are_left_to_the_adapter(client: HttpClient, server: Server) -> None:
    server.answer = lambda request: web.json_response({"why": "policy"}, status=403)
    answer = await client.request("GET", "/")
    assert (answer.status, answer.json()) == (403, {"why": "policy"})
    assert isinstance(client.error_for(answer, "policy"), NeedsHuman)


def test_retry_after_in_each_form() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after_s("120", now) == 120
    assert retry_after_s(later, now) == 90
    assert retry_after_s(format_datetime(now - timedelta(days=1), usegmt=True), now) == 0
    for far in ("999999999", format_datetime(now + timedelta(days=9000), usegmt=True)):
        assert retry_after_s(far, now) == 86_400, "it is a mistake of the other side"
    assert retry_after_s("99999999", now) == 86_400
    for bad in (None, "", "soon", "-5", "1e9", "²"):
        assert retry_after_s(bad, now) is None


async def test_a_date_in_retry_after_counts_by_the_server_s_clock(
    client: HttpClient, server: Server, clock: ShiftingClock
) -> None:
    theirs = datetime.now(UTC) - timedelta(hours=3)
    server.answer = lambda request: web.Response(
        status=503,
        headers={
            "Date": format_datetime(theirs, usegmt=True),
            "Retry-After": format_datetime(theirs + timedelta(seconds=60), usegmt=True),
        },
    )
    with pytest.raises(RetryLater) as told:
        await client.request("GET", "/")
    assert told.value.delay_s == pytest.approx(60, abs=5)


async def test_the_server_s_clock_is_learned(
    client: HttpClient, server: Server, clock: ShiftingClock
) -> None:
    assert client.server_now() is None
    offset = timedelta(minutes=-42)
    server.answer = lambda request: web.Response(
        headers={"Date": format_datetime(clock.now() + offset, usegmt=True)}
    )
    await client.request("GET", "/")
    assert client.clock_offset_s == pytest.approx(-42 * 60, abs=2)
    server.answer = lambda request: web.Response(headers={"Date": "yesterday"})
    await client.request("GET", "/")
    assert client.clock_offset_s == pytest.approx(-42 * 60, abs=2)


async def test_rate_limits_are_kept_for_metrics(client: HttpClient, server: Server) -> None:
    server.answer = lambda request: web.Response(
        headers={"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "7", "X-Other": "1"}
    )
    await client.request("GET", "/")
    assert client.rate_limits == {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "7"}
