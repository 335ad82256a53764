"""The metrics of `pulse web`, and of what people said of alerts. No account is in a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pulse.alerting.people.precision import by_reason
from pulse.model.audit import Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pulse.desk.books import OutcomeBook

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class WebMetrics:
    """What the page and the API count, in a registry of its own."""

    def __init__(
        self,
        outcomes: OutcomeBook,
        alerts: Callable[[], int],
        tokens: Callable[[], int],
        users: Callable[[], int] = lambda: 0,
        history_lag: Callable[[], int] = lambda: 0,
    ) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "pulse_web_requests", "Requests that were answered.", ["status"], registry=registry
        )
        self.refused = Counter(
            "pulse_web_refused", "Requests that were refused.", ["reason"], registry=registry
        )
        self.wrong_tokens = Counter(
            "pulse_web_wrong_tokens", "Tokens that are not known.", registry=registry
        )
        self.wrong_passwords = Counter(
            "pulse_web_wrong_passwords",
            "Sign-ins with a wrong name or password.",
            registry=registry,
        )
        self.signed_in = Counter(
            "pulse_web_signed_in", "Browsers that were let in.", ["way"], registry=registry
        )
        for way in (Way.user, Way.token):
            self.signed_in.labels(way)
        self.untrusted = Counter(
            "pulse_web_untrusted_headers",
            "Headers of the proxy that lets people in, from elsewhere or odd; not believed.",
            registry=registry,
        )
        self.took = Histogram(
            "pulse_web_ack_seconds", "From a person's word to Kafka's.", ["what"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        known = Gauge("pulse_web_alerts", "Alerts that can be shown.", registry=registry)
        known.set_function(alerts)
        held = Gauge("pulse_web_tokens", "Tokens that hold now.", registry=registry)
        held.set_function(tokens)
        people = Gauge("pulse_web_users", "Users that there are now.", registry=registry)
        people.set_function(users)
        behind = Gauge(
            "pulse_history_lag_records", "Records of the history that are not in its file yet.",
            registry=registry,
        )  # fmt: skip
        behind.set_function(history_lag)
        registry.register(_Judged(outcomes))


class _Judged(Collector):
    """What became of alerts, by their reason, counted when it is asked for."""

    def __init__(self, outcomes: OutcomeBook) -> None:
        self._outcomes = outcomes

    def collect(self) -> Iterator[GaugeMetricFamily]:
        said = GaugeMetricFamily(
            "pulse_alert_outcomes",
            "Closed alerts, by reason and outcome, of as long as they are kept.",
            labels=["reason", "outcome"],
        )
        precision = GaugeMetricFamily(
            "pulse_alert_precision_ratio",
            "Of the alerts that were looked into, the share that was right.",
            labels=["reason"],
        )
        noisy = GaugeMetricFamily(
            "pulse_alert_noisy",
            "1 where a reason is right too seldom, and not by chance.",
            labels=["reason"],
        )
        for reason, tally in by_reason(self._outcomes).items():
            for word, number in tally._asdict().items():
                said.add_metric([reason, word], number)
            if tally.precision is not None:
                precision.add_metric([reason], tally.precision)
            noisy.add_metric([reason], float(tally.is_noisy))
        yield from (said, precision, noisy)
