"""Faults that a test plans for the emulated Jira, told apart by reads and writes.

Several of Jira's reads are POSTs (a search, a read of several issues), so a method says little.
"""

from aiohttp import web

from dragoman.testing.rt.faults import Fault, Faults

READ, WRITE = "READ", "WRITE"
__all__ = ["READ", "WRITE", "Fault", "SiteFaults"]

_READS = ("/search/jql", "/issue/bulkfetch", "/search/approximate-count")


class SiteFaults(Faults):
    """As `Faults`; the method of a plan may be READ or WRITE too."""

    def _take(self, request: web.Request) -> Fault | None:
        reading = request.method == "GET" or request.path.endswith(_READS)
        kinds = ("", request.method, READ if reading else WRITE)
        for index, (fault, method, path) in enumerate(self._planned):
            if method in kinds and path in request.path:
                del self._planned[index]
                return fault
        return None
