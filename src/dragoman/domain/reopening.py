"""A ticket that is open again after its case has ended: whether it was reopened, and what then.

Asked by flow/intake.py. A ticket that merely stayed open (the robots have failed, or an operator
called the case off) was not reopened, however often people edit it.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from dragoman.domain.case import CaseState, DeskPhase, PastCase
from dragoman.domain.change import Entry
from dragoman.domain.reconcile.desk import Receipt

NOTED = "intake.reopened"
"""The entry that a reopening was seen to. There is one a case."""
TELLING = ("case.cancelled", "case.stopping", "desk.updated", NOTED)
"""Entries of a case that tell what its desk had shown."""


class Reopened(StrEnum):
    """What becomes of a reopened ticket; `reopened` in `[desks.NAME]`.

    new_case: called off at the desk, it is a new case; done, it is parked, since it may be only a
    word of thanks that opened it. park: a dead letter that a person replays, for a new case, or
    drops. ignore: an entry, and nothing else.
    """

    NEW_CASE = "new_case"
    PARK = "park"
    IGNORE = "ignore"

    def of(self, outcome: CaseState | None) -> "Reopened":
        """What becomes of a case that ended so."""
        called_off = outcome is CaseState.CANCELLED
        return Reopened.PARK if self is Reopened.NEW_CASE and not called_off else self


def over_since(past: PastCase, said: Sequence[Entry]) -> datetime | None:
    """When the desk showed, by its own clock, that the ticket is over.

    None if it never did, or if a reopening was seen to already. said: the case's entries of the
    kinds in TELLING, newest first.
    """
    if any(entry.action == NOTED for entry in said):
        return None
    by_desk = any(entry.actor == f"desk:{past.desk}" for entry in said)
    if past.outcome is CaseState.CANCELLED and by_desk:
        return past.desk_updated_at
    taken = next((entry for entry in said if entry.action == "desk.updated"), None)
    receipt = None if taken is None else Receipt.of(taken.data)
    if receipt is None or receipt.phase in (None, DeskPhase.OPEN):
        return None
    return receipt.at
