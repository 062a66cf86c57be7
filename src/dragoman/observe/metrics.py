"""Counters and histograms of a running gateway, for Prometheus.

Made by the web layer, which fills the gauges at each scrape (web/scrape.py). Labels are bounded:
names of the configuration, states, outcomes; never ids, never what came from outside.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

WEBHOOK_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)
ACQUISITION_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """One gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = Counter(
            "dragoman_webhooks",
            "Webhooks received, by desk and outcome.",
            ["desk", "outcome"],
            registry=self.registry,
        )
        self.webhook_seconds = Histogram(
            "dragoman_webhook_seconds",
            "Seconds from a webhook's first byte to its answer.",
            buckets=WEBHOOK_SECONDS,
            registry=self.registry,
        )
        self.acquisition_seconds = Histogram(
            "dragoman_acquisition_seconds",
            "Seconds from a case's opening at the desk to the robot's acknowledgement.",
            buckets=ACQUISITION_SECONDS,
            registry=self.registry,
        )
