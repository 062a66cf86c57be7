"""What counted is mended by rule where one fits, and kept for a person where none does."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from dragoman.domain.backlog import Backlog, first_look
from dragoman.domain.case import CaseState
from dragoman.domain.change import Change
from dragoman.domain.delivery import Delivery, DeliveryState
from dragoman.domain.errors import RetryLater
from dragoman.domain.reconcile.mismatch import Rules, Side
from dragoman.flow import operate, writeback
from dragoman.flow.reconcile import DeskSide, Reports
from dragoman.testing.sim.stores import run
from tests.flow import faults
from tests.flow.drift import NEAR, DriftSite
from tests.flow.test_reconcile import RULES, busy, traffic

SHIFTS = faults.SHIFTS


def waiting(cases: int, rules: Rules = RULES) -> DriftSite:
    """A site with open cases and one robot that gets none of them."""
    site = DriftSite(1, rules)
    site.window()
    site.settle()
    for n in range(cases):
        site.records.open("look", location="nowhere", priority=str(1 + n % 5))
    site.go_on(10)
    assert len(site.kit.site.cases) == cases
    return site


def later(site: DriftSite, seconds: float = 400.0) -> None:
    """Time goes on with second looks, and the robots' work."""
    for _ in range(int(seconds / 40)):
        site.go_on(40, step=10)
        site.second_look()
        site.settle()


def kept(site: DriftSite) -> dict[str, Delivery]:
    return {row.lane: row for side in Side for row in site.book.rows(side)}


def a_day(rules: Rules) -> DriftSite:
    """People at their desk, writes under way, windows and sweeps in the midst of it."""
    site = DriftSite(6, rules)
    busy(site, 60)
    rng = Random(11)
    for _ in range(40):
        traffic(site, rng)
        if rng.random() < 0.4:
            site.window(limit=40)
        if rng.random() < 0.1:
            site.poll()
            site.sync()
            run(site.side.sweep(site.clock.now()))
        site.second_look()
        site.fire()
    site.sweep()
    return site


def test_without_a_grace_the_same_day_would_raise_alarms() -> None:
    """So the day has what the grace and the second look are there for."""
    assert a_day(replace(RULES, grace_s=0.0)).entries("reconcile.mismatch")


def test_a_day_without_faults_raises_no_alarm_and_covers_everything() -> None:
    site = a_day(RULES)
    assert site.entries("reconcile.mismatch") == []
    assert site.entries("reconcile.unreachable") == []
    reports = Reports(kit=site.kit, site_name="sim", times=SHIFTS[0], zone=SHIFTS[1])
    found = run(reports.of(reports.last(1)[0]))
    assert found.coverage == 1.0
    assert (found.errors, found.swept) == (0, True)
    assert found.compared == found.active > 60


def test_rules_mend_what_they_can_and_say_how_long_it_took() -> None:
    site = DriftSite(5, RULES)
    busy(site, 40)
    fresh = iter([c for c in site.kit.site.cases.values() if c.state is CaseState.QUEUED])
    rules: tuple[faults.Fault, ...] = (
        faults.opened_unseen,
        faults.edited_unseen,
        faults.cancelled_unseen,
        faults.restored,
        faults.altered_in_place,
        faults.retitled_in_place,
        faults.taken_over,
        faults.filtered_out,
    )
    planted = {fault: fault(site, next(fresh)) for fault in rules}
    at_work = iter(site.at_work())
    heard: tuple[faults.Fault, ...] = (faults.unheard, faults.abandoned)
    planted |= {fault: fault(site, next(at_work)) for fault in heard}
    site.go_on(40)  # so that every robot has spoken since
    site.sweep()
    site.deaf.clear()
    later(site, 600)  # the abandoned robot has to come to its next node before it stops
    assert kept(site) == {}
    settled = {str(entry.data["key"]): entry.data for entry in site.entries("reconcile.settled")}
    assert settled.keys() == set(planted.values())
    slow = settled.pop(planted[faults.abandoned])
    assert float(str(slow["heal_s"])) > RULES.heal_within_s
    assert all(0 < float(str(data["heal_s"])) < 200 for data in settled.values())

    def record(fault: faults.Fault) -> str:
        return planted[fault].partition("/")[2]

    assert site.case(record(faults.opened_unseen)).number
    assert site.case(record(faults.edited_unseen)).priority == 1
    assert site.case(record(faults.retitled_in_place)).title == "something else"
    assert site.kit.site.case_of("sim", record(faults.cancelled_unseen)) is None
    assert site.kit.site.case_of("sim", record(faults.filtered_out)) is None
    for fault in (faults.restored, faults.altered_in_place):
        assert site.records.records[record(fault)]["state"] == "queued"
    assert site.records.records[record(faults.taken_over)]["robot"] == ""
    vehicle = site.vehicles[planted[faults.abandoned]]
    assert [e.outcome.value for e in vehicle.ledger.executions][-1] == "cancelled"


def test_what_no_rule_mends_is_kept_until_a_person_settles_it() -> None:
    site = waiting(6)
    (first, second, *_) = site.kit.site.cases.values()
    double = faults.opened_twice(site, first)
    site.records.secretly(second.external_id, state="cancelled")
    site.records.broken.add(second.external_id)  # so that the news can't be fetched
    site.sweep()
    later(site)
    assert {key: row.state for key, row in kept(site).items()} == {double: DeliveryState.DEAD}
    assert "twice" in kept(site)[double].reason
    assert site.counted()[f"sim/{second.external_id}"] == "desk unreachable"
    again = operate.Decision(actor="operator:x", reason="look again")
    site.commit(operate.replay(site.kit, kept(site)[double], again))
    later(site, 40)
    assert kept(site)[double].state is DeliveryState.DEAD, "it is still there"
    site.act(site.case(double.partition("/")[2]).id, "cancel")
    site.commit(operate.replay(site.kit, kept(site)[double], again))
    later(site, 40)
    assert kept(site) == {}


