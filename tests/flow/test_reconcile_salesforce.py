"""Drift between an emulated Salesforce, the gateway and simulated robots, found over real HTTP."""

from collections import Counter
from collections.abc import Iterator

import pytest

from dragoman.domain.case import CaseState
from dragoman.domain.reconcile.mismatch import Rules
from dragoman.testing.sim import gateway as sim
from tests.flow import drift
from tests.flow.faults import AT_ROBOT, plant
from tests.flow.org import ON_HELD, ON_QUEUED, Loop, OrgSite
from tests.flow.test_reconcile import busy, found_at_once

RULES = Rules(fields={"Status": "ours"}, most_called_off=1000)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    loop = Loop()
    monkeypatch.setattr(drift, "run", loop.run)
    monkeypatch.setattr(sim, "run", loop.run)
    yield loop
    loop.close()


def proof(loop: Loop, robots: int, cases: int, each: int) -> int:
    """As in test_reconcile.py; how many faults there were."""
    site = OrgSite(robots, RULES, loop)
    try:
        planted = _planted(site, robots, cases, each)
        found_at_once(site, planted)
    finally:
        site.close()
    return len(planted)


def _planted(site: OrgSite, robots: int, cases: int, each: int) -> dict[str, str]:
    busy(site, cases)
    for _ in range(3 * each):
        site.open("nowhere")
    site.go_on(10)
    planted = plant(site, AT_ROBOT, iter(site.at_work()), max(1, robots // 10))
    open_cases = list(site.kit.site.cases.values())
    held = iter([case for case in open_cases if case.state is CaseState.HELD])
    planted |= plant(site, ON_HELD, held, each)
    queued = iter([case for case in open_cases if case.state is CaseState.QUEUED])
    planted |= plant(site, ON_QUEUED, queued, each)
    assert len(Counter(planted.values())) == 12
    return planted


def test_drift_of_every_kind_is_found_in_an_org(loop: Loop) -> None:
    assert proof(loop, robots=6, cases=60, each=2) == 20


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_two_hundred_faults_among_five_thousand_cases_of_an_org(loop: Loop) -> None:
    assert proof(loop, robots=20, cases=5000, each=28) >= 200
