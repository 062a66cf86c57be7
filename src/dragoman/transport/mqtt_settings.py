"""How to reach an MQTT broker, and the will to leave with it: plain values.

Made by bootstrap from the configuration, or by `broker.py` for the embedded broker; read by
`mqtt_connection.py`. Users import them from `mqtt.py`.
"""

from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import SecretStr

from dragoman.domain.errors import NeedsHuman
from dragoman.transport.tls import TlsSettings

_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """tls: None means plain TCP. keepalive_s: a silent broker counts as lost after one and a
    half of it. max_payload_bytes: longer messages that come in are dropped and reported without
    being buffered, and longer ones aren't published. reconnect_*_s: bounds of the wait between
    attempts, which doubles and is jittered.
    """

    host: str
    port: int
    username: str | None = None
    password: SecretStr | None = None
    tls: TlsSettings | None = None
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    keepalive_s: int = 15
    clean_session: bool = True
    max_payload_bytes: int = 8 * 1024 * 1024
    reconnect_first_s: float = 0.1
    reconnect_most_s: float = 10.0

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65_535:
            raise _bad("port", str(self.port), "give a port from 1 to 65535")
        if not 1 <= self.keepalive_s <= 65_535:
            raise _bad("keepalive_s", str(self.keepalive_s), "give 1 to 65535 seconds")
        if self.password is not None and self.username is None:
            raise _bad("username", "", "a password needs a user name")

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        username: str | None = None,
        password: SecretStr | None = None,
        tls: TlsSettings | None = None,
        protocol: Literal["3.1.1", "5"] = "3.1.1",
    ) -> Self:
        """From mqtt://host[:1883] or mqtts://host[:8883]; mqtts without `tls` trusts the
        authorities of the system. Raises NeedsHuman, and never repeats a password it was given.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise _bad("url", "", f"give mqtt://host:port or mqtts://host:port ({error})") from None
        if parts.username is not None or parts.password is not None:
            raise _bad(
                "url",
                f"{parts.scheme}://…@{host}",
                "leave user and password out of the URL: name the user in the configuration "
                "and the password as a secret",
            )
        if parts.scheme not in _DEFAULT_PORTS or not host:
            raise _bad("url", url, "give mqtt://host:port or mqtts://host:port")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise _bad("url", url, "give nothing after the port")
        if parts.scheme == "mqtt" and tls is not None:
            raise _bad("url", url, "TLS is set, so the URL must begin with mqtts://")
        return cls(
            host=host,
            port=port if port is not None else _DEFAULT_PORTS[parts.scheme],
            username=username,
            password=password,
            tls=tls or (TlsSettings() if parts.scheme == "mqtts" else None),
            protocol=protocol,
        )

    @property
    def address(self) -> str:
        """host:port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _bad(field: str, value: str, mend: str) -> NeedsHuman:
    return NeedsHuman("the MQTT broker's settings are wrong", field=field, value=value, mend=mend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker publishes for us when the connection dies without a DISCONNECT."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
