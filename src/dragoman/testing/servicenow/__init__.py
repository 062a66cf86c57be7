"""An emulated ServiceNow desk over real HTTP, for tests, demos and benchmarks. Public API.

Used by this project's tests, its demo and its benchmark, and by anybody who writes a client. The
official client PySNC works against it unchanged (tests/testing/servicenow). The parts, in the way
of a call: server, auth, limits, faults, router, api, attachments, query and conditions, render,
instance, rules, store, schema; beside it ledger, webhooks, control, remote, desk.
"""

from dragoman.testing.servicenow.auth import Account
from dragoman.testing.servicenow.desk import Credentials, ServiceNowDesk
from dragoman.testing.servicenow.faults import Fault, FaultKind, WebhookFaults
from dragoman.testing.servicenow.ledger import Entry
from dragoman.testing.servicenow.schema import Field, FieldType

__all__ = [
    "Account",
    "Credentials",
    "Entry",
    "Fault",
    "FaultKind",
    "Field",
    "FieldType",
    "ServiceNowDesk",
    "WebhookFaults",
]
