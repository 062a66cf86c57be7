"""Drift of every kind is found within one sweep, and normal traffic raises no alarm."""

from collections import Counter
from random import Random

import pytest

from dragoman.domain.case import CaseState
from dragoman.domain.reconcile.mismatch import Rules
from tests.flow.drift import NEAR, DriftSite
from tests.flow.faults import AT_DESK, AT_ROBOT, plant

RULES = Rules(fields={"robot": "ours"}, most_called_off=1000)


def busy(site: DriftSite, cases: int) -> None:
    """All robots at work far away, some cases done, and many open ones that wait."""
    robots = len(site.vehicles)
    site.settle()
    run_window(site)
    for n in range(robots):
        site.open(NEAR[n % 3])
    site.go_on(60)
    assert not site.kit.site.cases
    for _ in range(robots):
        site.open("far", "1")
    site.go_on(20)
    for n in range(cases - 2 * robots):
        site.open(NEAR[n % 3])
    site.go_on(10)
    assert len(site.at_work()) == robots


def run_window(site: DriftSite) -> None:
    site.window()
    site.second_look()


def traffic(site: DriftSite, rng: Random) -> None:
    """What people do at their desk all day, with writes under way meanwhile."""
    known = site.known()
    for _ in range(4):
        site.pass_time(1.0)
        site.bustle(rng, rng.choice(known))
        if rng.random() < 0.5:
            site.poll()
        lanes = sorted(site.lanes())
        for lane in rng.sample(lanes, len(lanes) // 2):  # the others are still under way
            site.carry(lane)
        for robot_id, wire in site.fleet.up.items():
            while site.fleet.down[robot_id]:
                site.robot_reads(robot_id)
            while wire:
                site.hear(robot_id)


def found_at_once(site: DriftSite, planted: dict[str, str]) -> None:
    """One sweep while people work on counts exactly what was planted."""
    site.go_on(90)  # so that a silent robot is known to be silent
    assert not site.counted()
    site.reserved |= set(planted)
    rng = Random(7)
    traffic(site, rng)
    site.sweep()
    assert site.counted() == planted


def proof(robots: int, cases: int, each: int) -> None:
    """Plant, sweep, and compare what counted with what was planted."""
    site = DriftSite(robots, RULES)
    busy(site, cases)
    planted = plant(site, AT_ROBOT, iter(site.at_work()), max(1, robots // 10))
    fresh = iter([c for c in site.kit.site.cases.values() if c.state is CaseState.QUEUED])
    planted |= plant(site, AT_DESK, fresh, each)
    assert set(Counter(planted.values())) == {*AT_DESK, *AT_ROBOT}
    found_at_once(site, planted)


def test_drift_of_every_kind_is_found_and_nothing_else() -> None:
    proof(robots=10, cases=300, each=3)


@pytest.mark.faults
@pytest.mark.timeout(120)
def test_two_hundred_faults_among_five_thousand_cases() -> None:
    proof(robots=40, cases=5000, each=32)
