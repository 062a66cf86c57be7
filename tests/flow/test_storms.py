"""Seeded storms over a simulated site, and the proof that the checker sees what is broken."""

from collections import Counter
from dataclasses import replace

import pytest

from dragoman.domain import events as on
from dragoman.domain.case import CaseState
from dragoman.domain.lifecycle import deadline, desk, people, robot
from dragoman.domain.lifecycle.step import Job, Note, Step
from dragoman.domain.order import Assignment, AssignmentState, Then
from dragoman.domain.policy import Policy
from dragoman.flow import recover, track
from dragoman.testing.sim.storm import Storm

SEEDS = range(48)


def outcome(seed: int) -> list[str]:
    storm = Storm(seed)
    found = storm.blow() or storm.calm()
    return [*found, *storm.story[-40:]] if found else []


def test_storms_break_no_promise_and_reach_every_corner() -> None:
    """A storm that meets no trouble proves nothing, so each kind of ending must have been seen."""
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        storm = Storm(seed)
        found = storm.blow() or storm.calm()
        assert found == [], f"seed {seed}: {storm.story[-40:]}"
        seen.update(entry.action for entry in storm.world.journal.store.entries)
    wanted = {
        *("case.done", "case.failed", "case.cancelled", "case.held", "case.uncertain"),
        *("case.requeued", "case.stopping", "case.resumed", "case.edited", "case.closed"),
        *("order.unacknowledged", "order.cancel_repeated", "robot.restarted", "robot.silent"),
    }
    assert wanted - set(seen) == set()


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_many_storms_break_no_promise() -> None:
    broken = {seed: found for seed in range(1000, 1300) if (found := outcome(seed))}
    assert broken == {}


def impatient_stop(
    job: Job, attempt: Assignment, then: Then, now: object, policy: Policy, note: Note
) -> Step:
    """Broken on purpose: takes a robot for stopped as soon as it was told to stop."""
    stopping = replace(
        attempt, state=AssignmentState.STOPPING, then=then, reason="x", cancel_id="y"
    )
    state = replace(job.case, state=CaseState.STOPPING)
    told = on.Stopped(order_id=attempt.order_id, proof="hope")
    return robot.stopped(Job(case=state, assignment=stopping), told, now, policy)  # type: ignore[arg-type]  # a broken copy


def breaks_two_robots(patch: pytest.MonkeyPatch) -> None:
    for module in (deadline, desk, people, robot):
        patch.setattr(module, "stop", impatient_stop)


def breaks_deadlines(patch: pytest.MonkeyPatch) -> None:
    from dragoman.domain.change import Change  # noqa: PLC0415 (used by this broken copy alone)

    patch.setattr(recover, "overdue", lambda *_: Change())


def breaks_evidence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(track, "read", lambda *_: None)


@pytest.mark.parametrize("breaks", [breaks_two_robots, breaks_deadlines, breaks_evidence])
def test_a_broken_rule_is_found(breaks: object, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch)  # type: ignore[operator]  # one of the functions above
    assert any(outcome(seed) for seed in range(40))
