"""The HTTP client against real servers: deadlines, caps, redirects."""

import asyncio

import pytest
from aiohttp import web

from dragoman.domain.errors import NeedsHuman
from dragoman.transport.http import HttpClient
from dragoman.transport.http_auth import basic
from dragoman.transport.http_errors import (
    BodyTooLarge,
    NotJson,
    Unreachable,
)
from tests.adapters.desks.witnesses import ShiftingClock
from tests.adapters.transport.http_client.server import (
    SECRET,
    Server,
    serving,
)


async def test_a_call_carries_query_body_and_headers(client: HttpClient, server: Server) -> None:
    answer = await client.request(
        "POST", "/a%2Fb", params={"q": "x&y=ü ^"}, json={"n": 1}, headers={"If-Match": '"7"'}
    )
    assert answer.json() == {"path": "/a%2Fb?q=x%26y%3D%C3%BC+%5E"}
    assert server.bodies == [b'{"n":1}']
    assert server.seen[0].headers["If-Match"] == '"7"'
    assert server.seen[0].headers["Content-Type"] == "application/json"


async def test_connections_are_kept_alive(client: HttpClient, server: Server) -> None:
    peers = set()
    for _ in range(5):
        await client.request("GET", "/")
        transport = server.seen[-1].transport
        assert transport is not None
        peers.add(transport.get_extra_info("peername"))
    assert len(peers) == 1


async def test_silence_ends_at_the_deadline(client: HttpClient, server: Server) -> None:
    async def silent(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    server.answer = silent
    with pytest.raises(Unreachable, match="in time"):
        await client.request("GET", "/")


async def test_a_body_that_trickles_ends_at_the_deadline(
    client: HttpClient, server: Server
) -> None:
    async def trickle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(50):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    server.answer = trickle
    with pytest.raises(Unreachable):
        await client.request("GET", "/")


async def test_nobody_there(clock: ShiftingClock) -> None:
    async with serving(Server()) as gone:
        url = gone.url
    client = HttpClient(url, clock=clock)
    with pytest.raises(Unreachable, match="gave no answer: Connect") as error:
        await client.request("GET", "/")
    assert "ssl" not in str(error.value)  # aiohttp names it for plain HTTP too
    await client.close()


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_over_the_cap_is_an_error_and_not_memory(
    client: HttpClient, server: Server, chunked: bool
) -> None:
    sent = 0

    async def large(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        if not chunked:
            response.content_length = 10_000_000
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x" * 100_000)
            sent += 100_000
        return response

    server.answer = large
    with pytest.raises(BodyTooLarge):
        await client.request("GET", "/")
    assert sent < 10_000_000
    server.answer = lambda request: web.json_response({})
    assert (await client.request("GET", "/")).status == 200, "the client goes on"


async def test_an_answer_cut_short_is_passing(client: HttpClient, server: Server) -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"half":')
        assert request.transport is not None
        request.transport.abort()
        return response

    server.answer = cut
    with pytest.raises(Unreachable):
        await client.request("GET", "/")


@pytest.mark.parametrize("body", [b"<html>log in</html>", b'{"half": [1,', b"", b"\xff\xfe{}"])
async def test_what_is_not_json_is_told(client: HttpClient, server: Server, body: bytes) -> None:
    server.answer = lambda request: web.Response(body=body, content_type="text/html")
    answer = await client.request("GET", "/")
    with pytest.raises(NotJson) as told:
        answer.json()
    assert "log in" not in str(told.value)


async def test_a_redirect_on_the_same_server_is_followed(
    client: HttpClient, server: Server
) -> None:
    def moved(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/old":
            return web.Response(status=301, headers={"Location": "/new?x=1"})
        return web.json_response({"path": request.path_qs})

    server.answer = moved
    assert (await client.request("GET", "/old")).json() == {"path": "/new?x=1"}
    with pytest.raises(NeedsHuman):
        await client.request("POST", "/old", json={})


async def test_a_redirect_elsewhere_gets_no_credentials(
    server: Server, clock: ShiftingClock
) -> None:
    async with serving(Server()) as elsewhere:
        target = f"{elsewhere.url}/login?token=abc"
        server.answer = lambda request: web.Response(status=302, headers={"Location": target})
        client = HttpClient(server.url, clock=clock, auth=basic("gw", lambda: SECRET))
        with pytest.raises(NeedsHuman, match="elsewhere") as told:
            await client.request("GET", "/")
        await client.close()
        assert not elsewhere.seen
        assert "abc" not in str(told.value)
        assert told.value.field == "url"


async def test_redirects_in_a_circle_end(client: HttpClient, server: Server) -> None:
    server.answer = lambda request: web.Response(status=302, headers={"Location": "/again"})
    with pytest.raises(NeedsHuman, match="circle"):
        await client.request("GET", "/")
    assert len(server.seen) == 4
