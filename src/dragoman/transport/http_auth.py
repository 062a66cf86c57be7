"""How a call proves who we are: Basic, a token, or OAuth 2.0 client credentials.

Used by `http.py`; adapters choose one from their settings. Secrets come as functions that look
them up (`Secret.reveal`), so that a rotated one is picked up after the first 401.
Source: RFC 7617 (Basic), RFC 6750 (Bearer), RFC 6749 section 4.4 (client credentials).
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from dragoman.domain.errors import NeedsHuman, Permanent, RetryLater
from dragoman.ports.clock import Clock

Reveal = Callable[[], str]
PostForm = Callable[[str, Mapping[str, str]], Awaitable[tuple[int, object]]]
"""post_form(url, fields) → (status, decoded JSON or None); raises as `HttpClient.request`."""


class Auth(Protocol):
    """The value of the Authorization header."""

    async def header(self, post_form: PostForm, /) -> str:
        """The header for the next call. Raises NeedsHuman or RetryLater."""
        ...

    def rejected(self, used: str) -> bool:
        """After a 401 on `used`: whether another try with a fresh header can help."""
        ...


class FixedAuth:
    """A header made of a stored secret; looked up again once it is refused."""

    def __init__(self, build: Callable[[], str]) -> None:
        self._build = build
        self._header = ""

    def __repr__(self) -> str:
        return "FixedAuth(hidden)"

    async def header(self, _post_form: PostForm, /) -> str:
        """The header, kept until it is refused."""
        if not self._header:
            self._header = _checked(self._build())
        return self._header

    def rejected(self, used: str) -> bool:
        """Whether the stored secret is another one by now."""
        self._header = _checked(self._build())
        return self._header != used


def basic(username: str, password: Reveal) -> FixedAuth:
    """RFC 7617, UTF-8."""

    def build() -> str:
        pair = f"{username}:{password()}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    return FixedAuth(build)


def token(secret: Reveal, scheme: str = "Bearer") -> FixedAuth:
    """`Authorization: SCHEME SECRET`: Bearer, or `token` as Request Tracker wants it."""
    return FixedAuth(lambda: f"{scheme} {secret()}")


class ClientCredentials:
    """OAuth 2.0 client credentials: one token for all calls, renewed before it ends.

    token_url: absolute, or a path on the desk's host. extra: more fields of the request, such as
    scope. Any number of calls that need a token at once cause one request for it.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        secret: Reveal,
        clock: Clock,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._url = token_url
        self._extra = dict(extra or {})
        self._client_id = client_id
        self._secret = secret
        self._clock = clock
        self._lock = asyncio.Lock()
        self._header = ""
        self._renew_at = 0.0

    def __repr__(self) -> str:
        return f"ClientCredentials({self._client_id!r}, hidden)"

    async def header(self, post_form: PostForm, /) -> str:
        """The token in use, or a new one a little before its end."""
        async with self._lock:
            if not self._header or self._clock.monotonic() >= self._renew_at:
                self._header = await self._fetch(post_form)
            return self._header

    def rejected(self, used: str) -> bool:
        """Forget the refused token, unless another call has renewed it already."""
        if self._header == used:
            self._header = ""
        return True

    async def _fetch(self, post_form: PostForm) -> str:
        form = {
            **self._extra,
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._secret(),
        }
        try:
            status, body = await post_form(self._url, form)
        except Permanent as error:
            raise RetryLater(f"no token: {error.text}") from error
        told = body if isinstance(body, Mapping) else {}
        if status != 200:
            raise NeedsHuman(
                f"the token endpoint refused us (HTTP {status}): {str(told.get('error', ''))[:80]}",
                field="auth",
                mend="check client_id, the client secret and that client credentials are allowed",
            )
        access, life = told.get("access_token"), told.get("expires_in", 300)
        if not isinstance(access, str) or not access:
            raise RetryLater("the token endpoint's answer holds no access_token")
        try:
            seconds = float(life)
        except (TypeError, ValueError):
            seconds = 300.0
        # a tenth of its life, at most a minute, so that no call leaves with a token about to end
        self._renew_at = self._clock.monotonic() + max(1.0, seconds - min(60.0, seconds / 10))
        return _checked(f"Bearer {access}")


def _checked(header: str) -> str:
    if not header.isprintable() or not header.isascii():
        raise NeedsHuman(
            "the secret holds characters that can't stand in a header",
            field="auth",
            mend="store it without line ends and in plain ASCII",
        )
    return header
