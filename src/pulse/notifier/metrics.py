"""The notifier's metrics. No account and no notification id is ever a label."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pulse.alerting.records.delivery import State

_OUTCOMES: Final = (
    State.SUCCEEDED, State.RETRYING, State.FAILED, State.SUPERSEDED, State.DISABLED,
)  # fmt: skip
_ATTEMPT_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)
_DUE_SECONDS: Final = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800, 7200, 86400)


class NotifierMetrics:
    """Everything a notifier counts. Made once a notifier; `registry` is what Prometheus reads."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self.alerts_read = Counter(
            "pulse_alerts_read", "Alert states read from the alerts topic.", registry=registry
        )
        self.alerts_unreadable = Counter(
            "pulse_alerts_unreadable",
            "Records of the alerts topic that were passed over because they are no alert.",
            registry=registry,
        )
        self.decisions = Counter(
            "pulse_notification_decisions",
            "What a stage of the pipeline decided on an alert for a receiver (empty: for all), and "
            "why.",
            ["stage", "receiver", "reason"],
            registry=registry,
        )
        self.deliveries = Counter(
            "pulse_deliveries",
            "Outcomes of notifications: succeeded, retrying (an attempt failed), failed, "
            "superseded, disabled.",
            ["receiver", "outcome"],
            registry=registry,
        )
        self.attempt_failures = Counter(
            "pulse_delivery_attempt_failures",
            "Attempts that failed, by reason.",
            ["receiver", "reason"],
            registry=registry,
        )
        self.attempt_seconds = Histogram(
            "pulse_delivery_seconds",
            "How long one attempt took.",
            ["receiver"],
            buckets=_ATTEMPT_SECONDS,
            registry=registry,
        )
        self.due_to_webhook_seconds = Histogram(
            "pulse_due_to_webhook_seconds",
            "From the instant an alert was due to the receiver's 2xx. With `clock: events`, from "
            "when it was appended to the alerts topic.",
            buckets=_DUE_SECONDS,
            registry=registry,
        )
        self.undelivered = Gauge(
            "pulse_notifications_undelivered",
            "Notifications that this process has still to send; 0 where another one leads.",
            registry=registry,
        )
        self.leads = Gauge(
            "pulse_notifier_leads",
            "1 where this process sends, 0 where it stands by.",
            registry=registry,
        )
        self.disabled = Gauge(
            "pulse_receiver_disabled",
            "1 where the receiver gets nothing any more: it answered 410, or failed for five days.",
            ["receiver"],
            registry=registry,
        )
        self.circuit_open = Gauge(
            "pulse_receiver_circuit_open",
            "1 where the receiver fails again and again, and is tried now and then only.",
            ["receiver"],
            registry=registry,
        )
        self.fleet_falls = Gauge(
            "pulse_fleet_falls",
            "1 while the fleet falls together and the accounts' own alerts are held.",
            registry=registry,
        )
        self.fleet_accounts = Gauge(
            "pulse_fleet_accounts",
            "Accounts in use when the fleet fell together the last time.",
            registry=registry,
        )

    def expect(self, receivers: Iterable[str]) -> None:
        """Show what may become of their notifications, 0 of each.

        What Prometheus first sees at 1 did not increase for it.
        """
        for receiver in receivers:
            for outcome in _OUTCOMES:
                self.deliveries.labels(receiver, outcome.value)
