"""Records that were there before the gateway's first look at their desk: whether they count.

Asked by flow/intake.py, and by flow/reconcile, which must not miss a case for what was passed over.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

FIRST_LOOK = "desk.first_look"
"""The entry of a desk's first look, and the prefix of the cursor that keeps its time."""


class Backlog(StrEnum):
    """What becomes of records opened before the first look; `backlog` in `[desks.NAME]`.

    on_change: the next change makes one a case. ignore: it never becomes a case.
    """

    ON_CHANGE = "on_change"
    IGNORE = "ignore"

    def passes_over(self, desk: str, opened_at: datetime, cursors: Mapping[str, str]) -> bool:
        """Whether a record opened then is left to people. Both times are by the desk's clock."""
        since = cursors.get(first_look(desk), "")
        return self is Backlog.IGNORE and bool(since) and opened_at < datetime.fromisoformat(since)


def first_look(desk: str) -> str:
    """Where the journal keeps, beside the desk's cursor, from when on its records count."""
    return f"{FIRST_LOOK}:{desk}"
