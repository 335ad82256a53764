"""The notifier's metrics. No account and no notification id is ever a label."""

from prometheus_client import Counter, Gauge, Histogram

ALERTS_READ = Counter("pulse_alerts_read_total", "Alert states read from the alerts topic.")
ALERTS_UNREADABLE = Counter(
    "pulse_alerts_unreadable_total",
    "Records of the alerts topic that were passed over because they are no alert.",
)
DECISIONS = Counter(
    "pulse_notification_decisions_total",
    "What was decided on an alert's state when it was read, by receiver and reason.",
    ["receiver", "reason"],
)
DELIVERIES = Counter(
    "pulse_deliveries_total",
    "Outcomes of notifications: succeeded, retrying (an attempt failed), failed, superseded, "
    "skipped, disabled.",
    ["receiver", "outcome"],
)
ATTEMPT_FAILURES = Counter(
    "pulse_delivery_attempt_failures_total",
    "Attempts that failed, by reason.",
    ["receiver", "reason"],
)
ATTEMPT_SECONDS = Histogram(
    "pulse_delivery_seconds",
    "How long one attempt took.",
    ["receiver"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
)
DUE_TO_WEBHOOK_SECONDS = Histogram(
    "pulse_due_to_webhook_seconds",
    "From the instant an alert was due to the receiver's 2xx. With `clock: events`, from when the "
    "alert was appended to the alerts topic.",
    buckets=(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)
UNDELIVERED = Gauge(
    "pulse_notifications_undelivered", "Notifications that this process has still to send."
)
DISABLED = Gauge(
    "pulse_receiver_disabled",
    "1 where the receiver's endpoint answered 410 and gets nothing any more.",
    ["receiver"],
)
