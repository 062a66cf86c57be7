"""Fills the gauges of a scrape from the gateway, and the acquisition times as they happen.

Registered by app.py with the registry of observe/metrics.py.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dragoman.domain.case import CaseState
from dragoman.domain.change import Change
from dragoman.domain.delivery import BreakerState, DeliveryState
from dragoman.domain.reconcile.mismatch import Kind, Side
from dragoman.domain.robot import Presence
from dragoman.observe.metrics import Metrics
from dragoman.runtime.gateway import Gateway
from dragoman.web.state import Web
from dragoman.web.status import targets

OPEN = tuple(state.value for state in CaseState if state is not CaseState.CLOSED)


class SiteCollector(Collector):
    """The site's present state as gauges; every label value shows, zero or not."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def collect(self) -> Iterator[Metric]:
        """One scrape."""
        gateway = self._web.gateway
        site = gateway.kit.site
        cases = Counter(case.state.value for case in site.cases.values())
        yield _gauge("dragoman_cases", "Open cases by state.", "state", OPEN, cases)
        robots = Counter(robot.presence.value for robot in site.robots.values())
        presences = tuple(presence.value for presence in Presence)
        yield _gauge("dragoman_robots", "Robots by presence.", "presence", presences, robots)
        yield from self._targets()
        polls = GaugeMetricFamily(
            "dragoman_desk_healthy", "1: polls are answered.", labels=["desk"]
        )
        for name, poller in gateway.pollers.items():
            polls.add_metric([name], float(poller.healthy is True))
        yield polls
        drift = GaugeMetricFamily(
            "dragoman_desk_mapping_drift",
            "What of a mapping doesn't fit the desk; -1 while that isn't known.",
            labels=["desk"],
        )
        for name, fit in gateway.fitting.known.items():
            drift.add_metric([name], -1.0 if fit.drift is None else len(fit.drift))
        yield drift
        messages = CounterMetricFamily(
            "dragoman_robot_messages", "Messages of robots by outcome.", labels=["outcome"]
        )
        for outcome, count in {**asdict(gateway.track.counters), "shed": gateway.shed}.items():
            messages.add_metric([outcome], count)
        yield messages
        yield from self._reconcile()

    def _reconcile(self) -> Iterator[Metric]:
        reconciler = self._web.gateway.reconciler
        open_ = GaugeMetricFamily(
            "dragoman_reconcile_open", "Mismatches that aren't settled.", labels=["side", "state"]
        )
        mismatches = CounterMetricFamily(
            "dragoman_reconcile_mismatches", "Mismatches that counted.", labels=["side", "kind"]
        )
        for side in Side:
            states = Counter(row.state for row in reconciler.book.rows(side))
            for state in (DeliveryState.QUEUED, DeliveryState.DEAD):
                open_.add_metric([side.value, state.value], states[state])
            for kind in Kind:
                count = reconciler.book.counts.mismatches[side.value, kind.value]
                mismatches.add_metric([side.value, kind.value], count)
        compared = CounterMetricFamily(
            "dragoman_reconcile_compared",
            "Cases compared, each once a shift.",
            labels=["desk"],
        )
        age = GaugeMetricFamily(
            "dragoman_reconcile_age_seconds",
            "Seconds since a desk was compared; -1 if it never was.",
            labels=["desk"],
        )
        now = reconciler.book.kit.clock.now()
        for name, loop in reconciler.desks.items():
            compared.add_metric([name], reconciler.book.counts.compared[name])
            at = loop.compared_at
            age.add_metric([name], -1.0 if at is None else (now - at).total_seconds())
        yield from (open_, mismatches, compared, age)

    def _targets(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "dragoman_deliveries", "Unsettled deliveries by target.", labels=["target", "state"]
        )
        breaker = GaugeMetricFamily(
            "dragoman_breaker", "1 for the state of a target's breaker.", labels=["target", "state"]
        )
        for one in targets(self._web):
            for state in ("queued", "in_flight", "dead"):
                waiting.add_metric([one.target, state], getattr(one, state))
            for kind in BreakerState:
                breaker.add_metric([one.target, kind.value], float(one.breaker is kind))
        yield waiting
        yield breaker


def watch_acquisition(gateway: Gateway, metrics: Metrics) -> None:
    """Measure from the case's opening at the desk to the robot's acknowledgement, once durable."""

    def durable(change: Change) -> None:
        opened = {case.id: case.opened_at for case in change.cases}
        for entry in change.entries:
            if entry.action == "case.accepted" and entry.case_id in opened:
                seconds = (entry.at - opened[entry.case_id]).total_seconds()
                metrics.acquisition_seconds.observe(max(0.0, seconds))

    gateway.listeners.append(durable)


def _gauge(
    name: str, text: str, label: str, values: tuple[str, ...], counts: Counter[str]
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value in values:
        family.add_metric([value], counts[value])
    return family
