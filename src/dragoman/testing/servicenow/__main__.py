"""An emulated ServiceNow desk as a process of its own: python -m dragoman.testing.servicenow.

Started by the demo, the benchmark and the kill tests (see `remote`), and by hand. Once it listens
it prints one JSON line {"url", "pid", "user_name", "client_id"}. The gateway's password and client
secret come from the environment (DRAGOMAN_DESK_PASSWORD, DRAGOMAN_DESK_CLIENT_SECRET), so that they
stand in no command line and no output. SIGTERM or SIGINT ends it; then --report gets the records
and the ledger as JSON.
"""

import argparse
import asyncio
import os
import signal
import ssl
import sys
from pathlib import Path

import msgspec

from dragoman.testing.servicenow.desk import (
    CLIENT_SECRET_VARIABLE,
    PASSWORD_VARIABLE,
    Credentials,
    ServiceNowDesk,
)
from dragoman.testing.servicenow.schema import Field
from dragoman.testing.servicenow.webhooks import CASE_TABLES


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m dragoman.testing.servicenow",
        description="An emulated ServiceNow desk. The environment has the gateway's secrets: "
        f"its password in {PASSWORD_VARIABLE}, its OAuth client secret in "
        f"{CLIENT_SECRET_VARIABLE}.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0: a free one")
    parser.add_argument("--user", default="dragoman", help="the gateway's user name")
    parser.add_argument("--client-id", default="dragoman-gateway", help="its OAuth client id")
    parser.add_argument("--cert", type=Path, help="server certificate (PEM) for https")
    parser.add_argument("--key", type=Path, help="its private key (PEM)")
    parser.add_argument(
        "--field",
        action="append",
        default=[],
        metavar="NAME",
        help="an extra text field of both case tables, such as u_robot",
    )
    parser.add_argument("--report", type=Path, help="where to write records and ledger at the end")
    return parser.parse_args()


def _tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    if arguments.cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(arguments.cert, arguments.key)
    return context


def _credentials(arguments: argparse.Namespace) -> Credentials:
    missing = [
        name for name in (PASSWORD_VARIABLE, CLIENT_SECRET_VARIABLE) if not os.environ.get(name)
    ]
    if missing:
        sys.exit(f"{missing[0]} is not set: set it to the secret that the gateway will use")
    return Credentials(
        user_name=arguments.user,
        password=os.environ[PASSWORD_VARIABLE],
        client_id=arguments.client_id,
        client_secret=os.environ[CLIENT_SECRET_VARIABLE],
    )


async def _run(arguments: argparse.Namespace) -> None:
    fields = [Field(name=name, label=name, max_length=255) for name in arguments.field]
    desk = ServiceNowDesk(
        credentials=_credentials(arguments),
        extra_fields=dict.fromkeys(CASE_TABLES, fields),
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await desk.start(port=arguments.port, tls=_tls(arguments))
    address = {
        "url": desk.url,
        "pid": os.getpid(),
        "user_name": arguments.user,
        "client_id": arguments.client_id,
    }
    sys.stdout.write(msgspec.json.encode(address).decode() + "\n")
    sys.stdout.flush()
    await ended.wait()
    await desk.stop()
    if arguments.report is not None:
        arguments.report.write_bytes(_report(desk))


def _report(desk: ServiceNowDesk) -> bytes:
    return msgspec.json.encode(
        {
            "records": {table: desk.records(table) for table in CASE_TABLES},
            "ledger": list(desk.ledger.entries()),
        }
    )


if __name__ == "__main__":
    import uvloop

    uvloop.run(_run(_arguments()))
