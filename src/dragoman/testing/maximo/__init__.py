"""An emulated IBM Maximo (MAS Manage, REST/JSON API) over real HTTP, for tests and trials.

For tests of the adapter in `dragoman.desks.maximo`, and for anyone who wants to try Dragoman
without a Maximo. Work orders (mxapiwo, mxapiwodetail) and service requests (mxapisr).

>>> async with EmulatedMaximo() as desk:
...     row = desk.open(description="Inspect pump 7", worktype="INSP", location="BR300")
...     ...  # point an adapter at desk.url with desk.api_key

IBM publishes no client that could hold it to the real thing, so each part names the piece of IBM's
public documentation, or the recorded behaviour of an installation, that it follows. What it leaves
out: children other than the work log, related attributes (`asset.description`), saved queries,
bulk calls, workflows, attachments, and rights finer than an object structure.
"""

from dragoman.testing.maximo.errors import CATALOGUE
from dragoman.testing.maximo.faults import Fault, FaultKind
from dragoman.testing.maximo.schema import Attribute, Kind
from dragoman.testing.maximo.server import KEY, EmulatedMaximo
from dragoman.testing.maximo.store import Row

__all__ = ["CATALOGUE", "KEY", "Attribute", "EmulatedMaximo", "Fault", "FaultKind", "Kind", "Row"]
