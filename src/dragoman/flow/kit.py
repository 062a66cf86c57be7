"""What every step of the flow is given, and the one way to move a case."""

from dataclasses import dataclass
from datetime import datetime

from dragoman.domain.change import Change
from dragoman.domain.events import Event
from dragoman.domain.lifecycle import Job, advance
from dragoman.domain.outbox import Draft, Outlets
from dragoman.domain.policy import Policy
from dragoman.domain.site import Site
from dragoman.ports.clock import Clock
from dragoman.ports.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """The journal, the clock, how things are said, and the deadlines.

    A change computed from `site` must be committed before anything is awaited: the journal
    applies it during `commit`, so nothing can come in between.
    """

    journal: Journal
    clock: Clock
    outlets: Outlets
    policy: Policy

    @property
    def site(self) -> Site:
        """The working set."""
        return self.journal.site

    def draft(self, now: datetime | None = None) -> Draft:
        """An empty transaction, as of `now`."""
        return Draft(
            site=self.site,
            outlets=self.outlets,
            policy=self.policy,
            new_id=self.clock.new_id,
            now=now or self.clock.now(),
        )

    def job(self, case_id: str) -> Job | None:
        """An open case with its present attempt."""
        case = self.site.cases.get(case_id)
        if case is None:
            return None
        return Job(case=case, assignment=self.site.assignments.get(case.order_id))

    def add(self, draft: Draft, case_id: str, *happened: Event) -> None:
        """Put what events make of an open case, one after the other, into a transaction."""
        job = self.job(case_id)
        if job is None:
            return
        for event in happened:
            job = draft.add(advance(job, event, draft.now, self.policy))

    def move(self, case_id: str, *happened: Event) -> Change:
        """The change that events make to an open case; empty if they mean nothing now."""
        draft = self.draft()
        self.add(draft, case_id, *happened)
        return draft.change()
