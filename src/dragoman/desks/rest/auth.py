"""How a desk that is described by configuration is logged in to.

Used by wire.py. Basic, tokens and OAuth 2.0 are those of transport/http_auth.py; here are the keys
that stand in a header or in the query, and sessions. Secrets are looked up at each use, so that a
rotated one counts at once. Source of Set-Cookie's form: RFC 6265 section 4.1.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dragoman.config.http import BasicAuth
from dragoman.config.jmes import reader
from dragoman.desks.rest.requests import filled
from dragoman.desks.rest.settings import (
    HeaderAuth,
    QueryAuth,
    RestSettings,
    SchemeAuth,
    ScopedOAuth2,
    SessionAuth,
)
from dragoman.domain.errors import BadInput, NeedsHuman, RetryLater
from dragoman.ports.clock import Clock
from dragoman.transport.http import HttpAnswer
from dragoman.transport.http_auth import Auth, ClientCredentials, basic, token
from dragoman.transport.http_errors import NotJson


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What goes along with a request. Never shown: both hold secrets."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)


class Send(Protocol):
    """Sends a request as it is, without credentials."""

    async def __call__(self, method: str, path: str, body: object, *, form: bool) -> HttpAnswer:
        """Raises as HttpClient.request."""
        ...


class Credentials(Protocol):
    """What proves who we are, beside the Authorization header that the HTTP client makes."""

    expired: tuple[int, ...]
    """Statuses after which a new log-in may help."""

    async def given(self, send: Send) -> Given:
        """For the next request. Raises NeedsHuman or RetryLater."""
        ...

    def rejected(self, used: Given) -> bool:
        """After a refusal of `used`: whether another try can help."""
        ...


class Key:
    """Nothing, or a key in a header or in the query."""

    expired: tuple[int, ...] = ()

    def __init__(self, auth: HeaderAuth | QueryAuth | None) -> None:
        self._auth = auth

    async def given(self, _send: Send) -> Given:
        """The key as it is stored now."""
        auth = self._auth
        if isinstance(auth, HeaderAuth):
            return Given(headers={auth.name: _sendable(auth.prefix + auth.value.reveal())})
        return Given() if auth is None else Given(query={auth.name: auth.value.reveal()})

    def rejected(self, _used: Given) -> bool:
        """Never: each request looked the key up."""
        return False


class Session:
    """A log-in that all requests share, made again once it is refused."""

    def __init__(self, auth: SessionAuth) -> None:
        self.expired = auth.expired
        self._auth = auth
        self._token = None if auth.token is None else reader(auth.token)
        self._lock = asyncio.Lock()
        self._given: Given | None = None

    async def given(self, send: Send) -> Given:
        """The session in use, or a new one. Any number of requests cause one log-in."""
        async with self._lock:
            if self._given is None:
                self._given = await self._log_in(send)
            return self._given

    def rejected(self, used: Given) -> bool:
        """Forget the refused session, unless another request has renewed it already."""
        if self._given is used:
            self._given = None
        return True

    async def _log_in(self, send: Send) -> Given:
        auth = self._auth
        values = {"username": auth.username, "password": auth.password.reveal()}
        body = {name: filled(text, tuple(values), values) for name, text in auth.body.items()}
        answer = await send(auth.method, auth.path, body or None, form=auth.encode == "form")
        if answer.status >= 400:
            raise NeedsHuman(
                f"{answer.where} refused the log-in (HTTP {answer.status})",
                field="auth",
                mend="check user name and password, and auth.path and auth.body",
            )
        cookies = _cookies(answer.headers.get("set-cookie", ""))
        headers = self._headers(answer)
        for name in auth.cookies:
            if name not in cookies:
                raise _missing(f"the cookie {name}", "auth.cookies")
        if auth.cookies:
            headers["Cookie"] = "; ".join(f"{name}={cookies[name]}" for name in auth.cookies)
        for header, name in auth.cookie_headers.items():
            if name not in cookies:
                raise _missing(f"the cookie {name}", "auth.cookie_headers")
            headers[header] = cookies[name]
        return Given(headers=headers)

    def _headers(self, answer: HttpAnswer) -> dict[str, str]:
        auth = self._auth
        found: Any = None
        if auth.token_header is not None:
            found = answer.headers.get(auth.token_header.lower())
        elif self._token is not None:
            try:
                found = self._token(answer.json())
            except BadInput:
                found = None
            except NotJson as error:
                raise RetryLater(f"no log-in: {error.text}") from error
        else:
            return {}
        if not isinstance(found, str | int) or not str(found):
            raise _missing("a token", "auth.token")
        return {auth.header: _sendable(f"{auth.prefix}{found}")}


def http_auth(settings: RestSettings, clock: Clock) -> Auth | None:
    """What the HTTP client itself puts into the Authorization header."""
    auth = settings.auth
    if isinstance(auth, BasicAuth):
        return basic(auth.username, auth.password.reveal)
    if isinstance(auth, SchemeAuth):
        return token(auth.token.reveal, scheme=auth.scheme)
    if isinstance(auth, ScopedOAuth2):
        secret = auth.client_secret.reveal
        return ClientCredentials(auth.token_url, auth.client_id, secret, clock, auth.extra)
    return None


def places(settings: RestSettings) -> Given:
    """Where credentials stand in a request, with a word in place of each."""
    auth, word = settings.auth, "(hidden)"
    if isinstance(auth, QueryAuth):
        return Given(query={auth.name: word})
    if isinstance(auth, HeaderAuth):
        return Given(headers={auth.name: word})
    if isinstance(auth, SessionAuth):
        names = [*(["Cookie"] if auth.cookies else []), *auth.cookie_headers]
        names += [auth.header] if auth.token or auth.token_header else []
        return Given(headers=dict.fromkeys(names, word))
    return Given(headers={"Authorization": word})


def credentials(settings: RestSettings) -> Credentials:
    """What wire.py adds to each request."""
    auth = settings.auth
    if isinstance(auth, SessionAuth):
        return Session(auth)
    return Key(auth if isinstance(auth, HeaderAuth | QueryAuth) else None)


def _cookies(header: str) -> dict[str, str]:
    """Names and values of Set-Cookie lines; those that are emptied are left out."""
    pairs = (line.partition(";")[0].partition("=") for line in header.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip()}


def _missing(what: str, field: str) -> NeedsHuman:
    return NeedsHuman(
        f"the answer to the log-in holds no {what.removeprefix('the ').removeprefix('a ')}",
        field=field,
        mend="see what the desk's log-in answers, and correct it",
    )


def _sendable(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise NeedsHuman(
            "the secret holds characters that can't stand in a header",
            field="auth",
            mend="store it without line ends and in plain ASCII",
        )
    return text
