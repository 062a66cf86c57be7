"""The ways of logging in to a REST desk, and what becomes of a session that ends."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.domain.errors import NeedsHuman
from tests.adapters.desks.rest_styles import PASSWORD, StylesDesk, connected
from tests.adapters.desks.witnesses import ShiftingClock


@pytest.fixture
async def emulated(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StylesDesk]:
    monkeypatch.setenv("STYLES_PASSWORD", PASSWORD)
    async with StylesDesk(ShiftingClock()) as desk:
        yield desk
        for adapter in desk.adapters:
            await adapter.close()


def secret(name: str = "STYLES_PASSWORD") -> dict[str, str]:
    return {"env": name}


LOG_IN = {
    "type": "session",
    "username": "gateway",
    "password": secret(),
    "path": "/login",
    "body": {"user": "{username}", "pass": "{password}"},
}
SESSIONS: dict[str, dict[str, Any]] = {
    "token in the answer": {"token": "data.token", "header": "X-Session", "prefix": "tok "},
    "token in a header": {"token_header": "X-Subject-Token", "header": "X-Session"},
    "cookies": {
        "encode": "form",
        "cookies": ["sessionid"],
        "cookie_headers": {"X-CSRFToken": "csrftoken"},
    },
}


@pytest.mark.parametrize("name", SESSIONS)
async def test_a_session_is_opened_again_when_it_ends(emulated: StylesDesk, name: str) -> None:
    def holds(request: Any) -> bool:
        told = request.headers.get("X-Session", "").removeprefix("tok ")
        cookie = request.headers.get("Cookie", "")
        csrf = request.headers.get("X-CSRFToken", "")
        by_cookie = cookie == f"sessionid={emulated.session}" and csrf == f"c{emulated.log_ins}"
        return bool(told == emulated.session or by_cookie)

    emulated.allow = holds
    number = emulated.open("behind a log-in")
    desk = connected(emulated, auth=LOG_IN | SESSIONS[name])
    assert (await desk.read(number)).raw["name"] == "behind a log-in"
    await desk.read(number)
    assert emulated.log_ins == 1
    emulated.session = "ended by the desk"
    await desk.read(number)
    assert emulated.log_ins == 2


async def test_a_session_that_is_refused_for_good_needs_a_human(
    emulated: StylesDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated.allow = lambda request: False
    desk = connected(emulated, auth=LOG_IN | SESSIONS["cookies"])
    with pytest.raises(NeedsHuman, match="credentials"):
        await desk.read("1")
    assert emulated.log_ins == 2, "one more log-in, and no more"
    monkeypatch.setenv("STYLES_PASSWORD", "wrong")
    with pytest.raises(NeedsHuman, match="refused the log-in") as told:
        await desk.read("1")
    assert "wrong" not in str(told.value)


async def test_a_log_in_that_yields_nothing_is_told(emulated: StylesDesk) -> None:
    for more in ({"token": "data.key"}, {"cookies": ["sid"]}, {"token_header": "X-None"}):
        desk = connected(emulated, auth=LOG_IN | more)
        with pytest.raises(NeedsHuman, match="the answer to the log-in holds no"):
            await desk.read("1")


async def test_a_key_in_a_header_or_in_the_query(emulated: StylesDesk) -> None:
    number = emulated.open("keyed")
    emulated.allow = lambda request: request.headers.get("X-Key") == "k STYLES"
    key = {"type": "header", "name": "X-Key", "prefix": "k ", "value": secret("STYLES_KEY")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLES_KEY", "STYLES")
        desk = connected(emulated, auth=key)
        await desk.read(number)
        patch.setenv("STYLES_KEY", "ROTATED")
        emulated.allow = lambda request: request.headers.get("X-Key") == "k ROTATED"
        await desk.read(number)
        emulated.allow = lambda request: request.query.get("api_key") == "ROTATED"
        asked = {"type": "query", "name": "api_key", "value": secret("STYLES_KEY")}
        desk = connected(emulated, auth=asked)
        await desk.read(number)


async def test_client_credentials_with_a_scope(emulated: StylesDesk) -> None:
    emulated.allow = lambda r: r.headers.get("Authorization") == f"Bearer {emulated.session}"
    auth = {
        "type": "oauth2",
        "client_id": "gateway",
        "client_secret": secret(),
        "token_url": f"{emulated.url}/token",
        "extra": {"scope": "items"},
    }
    number = emulated.open("behind OAuth")
    desk = connected(emulated, auth=auth)
    await desk.read(number)
    emulated.session = "revoked"
    await desk.read(number)
    assert emulated.log_ins == 2
