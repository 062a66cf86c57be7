"""The configuration file of the embedded nats-server, with what we know it needs for MQTT.

Rendered by `broker.py` at every start. Passwords aren't in it: the file names environment
variables, which only the broker's process gets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from dragoman.domain.errors import NeedsHuman

MAX_PACKET_BYTES = 8 * 1024 * 1024  # nats-server warns above; a longer one ends its connection


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTls:
    """PEM files: the broker's certificate (for 127.0.0.1) and key, and the authority that
    signed it, by which clients verify it."""

    cert_file: Path
    key_file: Path
    ca_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFiles:
    """Where the broker's files are, all in its store directory but maybe the log."""

    store_dir: Path
    log_file: Path

    @property
    def config(self) -> Path:
        """The rendered configuration."""
        return self.store_dir / "nats-server.conf"

    @property
    def startup_errors(self) -> Path:
        """What it says before its log is open."""
        return self.store_dir / "startup.err"


def render(
    files: BrokerFiles, *, port: int, users: Mapping[str, SecretStr], tls: BrokerTls | None
) -> tuple[str, dict[str, str]]:
    """The file's text and the environment variables it refers to.

    Raises NeedsHuman for a user name or a password that nats-server would misread.
    """
    environment: dict[str, str] = {}
    entries = []
    for number, (name, password) in enumerate(users.items()):
        variable = f"DRAGOMAN_BROKER_PASSWORD_{number}"
        secret = password.get_secret_value()
        if not name or not secret or secret.startswith("$2"):
            raise NeedsHuman(
                "the embedded broker can't use this user name or password",
                field="users",
                value=name,
                mend="give a name, and a password that isn't empty and doesn't begin with $2",
            )
        environment[variable] = _quoted(secret)
        entries.append(f"    {{ user: {_quoted(name)}, password: ${variable} }}")
    lines = [
        "# Written at every start: changes made here are lost.",
        'server_name: "dragoman"',
        "# The port for NATS clients can't be left out; nobody uses it.",
        'listen: "127.0.0.1:-1"',
        f"max_payload: {MAX_PACKET_BYTES}",
        f"log_file: {_quoted(str(files.log_file))}",
        "logfile_size_limit: 10MB",
        "logfile_max_num: 3",
        "jetstream {",
        f"  store_dir: {_quoted(str(files.store_dir / 'jetstream'))}",
        "  # Each subscription at QoS 1 is a consumer; the default allows too few for a fleet.",
        "  limits { default_max_consumers: -1 }",
        "}",
        "mqtt {",
        f'  listen: "127.0.0.1:{port}"',
        "  # Messages at QoS 1 on the way to one client; what comes on top waits until ack_wait is",
        "  # over. A client's subscriptions at QoS 1 may have 65535 together, so 63 of these.",
        "  max_ack_pending: 1024",
        '  ack_wait: "5s"',
        "  # On disk a thousand consumers left by a crash keep clients waiting for a minute.",
        "  consumer_memory_storage: true",
        *_tls_lines(tls),
        "}",
    ]
    if entries:
        lines += ["authorization {", "  users: [", *entries, "  ]", "}"]
    return "\n".join(lines) + "\n", environment


def _tls_lines(tls: BrokerTls | None) -> list[str]:
    if tls is None:
        return []
    cert, key = _quoted(str(tls.cert_file)), _quoted(str(tls.key_file))
    return [f"  tls {{ cert_file: {cert}, key_file: {key} }}"]


def _quoted(text: str) -> str:
    """A string of nats-server's configuration language."""
    if any(ord(character) < 0x20 for character in text):
        raise NeedsHuman(
            "a name, password or path for the embedded broker holds a control character",
            field="users, store_dir or log_file",
            mend="leave control characters out",
        )
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
