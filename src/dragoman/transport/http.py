"""The HTTP client of all adapters: deadlines, a body cap, credentials, errors told once.

`HttpClient` is one server with one way to log in; desks/<vendor>/client.py builds on it. It keeps
connections alive, learns the server's clock from its Date headers, and keeps the last rate-limit
headers for metrics. Nothing that it raises or prints holds a secret.
"""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
from yarl import URL

from dragoman.domain.errors import DragomanError, NeedsHuman
from dragoman.ports.clock import Clock
from dragoman.transport.http_auth import Auth
from dragoman.transport.http_errors import (
    FOREIGN,
    RAISED,
    BodyTooLarge,
    NotJson,
    http_date,
    of_exception,
    of_status,
    retry_after_s,
)
from dragoman.transport.http_quota import Quota
from dragoman.transport.tls import TlsSettings

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LIMIT_HEADERS = ("x-ratelimit", "ratelimit", "retry-after", "sforce-limit-info")
_MAX_REDIRECTS = 3
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """connect_s, total_s: deadlines of one exchange in seconds, its body included.
    max_body: bytes of an answer that we read at most. connections: kept open at once.
    """

    connect_s: float = 5.0
    total_s: float = 30.0
    max_body: int = 8 * 1024 * 1024
    connections: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """A whole answer. headers: names in lower case; one that came several times is joined by ", "
    (RFC 9110 5.3), Set-Cookie by line ends. where: the host, for texts of errors.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    where: str

    def json(self) -> Any:
        """The decoded body. Raises NotJson (a page of HTML, half an answer)."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            kind = self.headers.get("content-type", "no content type").partition(";")[0]
            raise NotJson(
                f"{self.where} answered HTTP {self.status} with {len(self.body)} bytes of "
                f"{kind[:60]} that aren't JSON"
            ) from error


