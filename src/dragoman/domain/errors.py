"""Errors named by what helps: try again, give up, or ask a person.

Every adapter translates the errors of its vendor into one of these, once, by a table. The
outbox (domain/delivery.py) decides by the class alone what happens next.
"""


class DragomanError(Exception):
    """Base of all errors that Dragoman raises on purpose.

    text: a sentence for people. field, value, mend: what was wrong where, and how to mend it,
    when that can be told. Never put a secret into any of them.
    """

    def __init__(self, text: str, *, field: str = "", value: str = "", mend: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.field = field
        self.value = value
        self.mend = mend

    def __str__(self) -> str:
        parts = [self.text]
        if self.field:
            parts.append(f"field {self.field}")
        if self.value:
            parts.append(f"value {self.value[:200]!r}")
        if self.mend:
            parts.append(self.mend)
        return "; ".join(parts)


class RetryLater(DragomanError):
    """A passing failure: the same call may go through later.

    delay_s: the least time to wait that the other side asked for (Retry-After), in seconds.
    """

    def __init__(self, text: str, *, delay_s: float | None = None, field: str = "") -> None:
        super().__init__(text, field=field)
        self.delay_s = delay_s


class Unsent(RetryLater):
    """A passing failure before anything went out, so that the other side certainly has nothing."""


class NotYet(RetryLater):
    """The other side answers, but what is asked for isn't there yet: it is no failure of it."""


class Permanent(DragomanError):
    """The other side refuses this call for good: it becomes a dead letter."""


class NeedsHuman(DragomanError):
    """Nothing will go through until a person acts (credentials, rights, configuration).

    The call isn't at fault, so it waits; the target's breaker opens and a person is told.
    """


class Conflict(Permanent):
    """A precondition of a write did not hold: the record changed at the desk meanwhile."""


class NotFound(Permanent):
    """There is nothing of this name."""


class BadInput(Permanent):
    """Something that came in can't be understood; it is kept as a dead letter, never dropped."""


class JournalUnavailable(RetryLater):
    """The journal could not make a change durable (disk full, I/O error): nothing was kept."""


class NewerJournal(NeedsHuman):
    """The journal file was written by a newer version and is left untouched."""
