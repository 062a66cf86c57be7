"""Step 9: do both sides agree? Compared again and again, counted, and mended by rule or person.

    reading.py  a desk's records, read for comparison; the receipt of a write
    desks.py    one desk: a window of recent and open cases, the full sweep, the second look
    robots.py   the cases at robots against the robots' own last states
    book.py     what is suspected, what counts, what is open: rows of the journal
    mending.py  what the rules do about a mismatch
    reports.py  the figures of a shift, from the journal

Called by the runtime's reconciler, by the courier for receipts, and by the web for reports. A
mismatch that counts is a delivery to `reconcile.desk:NAME` or `reconcile.robot:NAME`, kept until
both sides agree or a person drops it.
"""

from dragoman.flow.reconcile.book import Book
from dragoman.flow.reconcile.desks import DeskSide
from dragoman.flow.reconcile.reading import Reader
from dragoman.flow.reconcile.reports import Reports
from dragoman.flow.reconcile.robots import RobotSide

__all__ = ["Book", "DeskSide", "Reader", "Reports", "RobotSide"]