class HttpClient:
    """One server. Every call has a deadline; connections are made on the first call."""

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        auth: Auth | None = None,
        tls: TlsSettings | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._origin = _origin(self._base)
        self._where = urlsplit(self._base).netloc
        self._clock = clock
        self._auth = auth
        self._tls = tls or TlsSettings()
        self._limits = limits or HttpLimits()
        self._session: aiohttp.ClientSession | None = None
        self._seen_date = ""
        self.clock_offset_s: float | None = None
        """The server's clock minus ours in seconds, once a Date header was seen."""
        self.rate_limits: dict[str, str] = {}
        """The last rate-limit headers, by lower-case name."""
        self.quota = Quota(self._where, clock)

    def __repr__(self) -> str:
        return f"HttpClient({self._base})"

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """One call. path: below the base URL, its variable parts quoted by the caller. json: bytes
        are sent as they are, with the Content-Type of `headers`.

        Raises NeedsHuman (401, certificates, moved elsewhere), RetryLater (no answer, 429, 5xx,
        or the server has asked us to wait), BodyTooLarge. Any other status is returned, for the
        adapter to read the vendor's words.
        """
        query = _encoded(tuple(params.items())) if params else ""
        url = f"{self._base}{path}{query}"
        body = json if json is None or isinstance(json, bytes) else msgspec.json.encode(json)
        sent = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        answer, used = await self._authorised(method, url, body, sent)
        if answer.status == 401 and self._auth is not None and self._auth.rejected(used):
            answer, used = await self._authorised(method, url, body, sent)
        if answer.status in RAISED:
            raise self.error_for(answer)
        return answer

    def error_for(self, answer: HttpAnswer, detail: str = "") -> DragomanError:
        """The error that the status alone means, with the vendor's words and Retry-After."""
        now = self.server_now() or self._clock.now()
        delay = retry_after_s(answer.headers.get("retry-after"), now)
        return of_status(answer.status, self._where, detail, delay)

    def server_now(self) -> datetime | None:
        """The server's time by its Date headers, or None before the first."""
        if self.clock_offset_s is None:
            return None
        return self._clock.now() + timedelta(seconds=self.clock_offset_s)

    async def close(self) -> None:
        """Close all connections; the client can be used again after it."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _authorised(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[HttpAnswer, str]:
        used = await self._auth.header(self._post_form) if self._auth is not None else ""
        sent = {**headers, "Authorization": used} if used else headers
        answer = await self._send(method, url, body, sent)
        for _ in range(_MAX_REDIRECTS):
            if answer.status not in _REDIRECTS:
                return answer, used
            answer = await self._send(method, self._redirected(method, url, answer), body, sent)
        if answer.status in _REDIRECTS:
            raise NeedsHuman(f"{self._where} redirects in a circle", field="url")
        return answer, used

    def _redirected(self, method: str, url: str, answer: HttpAnswer) -> str:
        """Where a redirect of the same origin leads. Credentials go to no other host."""
        target = str(URL(url, encoded=True).join(URL(answer.headers.get("location", ""))))
        where = urlsplit(target)
        if _origin(target) != self._origin or method not in ("GET", "HEAD"):
            raise NeedsHuman(
                f"{self._where} sends us elsewhere (HTTP {answer.status})",
                field="url",
                value=f"{where.scheme}://{where.netloc}{where.path}",
                mend="if that is the desk's new address, set url to it",
            )
        return target

    async def _post_form(self, url: str, fields: Mapping[str, str]) -> tuple[int, object]:
        """A form to a token endpoint, absolute or on our server, without credentials of its own."""
        target = url if "://" in url else f"{self._origin}/{url.lstrip('/')}"
        form = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        answer = await self._send("POST", target, urlencode(fields).encode(), form)
        if answer.status in RAISED and answer.status != 401:
            raise self.error_for(answer)
        try:
            return answer.status, answer.json()
        except NotJson:
            if answer.status == 200:
                raise
            return answer.status, None

    async def _send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> HttpAnswer:
        """One exchange on the wire, read up to the cap."""
        refusal = self.quota.refusal()
        if refusal is not None:
            raise refusal
        self.quota.spent()
        started = self._clock.now()
        try:
            try:
                response, content = await self._exchanged(method, url, body, headers)
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                if method not in _READS:
                    raise
                # the server may have closed a kept connection just as the call went out
                response, content = await self._exchanged(method, url, body, headers)
        except FOREIGN as error:
            raise of_exception(error, self._where) from error
        told = _folded(response.headers.items())
        self._learn(told, started)
        self.quota.learn(response.status, told, self.server_now() or self._clock.now())
        return HttpAnswer(status=response.status, headers=told, body=content, where=self._where)

    async def _exchanged(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """The answer and its body. Raises aiohttp's errors and BodyTooLarge."""
        session = self._session or self._connect()
        async with session.request(
            method, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
        ) as response:
            return response, await self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        cap = self._limits.max_body
        if (response.content_length or 0) <= cap:
            chunks = bytearray()
            async for chunk in response.content.iter_any():
                chunks += chunk
                if len(chunks) > cap:
                    break
            else:
                return bytes(chunks)
        response.close()  # the rest would have to be read before the connection can be used again
        raise BodyTooLarge(
            f"the answer of {self._where} is larger than {cap} bytes",
            mend="ask for fewer fields, or find the record that is so large",
        )

    def _connect(self) -> aiohttp.ClientSession:
        secure = self._base.startswith("https:")
        context: ssl.SSLContext | bool = self._tls.client_context() if secure else True
        limits = self._limits
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=context, limit=limits.connections, keepalive_timeout=30.0
            ),
            timeout=aiohttp.ClientTimeout(
                total=limits.total_s, connect=limits.total_s, sock_connect=limits.connect_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "dragoman"},
        )
        # aiohttp would send a PUT twice when a connection breaks, though it may have been carried
        # out; there is no public switch. `_send` repeats reads itself.
        self._session._retry_connection = False
        return self._session

    def _learn(self, headers: Mapping[str, str], started: datetime) -> None:
        """Take clock and limits from an answer's headers."""
        date = headers.get("date", "")
        if date and date != self._seen_date:
            self._seen_date = date
            moment = http_date(date)
            if moment is not None:
                middle = started + (self._clock.now() - started) / 2
                # a Date is cut to the second: on average half of one is missing
                offset = (moment - middle).total_seconds() + 0.5
                known = self.clock_offset_s
                near = known is not None and abs(offset - known) < 5
                self.clock_offset_s = offset if not near else 0.8 * (known or 0.0) + 0.2 * offset
        for name, value in headers.items():
            if name.startswith(_LIMIT_HEADERS):
                self.rate_limits[name] = value[:100]


@lru_cache(maxsize=256)
def _encoded(pairs: tuple[tuple[str, str], ...]) -> str:
    """A query string. Most calls of a desk have one of few."""
    return f"?{urlencode(pairs)}"


def _folded(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name, those that came several times joined."""
    told: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        between = "\n" if key == "set-cookie" else ", "
        told[key] = f"{told[key]}{between}{value}" if key in told else value
    return told


def _origin(url: str) -> str:
    """Scheme, host and port, which must not change when a server redirects."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}"
