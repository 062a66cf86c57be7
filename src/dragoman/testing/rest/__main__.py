"""An emulated REST desk as a process of its own: python -m dragoman.testing.rest redmine.

Started by hand, to try a description of docs/howto/connect-any-rest-desk.md. Once it listens it
prints one JSON line: {"url", "pid", "person"}, the last being the credential by which a person
(Pat) opens and edits tickets. The gateway's own key or password comes from the environment
(DRAGOMAN_DESK_KEY), so that it stands in no command line and no output. SIGTERM or SIGINT ends it.
"""

import argparse
import asyncio
import os
import signal
import sys

import msgspec

from dragoman.testing.rest import EmulatedHelpdesk, EmulatedRedmine
from dragoman.testing.rest.server import EmulatedRestDesk

KEY_VARIABLE = "DRAGOMAN_DESK_KEY"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m dragoman.testing.rest",
        description="An emulated desk with a REST API. The environment has the gateway's API key "
        f"(redmine) or the password of its account `gateway` (helpdesk) in {KEY_VARIABLE}.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("desk", choices=["redmine", "helpdesk"], help="which API it has")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0: a free one")
    return parser.parse_args()


def _desk(name: str, key: str) -> tuple[EmulatedRestDesk, str]:
    """The desk, and a person's credential at it."""
    if name == "redmine":
        redmine = EmulatedRedmine()
        redmine.api_key = key
        return redmine, redmine.person_key
    helpdesk = EmulatedHelpdesk()
    helpdesk.password = key
    return helpdesk, f"pat:{helpdesk.person_password}"


async def _run(arguments: argparse.Namespace) -> None:
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        sys.exit(f"{KEY_VARIABLE} is not set: set it to the secret that the gateway will use")
    desk, person = _desk(arguments.desk, key)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await desk.start(port=arguments.port)
    address = {"url": desk.url, "pid": os.getpid(), "person": person}
    sys.stdout.write(msgspec.json.encode(address).decode() + "\n")
    sys.stdout.flush()
    await ended.wait()
    await desk.stop()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_run(_arguments()))
