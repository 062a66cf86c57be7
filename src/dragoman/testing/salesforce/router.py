"""Which part of the emulated org answers a call, and what a refusal looks like.

Called by `server` for each request, and by `composite` for the calls within one.
"""

from dragoman.testing.salesforce.collections import Collections
from dragoman.testing.salesforce.composite import Composite
from dragoman.testing.salesforce.errors import (
    NotModified,
    PreconditionFailed,
    Refused,
    SeveralMatch,
)
from dragoman.testing.salesforce.org import Org
from dragoman.testing.salesforce.select import Select
from dragoman.testing.salesforce.sobjects import SObjects
from dragoman.testing.salesforce.wire import Answer, Call

VERSIONS = ("59.0", "60.0", "61.0", "62.0")
_RESOURCES = ("sobjects", "query", "queryAll", "composite", "limits")


class Router:
    """The REST API of one org. limits: (used, allowed) calls of the day, kept by the server."""

    def __init__(self, org: Org) -> None:
        self.select = Select(org)
        self.limits = (0, 0)
        self._org = org
        self._sobjects = SObjects(org, self.select)
        self._collections = Collections(org)
        self._composite = Composite(org, self.answer)

    def answer(self, call: Call) -> Answer:
        """Answer a call, refusals too."""
        try:
            return self._answered(call)
        except Refused as refused:
            return Answer(status=refused.status, payload=refused.body())
        except PreconditionFailed:
            return Answer(status=412)
        except NotModified:
            return Answer(status=304)
        except SeveralMatch as several:
            base = f"/services/data/{call.version}/sobjects/{call.parts[1]}"
            return Answer(status=300, payload=[f"{base}/{one}" for one in several.ids])

    def _answered(self, call: Call) -> Answer:
        match call.method, call.parts:
            case _, ("sobjects", *_):
                return self._sobjects.answer(call)
            case "GET", ("query" | "queryAll" as resource,):
                return self._query(call, deleted=resource == "queryAll")
            case "GET", ("query" | "queryAll", locator):
                return Answer(payload=self.select.more(locator, call.version))
            case "POST", ("composite",):
                return self._composite.answer(call)
            case _, ("composite", "sobjects", *_):
                return self._collections.answer(call)
            case "GET", ("limits",):
                used, most = self.limits
                daily = {"Max": most, "Remaining": max(0, most - used)}
                return Answer(payload={"DailyApiRequests": daily})
            case "GET", ():
                base = f"/services/data/{call.version}"
                return Answer(payload={name: f"{base}/{name}" for name in _RESOURCES})
            case _:
                raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)

    def _query(self, call: Call, *, deleted: bool) -> Answer:
        text = call.query.get("q", "")
        if not text:
            raise Refused("MALFORMED_QUERY", "A query string has to be specified")
        batch = self.select.batch_size
        options = call.headers.get("sforce-query-options", "")
        if options.startswith("batchSize=") and options[10:].isdecimal():
            batch = min(batch, max(200, int(options[10:])))
        told = self.select.run(text, call.version, deleted=deleted, batch=batch)
        return Answer(payload=told)