def test_what_a_person_drops_is_quiet_until_something_changes() -> None:
    site = waiting(4, Rules(fields={"robot": "ask"}))
    (case, *_) = site.kit.site.cases.values()
    key = faults.taken_over(site, case)
    site.sweep()
    row = kept(site)[key]
    assert row.state is DeliveryState.DEAD
    site.commit(writeback.given_up(site.kit, row, "so it is meant", "operator:x"))
    site.sweep()
    site.sweep()
    assert kept(site) == {}
    site.records.edit(case.external_id, author="script", robot="a/third")
    site.settle()
    site.sweep()
    assert kept(site)[key].state is DeliveryState.DEAD


def test_many_that_would_be_called_off_at_once_wait_for_a_person() -> None:
    site = waiting(30, Rules(most_called_off=10))
    lost = list(site.records.records)[:11]
    site.records.hidden.update(lost)
    site.sweep()
    assert {row.state for row in kept(site).values()} == {DeliveryState.DEAD}
    assert len(kept(site)) == 11
    assert len(site.kit.site.cases) == 30
    site.records.hidden.clear()
    site.sweep()
    assert kept(site) == {}, "the rights are back"


def test_a_record_that_left_the_filter_may_be_held_instead() -> None:
    site = waiting(3, Rules(left="hold"))
    site.act(next(iter(site.kit.site.cases)), "release")
    site.records.hidden.add("D00001")
    site.sweep()
    assert site.case("D00001").state is CaseState.HELD
    assert site.counted() == {"sim/D00001": "desk orphan"}


def test_a_desk_that_is_away_is_unknown_and_no_error() -> None:
    site = waiting(12)
    site.records.away = RetryLater("maintenance")
    for _ in range(3):
        site.go_on(40, step=10)
        site.window()
    assert site.entries("reconcile.mismatch") == []
    assert set(site.counted().values()) == {"desk unreachable"}
    assert len(site.counted()) == 12
    reports = Reports(kit=site.kit, site_name="sim", times=SHIFTS[0], zone=SHIFTS[1])
    found = run(reports.of(reports.last(1)[0]))
    assert (found.active, found.compared, found.unreachable, found.errors) == (12, 0, 12, 0)
    assert (found.coverage, found.rate_at_most) == (0.0, 1.0)
    site.records.away = None
    site.window()
    found = run(reports.of(reports.last(1)[0]))
    assert (found.coverage, found.unreachable) == (1.0, 0)


def test_a_final_status_that_the_desk_lost_is_written_again() -> None:
    site = DriftSite(1, RULES)
    site.window()
    site.settle()
    done = site.records.open("look", location=NEAR[0], priority="3")
    reopened = site.records.open("look", location=NEAR[1], priority="3")
    site.go_on(90)
    assert not site.kit.site.cases
    assert {r["state"] for r in site.records.records.values()} == {"closed"}
    site.window()
    assert site.counted() == {}
    early = site.clock.now().replace(year=2025).isoformat()
    site.records.records[done].update(state="executing", version="2", updated=early)
    site.records.edit(reopened, state="open again")
    site.sweep()
    assert site.counted() == {f"sim/{done}": "desk stale", f"sim/{reopened}": "desk conflicting"}
    later(site, 80)
    assert site.records.records[done]["state"] == "closed"
    assert {key: row.state for key, row in kept(site).items()} == {
        f"sim/{reopened}": DeliveryState.DEAD
    }


def test_a_status_that_waits_too_long_counts_until_it_has_arrived() -> None:
    site = waiting(3)
    (case, *_) = site.kit.site.cases.values()
    site.act(case.id, "release")
    site.sync()
    lanes = [lane for lane in site.lanes() if lane[1] == case.id]
    assert lanes
    for _ in range(4):
        site.clock.advance(40)
        site.window()
    assert site.counted() == {f"sim/{case.external_id}": "desk stale"}
    assert kept(site)[f"sim/{case.external_id}"].state is DeliveryState.QUEUED
    later(site, 80)
    assert kept(site) == {}


def test_a_desk_without_a_survey_is_compared_record_by_record() -> None:
    site = waiting(5)
    site.side.reader = replace(site.reader, survey=None)
    site.records.secretly("D00002", priority="5")
    del site.records.records["D00004"]
    for _ in range(3):
        site.window(limit=3)
        site.go_on(40, step=10)
        site.second_look()
    assert site.counted() == {"sim/D00002": "desk stale", "sim/D00004": "desk orphan"}


@pytest.mark.parametrize("backlog", Backlog)
def test_what_was_opened_before_the_first_look_is_missed_only_if_it_may_be_a_case(
    backlog: Backlog,
) -> None:
    site = waiting(1)
    reader = replace(site.reader, backlog=backlog)
    site.side = DeskSide(kit=site.kit, book=site.book, name="sim", reader=reader)
    site.go_on(400, step=40)
    looked = site.clock.now() + timedelta(days=1)
    site.commit(Change(cursors={first_look("sim"): looked.isoformat()}))
    record = site.records.open_secretly("look", location="nowhere", priority="3")
    site.sweep()
    missed = {} if backlog is Backlog.IGNORE else {f"sim/{record}": "desk missing"}
    assert site.counted() == missed
