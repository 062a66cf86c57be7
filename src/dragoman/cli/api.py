"""The REST API of the running gateway, as the commands call it.

The address is what the gateway left in its data folder (up.py), else `api.listen`; the token is
the first of `[[api.tokens]]` that has the scope, else the generated one of the data folder.
"""

import json
import ssl
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from dragoman.cli.exits import Unreachable
from dragoman.config.model import Config, Scope
from dragoman.domain.errors import NeedsHuman, NotFound, Permanent, RetryLater

DEADLINE_S = 30.0
Params = Mapping[str, str | int | bool | Sequence[str] | None]


class _NobodyThereError(Exception):
    """There is no gateway. Told as Unreachable, unless the journal can answer."""


class Api:
    """One gateway; what it would show is read from its journal while it doesn't run.

    Raises Unreachable where nobody answers, NotFound, Permanent with the mend.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.url = _url(config)
        self._away = False

    def get(self, path: str, params: Params | None = None) -> Any:
        """Read below /api/v1. Parameters that are None, "" or empty are left out."""
        given = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        told = {k: str(v).lower() if isinstance(v, bool) else v for k, v in given.items()}
        query = urlencode(told, doseq=True)
        return self._call("GET", f"{path}?{query}" if query else path, None, "read")

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Act below /api/v1."""
        return self._call("POST", path, json.dumps(body).encode(), "act")

    def live(self, path: str) -> Any:
        """Read what only a running gateway can tell. Raises Unreachable."""
        try:
            return self._answered(*self._send("GET", path, None, "read"))
        except _NobodyThereError as error:
            raise Unreachable(f"{error}; start the gateway with `dragoman up`") from error

    def pages(self, path: str, params: Params, limit: int) -> list[dict[str, Any]]:
        """Items of a paged list, at most `limit`."""
        items: list[dict[str, Any]] = []
        after = ""
        while len(items) < limit:
            size = min(500, limit - len(items))
            page = self.get(path, {**params, "after": after, "limit": size})
            items += page["items"]
            after = page["next"]
            if not after:
                break
        return items

    def _call(self, method: str, path: str, body: bytes | None, scope: Scope) -> Any:
        return self._answered(
            *(self._read(path) if scope == "read" else self._act(method, path, body))
        )

    def _answered(self, status: int, content: bytes) -> Any:
        try:
            decoded = json.loads(content)
        except ValueError as error:
            raise Permanent(f"{self.url} answers no JSON; is that the gateway?") from error
        if status >= 400:
            raise _error(status, decoded)
        return decoded

    def _read(self, path: str) -> tuple[int, bytes]:
        """Ask the gateway; if there is none, its journal."""
        if not self._away:
            try:
                return self._send("GET", path, None, "read")
            except _NobodyThereError as error:
                if not self._config.journal_file.exists():
                    raise Unreachable(str(error)) from error
                self._away = True
                print("dragoman: gateway not running; read from the journal", file=sys.stderr)
        # Late, since the commands need not load the web service otherwise.
        from dragoman.cli.offline import answer  # noqa: PLC0415 - see above

        return answer(self._config, f"/api/v1{path}")

    def _act(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Ask the gateway, which alone may change anything."""
        try:
            return self._send(method, path, body, "act")
        except _NobodyThereError as error:
            raise Unreachable(
                f"{error}; this needs the gateway: start it with `dragoman up`"
            ) from error

    def _send(self, method: str, path: str, body: bytes | None, scope: Scope) -> tuple[int, bytes]:
        connection = self._connection()
        headers = {"Authorization": f"Bearer {self._token(scope)}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, f"/api/v1{path}", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except TimeoutError as error:
            text = f"the gateway at {self.url} did not answer within {DEADLINE_S:.0f} s"
            raise Unreachable(text) from error
        except (OSError, HTTPException) as error:
            raise _NobodyThereError(f"no gateway answers at {self.url}: {error}") from error
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        tls = self._config.api.tls
        if parts.scheme == "https" and tls is not None:
            # Exactly the gateway's own certificate is trusted, so its name need not fit.
            context = ssl.create_default_context(cafile=str(tls.cert_file))
            context.check_hostname = False
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            return HTTPSConnection(host, parts.port, timeout=DEADLINE_S, context=context)
        return HTTPConnection(host, parts.port, timeout=DEADLINE_S)

    def _token(self, scope: Scope) -> str:
        for table in self._config.api.tokens:
            if scope in table.scopes:
                return table.token.reveal()
        file = self._config.token_file
        if self._config.api.tokens:
            raise NeedsHuman(f"no token of [[api.tokens]] has the scope {scope}", mend="add one")
        try:
            return file.read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            raise _NobodyThereError(f"no gateway has run here yet: there is no {file}") from error
        except OSError as error:
            raise NeedsHuman(
                f"the token in {file} can't be read: {error.strerror}",
                mend="run this as the gateway's user",
            ) from error


def part(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")


def _url(config: Config) -> str:
    try:
        found = config.url_file.read_text(encoding="utf-8").strip()
    except OSError:
        found = ""
    scheme = "http" if config.api.tls is None else "https"
    return found or f"{scheme}://{config.api.listen}"


def _error(status: int, told: Mapping[str, str]) -> Exception:
    """The error of a problem's details."""
    text = told.get("detail", f"HTTP {status}")
    if status == 503:
        return RetryLater(text, field=told.get("field", ""))
    kind = NotFound if status == 404 else Permanent
    more = {key: told.get(key, "") for key in ("field", "value", "mend")}
    return kind(text, **more)
