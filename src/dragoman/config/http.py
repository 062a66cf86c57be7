"""The settings that desks over HTTP share: address, log-in, TLS, deadlines.

The settings models of desks/<vendor> build on `HttpTable`; each names the ways to log in that its
vendor has.
"""

from typing import Annotated, Literal

from pydantic import Field

from dragoman.config.fields import RelativePath, Table, Text, url_of
from dragoman.config.secrets import Secret


class BasicAuth(Table):
    """`auth = { type = "basic", username = "…", password = { env = "…" } }`."""

    type: Literal["basic"]
    username: Text
    password: Secret


class TokenAuth(Table):
    """`auth = { type = "token", token = { file = "…" } }`: one that the desk made for us."""

    type: Literal["token"]
    token: Secret


class OAuth2Auth(Table):
    """Client credentials. token_url: a path on the desk's host, or a URL of another."""

    type: Literal["oauth2"]
    client_id: Text
    client_secret: Secret
    token_url: Text


class TlsTable(Table):
    """TLS towards the desk; see transport/tls.py. No ca_file: the system's authorities."""

    ca_file: RelativePath | None = None
    cert_file: RelativePath | None = None
    key_file: RelativePath | None = None


Seconds = Annotated[float, Field(gt=0, le=3600)]


class HttpTable(Table):
    """url: the desk's base address. connect_s, timeout_s: deadlines of a call, in seconds.
    connections: kept open at once. max_body: bytes of one answer that are read at most.
    """

    url: Annotated[str, url_of("https", "http")]
    tls: TlsTable = TlsTable()
    connect_s: Seconds = 5.0
    timeout_s: Seconds = 30.0
    connections: Annotated[int, Field(ge=1, le=256)] = 16
    max_body: Annotated[int, Field(ge=65_536)] = 8 * 1024 * 1024
