"""An emulated Salesforce org over real HTTP, for tests, demos and benchmarks. Public API.

It has Case, CaseComment and User, and speaks the REST API as far as a gateway needs it. PyPI's
`simple-salesforce` works against it unchanged (tests/testing/salesforce). The parts, in the way of
a call: server, login, faults, router, sobjects, composite and collections, soql and select,
org, rules, values, store, schema, ids; `emulated` holds them.

>>> async with EmulatedSalesforce() as org:
...     case = org.open_case(Subject="Fetch a pallet")
...     ...  # point an adapter at org.url with org.credentials

What it leaves out: other objects, aggregates and subqueries in SOQL, record types, sharing,
triggers (but see `Rules.automation`), the Bulk, Streaming and Metadata APIs.
"""

from dragoman.testing.salesforce.emulated import EmulatedSalesforce
from dragoman.testing.salesforce.faults import Fault, FaultKind
from dragoman.testing.salesforce.login import Credentials
from dragoman.testing.salesforce.schema import Field

__all__ = ["Credentials", "EmulatedSalesforce", "Fault", "FaultKind", "Field"]
