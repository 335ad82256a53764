"""*Alerts*: what became of alerts, from where a worker wrote them to a receiver's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .parts import (
    Query,
    Text,
    alerts_of_prometheus,
    board,
    chosen,
    growth,
    lines,
    listing,
    number,
    of,
    overall_quantile,
    processes,
    quantile,
    ranking,
    rate,
    state,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from .parts import AnyPanel

_TO: Final = 'receiver=~"$receiver"'
_DECISIONS: Final = "pulse_notification_decisions_total"
_TAKEN: Final = 'outcome="succeeded"'
_SILENCED: Final = 'stage="silence"'
_OVER: Final = 'stage="budget"'
_HELD: Final = 'stage=~"inhibit|silence|hours|budget"'


def alerts() -> Dashboard:
    """The dashboard."""
    return board(
        "pulse-alerts",
        Text("pulse / Alerts", "What became of alerts: held, sent, answered, right or wrong."),
        "now-24h",
        [
            *processes("pulse_(partitions|notifier_leads|web_alerts)", hidden=True),
            chosen(
                "receiver",
                "Receiver",
                f"label_values({of('pulse_receiver_circuit_open')}, receiver)",
            ),
        ],
        [
            ("Now", _now()),
            ("Decisions", _decisions()),
            ("Deliveries", _deliveries()),
            ("Right and wrong", _judged()),
        ],
        alerts_of_prometheus(),
    )


def _now() -> list[AnyPanel]:
    failed = growth("pulse_deliveries_total", _TO, 'outcome="failed"')
    return [
        number(
            Text("Alerts read", "States of alerts, begun and ended, in the time that is shown."),
            f"sum({growth('pulse_alerts_read_total')})",
        ),
        number(
            Text("Delivered", "Notifications that a receiver took, in the time that is shown."),
            f"sum({growth('pulse_deliveries_total', _TO, _TAKEN)}) or vector(0)",
        ),
        number(
            Text(
                "Lost", "Notifications whose attempts are used up. `pulse deliveries` lists them."
            ),
            f"sum({failed}) or vector(0)",
            steps=[(1, "red")],
        ),
        number(
            Text(
                "Due to delivered",
                "From the instant an alert was due to the receiver's answer, 95 of 100 in the time "
                "that is shown.",
                "s",
            ),
            overall_quantile(0.95, "pulse_due_to_webhook_seconds"),
            steps=[(30, "orange"), (300, "red")],
        ),
        number(
            Text("Undelivered", "Notifications that are still to be sent."),
            f"sum({of('pulse_notifications_undelivered')})",
        ),
        state(
            Text(
                "Together",
                "While the fleet falls together, the accounts' own alerts are held.",
            ),
            f"max({of('pulse_fleet_falls')})",
            {0: ("each alone", "green"), 1: ("the fleet falls", "red")},
        ),
    ]


def _decisions() -> list[AnyPanel]:
    return [
        lines(
            Text("Decisions by stage", "What each stage of the pipeline did with alerts.", "ops"),
            Query(f"sum by (stage) ({rate(_DECISIONS)})", "{{stage}}"),
            stacked=True,
        ),
        listing(
            Text("Decisions by stage and reason", "In the time that is shown."),
            {"Alerts": f"sort_desc(sum by (stage, reason) ({growth(_DECISIONS)}) > 0)"},
            {"stage": "Stage", "reason": "Reason"},
        ),
        lines(
            Text(
                "Held",
                "Alerts that were not told at once: by another that fires, a silence, the hours, "
                "the budget.",
                "ops",
            ),
            Query(f"sum by (stage, reason) ({rate(_DECISIONS, _HELD)})", "{{stage}}: {{reason}}"),
            stacked=True,
        ),
        lines(
            Text("Silences", "Alerts that people hold: silenced, snoozed, acknowledged.", "ops"),
            Query(f"sum by (reason) ({rate(_DECISIONS, _SILENCED)})", "{{reason}}"),
            stacked=True,
        ),
        lines(
            Text("Over the budget", "Alerts that wait for their owner's digest.", "ops"),
            Query(f"sum by (receiver) ({rate(_DECISIONS, _OVER)})", "{{receiver}}"),
            stacked=True,
        ),
        lines(
            Text("The fleet", "Accounts in use when the fleet fell together the last time."),
            Query(f"max({of('pulse_fleet_accounts')})", "accounts"),
        ),
    ]


def _deliveries() -> list[AnyPanel]:
    delivered = f"sum by (receiver, outcome) ({growth('pulse_deliveries_total', _TO)})"
    return [
        lines(
            Text("By outcome", "What became of notifications.", "ops"),
            Query(f"sum by (outcome) ({rate('pulse_deliveries_total', _TO)})", "{{outcome}}"),
            stacked=True,
        ),
        listing(
            Text("By receiver and outcome", "In the time that is shown."),
            {"Notifications": f"sort_desc({delivered} > 0)"},
            {"receiver": "Receiver", "outcome": "Outcome"},
        ),
        lines(
            Text("Attempts", "How long 95 of 100 take, by receiver.", "s"),
            Query(quantile(0.95, "pulse_delivery_seconds", by="receiver"), "{{receiver}}"),
        ),
        lines(
            Text("Failed attempts", "By receiver and reason.", "ops"),
            Query(
                f"sum by (receiver, reason) ({rate('pulse_delivery_attempt_failures_total', _TO)})",
                "{{receiver}}: {{reason}}",
            ),
            stacked=True,
        ),
        lines(
            Text(
                "How late alerts are",
                "From the instant an alert was due to the receiver's answer. Waiting for a group, "
                "for hours and for a digest is within.",
                "s",
            ),
            Query(quantile(0.5, "pulse_due_to_webhook_seconds"), "half"),
            Query(quantile(0.95, "pulse_due_to_webhook_seconds"), "95 of 100"),
            Query(quantile(0.99, "pulse_due_to_webhook_seconds"), "99 of 100"),
        ),
        lines(
            Text(
                "Out of order",
                "Receivers that fail again and again and are tried now and then only, and those "
                "that get nothing any more.",
            ),
            Query(
                f"max by (receiver) ({of('pulse_receiver_circuit_open', _TO)})",
                "{{receiver}} fails",
            ),
            Query(
                f"max by (receiver) ({of('pulse_receiver_disabled', _TO)})", "{{receiver}} disabled"
            ),
        ),
    ]


def _judged() -> list[AnyPanel]:
    return [
        ranking(
            Text(
                "Right alerts by reason",
                "Of the alerts that somebody looked into and closed, the share that was no false "
                "alarm.",
                "percentunit",
            ),
            Query(f"max by (reason) ({of('pulse_alert_precision_ratio')})", "{{reason}}"),
            most=1,
        ),
        listing(
            Text("Outcomes", "Closed alerts by reason and outcome, of as long as they are kept."),
            {"Alerts": f"sort_desc(max by (reason, outcome) ({of('pulse_alert_outcomes')}) > 0)"},
            {"reason": "Reason", "outcome": "Outcome"},
        ),
        lines(
            Text("Noisy reasons", "1 where a reason is right too seldom, and not by chance."),
            Query(f"max by (reason) ({of('pulse_alert_noisy')})", "{{reason}}"),
        ),
        lines(
            Text("Known alerts", "Alerts that the page can show."),
            Query(f"max({of('pulse_web_alerts')})", "alerts"),
        ),
    ]
