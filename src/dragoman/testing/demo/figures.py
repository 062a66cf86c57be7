"""What a demo comes to: counts, latencies and broken promises. Pure.

Called by `run` at the end. Whether promises held is judged by `faults/verdict`, as in the fault
tests; the latencies are taken from the desk's ledger and the robots' report alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dragoman.testing.demo.watch import Seen
from dragoman.testing.faults.accounts import RESOLVED
from dragoman.testing.faults.verdict import Verdict
from dragoman.testing.robots.ledger import Acknowledgement, Outcome

_ACKNOWLEDGED = frozenset({"accepted", "executing", "done"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """acquisition_s: created at the desk → first acknowledged by a robot. status_s: acknowledged
    or finished by a robot → in the desk's fields. waiting: number → why a person has to act.
    problems: sentences about promises that did not hold.
    """

    created: int
    closed: int
    lost: Sequence[str]
    executed_twice: Sequence[str]
    sync_errors: Sequence[str]
    waiting: Mapping[str, str]
    acquisition_s: Sequence[float]
    status_s: Sequence[float]
    other: Sequence[str] = field(default=())

    @property
    def problems(self) -> list[str]:
        """Everything that should not be."""
        return [
            *(f"lost: {text}" for text in self.lost),
            *(f"executed twice: {text}" for text in self.executed_twice),
            *(f"desk and robots disagree: {text}" for text in self.sync_errors),
            *self.other,
        ]

    def as_dict(self) -> dict[str, object]:
        """The JSON of `--json`; latencies in seconds, null where nothing was measured."""
        return {
            "cases": {
                "created": self.created,
                "closed": self.closed,
                "lost": len(self.lost),
                "executed_twice": len(self.executed_twice),
            },
            "acquisition_s": {
                "mean": mean(self.acquisition_s),
                **{f"p{share}": percentile(self.acquisition_s, share) for share in (50, 95, 99)},
            },
            "status_s": {f"p{share}": percentile(self.status_s, share) for share in (50, 99)},
            "sync_errors": len(self.sync_errors),
            "waiting_for_person": len(self.waiting),
        }


def figures(
    cases: Iterable[Seen],
    acknowledged: Mapping[str, Acknowledgement],
    verdict: Verdict,
) -> Figures:
    """Count. verdict: of the same run, by the desk's ledger, the robots' report, the journal."""
    seen = list(cases)
    problems = verdict.problems
    lost = [f"{c.number} is neither closed nor told to a person" for c in seen if not _kept(c)]
    agree = [
        *problems.get("untrue", ()),
        *problems.get("untold", ()),
        *(text for case in seen for text in _disagreements(case)),
    ]
    other = [
        f"{name}: {text}"
        for name in ("doubled", "out_of_order", "unsound")
        for text in problems.get(name, ())
    ]
    return Figures(
        created=len(seen),
        closed=sum(case.closed for case in seen),
        lost=list(dict.fromkeys([*problems.get("lost", ()), *lost])),
        executed_twice=verdict.executed_twice,
        sync_errors=list(dict.fromkeys(agree)),
        waiting={case.number: case.reason for case in seen if case.waiting},
        acquisition_s=[s for case in seen for s in _acquisition(case, acknowledged)],
        status_s=[s for case in seen for s in _status(case, acknowledged)],
        other=other,
    )


def _kept(case: Seen) -> bool:
    return case.closed or case.waiting


def _disagreements(case: Seen) -> Iterable[str]:
    """Whether the end at the desk is that of the robots, and names the right one."""
    done = {e.robot_id for e in case.executions.values() if e.outcome is Outcome.FINISHED}
    if done and not case.closed:
        yield f"{case.number} was done by {', '.join(sorted(done))}, at the desk it is open"
    if case.state in RESOLVED and case.status == "done" and case.robot not in done:
        told = ", ".join(sorted(done)) or "nobody"
        yield f"{case.number} was done by {told}, at the desk by {case.robot}"


def _acquisition(case: Seen, acknowledged: Mapping[str, Acknowledgement]) -> Iterable[float]:
    heard = [acknowledged[o].at for o, _ in case.executions if o in acknowledged]
    if heard:
        yield (min(heard) - case.created_at).total_seconds()


def _status(case: Seen, acknowledged: Mapping[str, Acknowledgement]) -> Iterable[float]:
    for (order, _), execution in case.executions.items():
        heard = acknowledged.get(order)
        told = [at for at, status, of, _ in case.written if of == order and status in _ACKNOWLEDGED]
        if heard is not None and told:
            yield max(0.0, (min(told) - heard.at).total_seconds())
        ended = [at for at, _, of, state in case.written if of == order and state in RESOLVED]
        if execution.outcome is Outcome.FINISHED and execution.finished_at and ended:
            yield max(0.0, (min(ended) - execution.finished_at).total_seconds())


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean, None without values."""
    return round(math.fsum(values) / len(values), 4) if values else None


def percentile(values: Sequence[float], share: int) -> float | None:
    """By the nearest rank: the smallest value that `share` per cent don't exceed."""
    if not values:
        return None
    return round(sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)], 4)
