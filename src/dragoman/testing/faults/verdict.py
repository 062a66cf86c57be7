"""Whether the promises held, by what the desk, the robots and the journal say.

One checker for the kill tests and for `dragoman demo --chaos`. It knows nothing of what the
gateway believes: the desk's ledger and the robots' own report are held against each other and
against the journal's file. Call it once everything has come to rest.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from dragoman.testing.faults.accounts import CALLED_OFF, RESOLVED, Journalled, Kept, Ticket
from dragoman.testing.robots.ledger import Execution, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Each field but `held` lists what broke a promise, a sentence each.

    lost: acknowledged and not journalled, or forgotten on the way (G1). executed_twice: finished
    more than once, or by two robots at a time (G2). untrue: resolved at the desk and done by no
    robot. unfinished: waits without a person having been asked (G3). untold: the desk never got
    a status; doubled: it got one twice; out_of_order: not in the order of the journal (G4).
    unsound: the journal's file. held: waits for a person, with the reason; no violation.
    """

    lost: Sequence[str] = ()
    executed_twice: Sequence[str] = ()
    untrue: Sequence[str] = ()
    unfinished: Sequence[str] = ()
    untold: Sequence[str] = ()
    doubled: Sequence[str] = ()
    out_of_order: Sequence[str] = ()
    unsound: Sequence[str] = ()
    held: Sequence[str] = ()

    @property
    def problems(self) -> dict[str, Sequence[str]]:
        """The broken promises, by name; empty if all held."""
        names = [field.name for field in fields(self) if field.name != "held"]
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def verdict(
    desk: Mapping[str, Ticket],
    executions: Iterable[Execution],
    journal: Journalled,
    acknowledged: Collection[str] | None = None,
) -> Verdict:
    """Judge. desk: the tickets by id. acknowledged: ids of those that must be known; None: all."""
    by_case: dict[str, list[Execution]] = {}
    for execution in executions:
        by_case.setdefault(execution.case_ref, []).append(execution)
    wanted = desk.keys() if acknowledged is None else acknowledged
    pairs = [(t, journal.cases[i]) for i, t in desk.items() if i in journal.cases]
    return Verdict(
        lost=[f"{_name(desk, i)} is not journalled" for i in wanted if i not in journal.cases],
        executed_twice=list(_twice(by_case)),
        untrue=list(_untrue(pairs, by_case)),
        unfinished=[
            f"{case.number} is still {case.state}: {case.reason}"
            for case in journal.cases.values()
            if case.number in journal.working
        ],
        untold=list(_untold(pairs)),
        doubled=list(_doubled(pairs)),
        out_of_order=list(_out_of_order(pairs)),
        unsound=journal.unsound,
        held=[
            f"{case.number} is {case.state}: {case.reason}"
            for case in journal.cases.values()
            if case.state in {"held", "uncertain"}
        ],
    )


def _name(desk: Mapping[str, Ticket], external_id: str) -> str:
    return desk[external_id].number if external_id in desk else external_id


def _twice(by_case: Mapping[str, Sequence[Execution]]) -> Iterator[str]:
    """Finished more than once, or begun before the one before it had ended."""
    for case, done in by_case.items():
        told = ", ".join(f"{e.robot_id} {e.outcome} {e.order_id}" for e in done)
        if sum(e.outcome is Outcome.FINISHED for e in done) > 1:
            yield f"{case} was finished more than once: {told}"
            continue
        ordered = sorted(done, key=lambda e: e.started_at)
        if any(a.finished_at is None or b.started_at < a.finished_at for a, b in pairwise(ordered)):
            yield f"{case} was worked on by two at a time: {told}"


def _untrue(
    pairs: Iterable[tuple[Ticket, Kept]], by_case: Mapping[str, Sequence[Execution]]
) -> Iterator[str]:
    """What the desk and the robots say of the end."""
    for ticket, _ in pairs:
        outcomes = Counter(e.outcome.value for e in by_case.get(ticket.number, ()))
        if ticket.state in RESOLVED and not outcomes["finished"]:
            yield f"{ticket.number} is resolved, but the robots say {dict(outcomes)}"
        if outcomes["running"]:
            yield f"{ticket.number} is still being worked on"


def _untold(pairs: Iterable[tuple[Ticket, Kept]]) -> Iterator[str]:
    for ticket, case in pairs:
        keys = {key for _, key in ticket.said}
        for told in case.told:
            if told.state == "delivered" and told.id not in keys:
                yield f"{case.number}: {told.status} ({told.id}) is marked, the desk has no such"
            elif told.state == "failed":
                yield f"{case.number}: {told.status} ({told.id}) was given up"
        ended = ticket.state in RESOLVED or ticket.state == CALLED_OFF
        if case.outcome == "done" and not ended:
            yield f"{case.number} is done, and {ticket.state} at the desk"


def _doubled(pairs: Iterable[tuple[Ticket, Kept]]) -> Iterator[str]:
    for ticket, _ in pairs:
        for (name, key), times in Counter(ticket.said).items():
            if times > 1:
                yield f"{ticket.number}: {times} times {key} in {name}"


def _out_of_order(pairs: Iterable[tuple[Ticket, Kept]]) -> Iterator[str]:
    for ticket, case in pairs:
        at_desk = list(dict.fromkeys(key for _, key in ticket.said))
        in_journal = [told.id for told in case.told if told.id in at_desk]
        if at_desk != in_journal:
            status = {told.id: told.status for told in case.told}
            found = [status.get(key, f"an unknown {key}") for key in at_desk]
            yield f"{ticket.number} was told {', '.join(found)}"
        if ticket.late:
            yield f"{ticket.number} was written to after it was resolved"
