"""An emulated Request Tracker 5: REST 2.0 over real HTTP, true to recordings of the real one.

For tests of the adapter in `dragoman.desks.rt`, of rules that map its fields, and for anyone who
wants to try Dragoman without a desk. PyPI's `rt` client works against it unchanged.

>>> async with EmulatedRequestTracker() as desk:
...     person = desk.store.user("pat-requester")
...     ticket = desk.store.create(person, NewTicket(subject="Inspect pump 7"))
...     ...  # point an adapter at desk.url with desk.gateway_token

Where it stands in for the real server it says the same: the tests play one script against both
and compare (tests/adapters/rt/recorded). What it leaves out: attachments that are not text,
links, watchers, time worked, other lifecycles than the default, and rights finer than a queue.
"""

from dragoman.testing.rt.faults import Fault
from dragoman.testing.rt.server import EmulatedRequestTracker
from dragoman.testing.rt.store import NewTicket, Store, Ticket, Transaction, User

__all__ = ["EmulatedRequestTracker", "Fault", "NewTicket", "Store", "Ticket", "Transaction", "User"]
