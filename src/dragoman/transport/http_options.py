"""From the settings that desks over HTTP share (config/http.py) to a client."""

from pathlib import Path
from typing import Protocol

from dragoman.ports.clock import Clock
from dragoman.transport.http import HttpClient, HttpLimits
from dragoman.transport.http_auth import Auth
from dragoman.transport.tls import TlsSettings


class TlsOptions(Protocol):
    """See transport/tls.py."""

    @property
    def ca_file(self) -> Path | None:
        """The authorities to trust; None: the system's."""

    @property
    def cert_file(self) -> Path | None:
        """Our certificate, if the other side asks for one."""

    @property
    def key_file(self) -> Path | None:
        """Its key."""


class HttpOptions(Protocol):
    """What config/http.HttpTable holds. Times in seconds, max_body in bytes."""

    @property
    def url(self) -> str:
        """The base address."""

    @property
    def tls(self) -> TlsOptions:
        """How to trust and be trusted."""

    @property
    def connect_s(self) -> float:
        """The deadline of a connection."""

    @property
    def timeout_s(self) -> float:
        """The deadline of a whole exchange."""

    @property
    def max_body(self) -> int:
        """The most that is read of an answer."""

    @property
    def connections(self) -> int:
        """How many are kept open at once."""


def client_of(
    options: HttpOptions, clock: Clock, auth: Auth | None = None, *, url: str = ""
) -> HttpClient:
    """The client of one server. url: instead of the options' own."""
    tls = options.tls
    return HttpClient(
        url or options.url,
        clock=clock,
        auth=auth,
        tls=TlsSettings(ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file),
        limits=HttpLimits(
            connect_s=options.connect_s,
            total_s=options.timeout_s,
            max_body=options.max_body,
            connections=options.connections,
        ),
    )
