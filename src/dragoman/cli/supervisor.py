"""Tells a supervisor how the gateway is: systemd's notification protocol (sd_notify(3)).

Used by up.py. Does nothing where no supervisor asks for it.
"""

import asyncio
import os
import socket
from contextlib import suppress


def notify(message: str) -> None:
    """Send one message (READY=1, STOPPING=1, WATCHDOG=1) to $NOTIFY_SOCKET, if there is one.

    A supervisor that doesn't listen is no reason to stop working, so failures are let pass.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(message.encode(), address)


async def watch() -> None:
    """Tell the watchdog that the event loop runs, twice in each of its periods. Until cancelled."""
    period = os.environ.get("WATCHDOG_USEC", "")
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    if not period.isdecimal() or not int(period) or not mine:
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(int(period) / 2_000_000)
