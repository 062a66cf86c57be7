"""What every step of the flow is given, and the one way to move a case."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dragoman.domain.case import Case
from dragoman.domain.change import Change
from dragoman.domain.delivery import Delivery, DeliveryState, dropped
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

    def fetch(
        self,
        desk: str,
        external_id: str,
        case: Case | None = None,
        release: Mapping[str, str] | None = None,
    ) -> Change:
        """Put it on record that this record of a desk has to be read; the courier does it.

        case: the one that it is for, if there is one. Nothing is added to a read that waits and has
        not begun. One that the desk refused for good makes way: what is new may be there by now.
        release: who has the case released with what is read (`actor`, `reason`), if it is for that.
        """
        now, target, lane = self.clock.now(), f"desk:{desk}", f"fetch:{external_id}"
        waiting = tuple(self.site.lanes.get((target, lane), {}).values())
        queued = [d for d in waiting if d.state is DeliveryState.QUEUED and not d.attempts]
        if release is None and any(d.id not in self.site.out for d in queued):
            return Change()
        fetch = Delivery(
            id=self.clock.new_id(),
            target=target,
            lane=lane,
            verb="fetch",
            payload={"external_id": external_id} | ({"release": dict(release)} if release else {}),
            created_at=now,
            case_id=case.id if case else "",
            trace_id=case.trace_id if case else "",
        )
        dead = [d for d in waiting if d.state is DeliveryState.DEAD]
        gone = (dropped(d, "a newer notice came", now) for d in dead)
        return Change(deliveries=(*gone, fetch))

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
