"""The folder of a demo's site: dragoman.toml, secrets, and where everything else goes.

Written by `run` before anything starts. The configuration is meant to be read, changed and used
again, so it has a comment wherever the demo differs from a real site.
"""

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from dragoman.testing.demo.scene import LOCATIONS, TIME_SCALE, Options

DESK = "servicenow"
FIELDS = ("u_robot", "u_robot_status", "u_order")
"""Columns that the demo's desk has beside those of the base system."""
BROKER_USER = "dragoman"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFolder:
    """Paths, ports and secrets of one demo."""

    root: Path
    api_port: int
    broker_port: int

    @property
    def config(self) -> Path:
        """dragoman.toml."""
        return self.root / "dragoman.toml"

    @property
    def journal(self) -> Path:
        """The gateway's journal."""
        return self.root / "data" / "journal.sqlite"

    @property
    def robots_report(self) -> Path:
        """What the robots really did, JSON lines."""
        return self.root / "robots.jsonl"

    @property
    def api(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.api_port}"

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.root / "logs" / f"{name}.log"

    def secret(self, name: str) -> str:
        """A secret, made at the first call. Only this user can read its file."""
        path = self.root / "secrets" / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
        return path.read_text(encoding="utf-8").strip()


def make(root: Path) -> SiteFolder:
    """Lay the folder out, with fresh ports. Raises FileExistsError if a site is in it already."""
    folder = SiteFolder(root=root.absolute(), api_port=_free_port(), broker_port=_free_port())
    for used in (folder.config, folder.root / "data"):
        if used.exists():
            raise FileExistsError(str(used))
    folder.log("any").parent.mkdir(parents=True, exist_ok=True)
    for name in ("api-token", "broker-password", "desk-password", "webhook-secret"):
        folder.secret(name)
    return folder


def write_config(
    folder: SiteFolder, options: Options, desk_url: str, *, time_scale: float = TIME_SCALE
) -> None:
    """Write dragoman.toml for a desk that listens there and robots that live so fast."""
    places = "\n".join(
        f'"{name}" = {{ node = "{node}", x = {x}, y = {y}, map = "hall" }}'
        for name, (node, x, y) in LOCATIONS.items()
    )
    own = f'url = "mqtt://127.0.0.1:{folder.broker_port}"   # apart from the gateway: it is cut too'
    embedded = f'listen = "127.0.0.1:{folder.broker_port}"  # no url: the gateway runs one itself'
    text = _CONFIG.format(
        api=folder.api.removeprefix("http://"),
        broker=own if options.chaos else embedded,
        desk_url=desk_url,
        poll="true" if options.intake != "webhook" else "false",
        webhook=_WEBHOOK if options.intake != "poll" else "",
        speed=1.5 * time_scale,
        places=places,
    )
    folder.config.write_text(text, encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_WEBHOOK = """
[desks.servicenow.webhook]               # POST /hooks/servicenow, signed (Standard Webhooks)
secrets = [{ file = "secrets/webhook-secret" }]
"""

_CONFIG = """\
# The site of a `dragoman demo`: real protocols, emulated desk and robots, all on this machine.
# Check it with `dragoman check`; see what happened with `dragoman trace INC…` while it runs.
# All settings: docs/reference/config.md. Relative paths count from this file's folder.

[site]
name = "demo"
data = "data"                            # the journal, all the state there is

[api]
listen = "{api}"

[[api.tokens]]
name = "operator"
token = {{ file = "secrets/api-token" }}   # a secret never stands in here

[broker]
{broker}
username = "dragoman"
password = {{ file = "secrets/broker-password" }}

# ---- the desk: incidents of the group Robot Fleet become cases

[desks.servicenow]
type = "servicenow"
url = "{desk_url}"
table = "incident"
query = "assignment_group.name=Robot Fleet"
auth = {{ type = "basic", username = "dragoman", password = {{ file = "secrets/desk-password" }} }}
concurrency = 16

[desks.servicenow.retry]                 # a demo is short, so it tries again sooner than a site
base_s = 0.3
cap_s = 3.0

[desks.servicenow.poll]                  # also catches what a lost webhook would have told
enabled = {poll}
min_s = 0.25
max_s = 1.0
requests_per_minute = 1200
{webhook}
# The built-in mapping is used; what stands here replaces it key by key.

[desks.servicenow.read.kind]              # of a case: it chooses the mission
path = "category.value"
map = {{ hardware = "inspect", network = "measure", inquiry = "carry" }}

[desks.servicenow.write.assigned.fields] # u_… are columns of this desk's own
u_robot = "{{robot}}"
u_order = "{{order}}"
u_robot_status = "{{status}}"

[desks.servicenow.write.accepted.fields]
u_order = "{{order}}"
u_robot_status = "{{status}}"

[desks.servicenow.write.executing.fields]
u_order = "{{order}}"
u_robot_status = "{{status}}"

[desks.servicenow.write.done.fields]
u_robot = "{{robot}}"
u_order = "{{order}}"
u_robot_status = "{{status}}"

[desks.servicenow.write.requeued.fields]
u_robot_status = "{{status}}"

[desks.servicenow.write.uncertain.fields]
u_robot_status = "{{status}}"

[desks.servicenow.write.held.fields]
u_robot_status = "{{status}}"

[desks.servicenow.write.failed.fields]
u_robot_status = "{{status}}"

[desks.servicenow.write.rejected.fields]
u_robot_status = "{{status}}"

# ---- the robots

[fleets.hall]
type = "vda5050"                         # versions 2.0 and 2.1, over the broker above
robots = ["dragoman/*"]                  # manufacturer/serial of those that belong to it

# What a kind of case asks of a robot, at the case's location.
[missions.inspect]
expected_s = 10
actions = [{{ type = "inspect", blocking = "HARD", parameters = {{ case = "{{number}}" }} }}]

[missions.measure]
expected_s = 10
actions = [{{ type = "measure", blocking = "HARD", parameters = {{ case = "{{number}}" }} }}]

[missions.carry]
expected_s = 10
actions = [{{ type = "pick", blocking = "HARD", parameters = {{ case = "{{number}}" }} }}]

[weights]
speed = {speed}                             # metres a second: these robots live fast

[locations]                              # names as the desk has them; metres on the robots' map
{places}

[log]
file = "logs/gateway.log"                # JSON lines
"""
