"""*Pipeline*: how pulse itself is, for who runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts import (
    Query,
    Text,
    alerts_of_prometheus,
    board,
    lines,
    number,
    of,
    processes,
    quantile,
    rate,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from .parts import AnyPanel


def pipeline() -> Dashboard:
    """The dashboard."""
    return board(
        "pulse-pipeline",
        Text("pulse / Pipeline", "How pulse itself is: rates, lag, clock, writing, what it takes."),
        "now-6h",
        processes("pulse_(partitions|notifier_leads|collector_keys|web_tokens)"),
        [
            ("Now", _now()),
            ("Events", _events()),
            ("Clock, lag and writing", _worker()),
            ("State", _state()),
            ("Collector", _collector()),
            ("Notifier and web", _out()),
            ("Processes", _processes()),
        ],
        alerts_of_prometheus(),
    )


def _now() -> list[AnyPanel]:
    return [
        number(
            Text(
                "Events", "Lines a second that workers read: events, profiles and bad ones.", "ops"
            ),
            f"sum({rate('pulse_events_total')})",
        ),
        number(
            Text("Lag", "Records in the events topic that are not applied yet."),
            f"sum({of('pulse_lag_records')})",
            steps=[(10_000, "orange"), (1_000_000, "red")],
        ),
        number(
            Text("Tick age", "Of the partition whose clock is furthest behind.", "s"),
            f"max({of('pulse_tick_age_seconds')})",
            steps=[(5, "orange"), (30, "red")],
        ),
        number(
            Text("Commit age", "Since the worker that is furthest behind had committed all.", "s"),
            f"max({of('pulse_commit_age_seconds')})",
            steps=[(30, "orange"), (120, "red")],
        ),
        number(
            Text("Partitions without a worker", "Nobody reads their events."),
            f"max({of('pulse_partitions')}) - sum({of('pulse_partitions_assigned')})",
            steps=[(1, "red")],
        ),
        number(
            Text("Undelivered", "Notifications that are still to be sent."),
            f"sum({of('pulse_notifications_undelivered')})",
            steps=[(100, "orange"), (10_000, "red")],
        ),
    ]


def _events() -> list[AnyPanel]:
    kinds = {
        "profiles": "pulse_profiles_total",
        "duplicates": "pulse_duplicates_total",
        "ignored by a rule": "pulse_ignored_total",
        "of weight 0": "pulse_weightless_total",
        "facts": "pulse_facts_total",
        "misplaced": "pulse_misplaced_total",
        "of renamed accounts": "pulse_renamed_events_total",
        "of erased accounts": "pulse_forgotten_events_total",
        "read again": "pulse_skipped_total",
    }
    return [
        lines(
            Text("Events by worker", "Lines that each worker read.", "ops"),
            Query(f"sum by (instance) ({rate('pulse_events_total')})", "{{instance}}"),
            stacked=True,
        ),
        lines(
            Text("What they were", "Besides usage that was counted as it came.", "ops"),
            *(Query(f"sum({rate(metric)})", name) for name, metric in kinds.items()),
        ),
        lines(
            Text("Late events", "After their minute was closed, by how late they were.", "ops"),
            Query(f"sum by (age) ({rate('pulse_late_events_total')})", "{{age}}"),
            stacked=True,
        ),
        lines(
            Text("Dead letters", "Lines that could not be counted, by the reason.", "ops"),
            Query(f"sum by (reason) ({rate('pulse_dead_letters_total')})", "{{reason}}"),
            stacked=True,
        ),
        lines(
            Text("Since the last event of a source", "Over all workers; of the last day.", "s"),
            Query(f"min by (source) ({of('pulse_source_age_seconds')})", "{{source}}"),
        ),
        lines(
            Text(
                "Sources that stopped", "1 while nothing comes from a source that always had some."
            ),
            Query(f"max by (source) ({of('pulse_source_stopped')})", "{{source}}"),
        ),
    ]


def _worker() -> list[AnyPanel]:
    return [
        lines(
            Text("Lag by partition", "Records that are in the topic and not applied yet."),
            Query(f"max by (partition) ({of('pulse_lag_records')})", "{{partition}}"),
        ),
        lines(
            Text("Tick age by partition", "How far each partition's clock is behind.", "s"),
            Query(f"max by (partition) ({of('pulse_tick_age_seconds')})", "{{partition}}"),
        ),
        lines(
            Text(
                "Commit age by worker",
                "Since all that was due was written and committed, by worker.",
                "s",
            ),
            Query(f"max by (instance) ({of('pulse_commit_age_seconds')})", "{{instance}}"),
        ),
        lines(
            Text("Flush and commit", "How long 99 of 100 take at most, acknowledged.", "s"),
            Query(quantile(0.99, "pulse_flush_seconds"), "flush"),
            Query(quantile(0.99, "pulse_commit_seconds"), "commit"),
            Query(quantile(0.99, "pulse_apply_seconds"), "apply a fetch"),
        ),
        lines(
            Text(
                "Ticks", "Applied, and not: a refused one was ahead of the broker's clock.", "ops"
            ),
            Query(f"sum({rate('pulse_ticks_total')})", "applied"),
            Query(f"sum({rate('pulse_ticks_refused_total')})", "refused"),
            Query(f"sum({rate('pulse_ticks_passed_over_total')})", "passed over"),
        ),
        lines(
            Text(
                "Fetches", "Each is applied at once; how many records it has says how busy.", "ops"
            ),
            Query(f"sum({rate('pulse_batches_total')})", "fetches"),
            Query(f"sum({rate('pulse_records_total')})", "records"),
        ),
    ]


def _state() -> list[AnyPanel]:
    return [
        lines(
            Text("State written", "Bytes a second to the changelog, by worker.", "Bps"),
            Query(f"sum by (instance) ({rate('pulse_state_bytes_total')})", "{{instance}}"),
            stacked=True,
        ),
        lines(
            Text("Last recovery", "How long it took to read the state back.", "s"),
            Query(f"max by (instance) ({of('pulse_recovery_seconds')})", "{{instance}}"),
        ),
        lines(
            Text(
                "Read again after a restart",
                "Records that had been applied before and not yet written, and pages that held "
                "less than their manifest said.",
                "ops",
            ),
            Query(f"sum({rate('pulse_reread_records_total')})", "records"),
            Query(f"sum({rate('pulse_pages_behind_total')})", "pages"),
        ),
        lines(
            Text("Read model", "1 while Redis takes what is written; workers go on without."),
            Query(f"min by (instance) ({of('pulse_read_model_up')})", "{{instance}}"),
        ),
        lines(
            Text("Partitions by worker", "Those it reads, of those there are."),
            Query(f"sum by (instance) ({of('pulse_partitions_assigned')})", "{{instance}}"),
            stacked=True,
        ),
        lines(
            Text(
                "Control records", "What went round to every partition, and to each account.", "ops"
            ),
            Query(f"sum({rate('pulse_lines_total')})", "lines of the fleet"),
            Query(f"sum({rate('pulse_source_changes_total')})", "sources"),
            Query(f"sum({rate('pulse_arrivals_total')})", "accounts renamed"),
            Query(f"sum({rate('pulse_unknown_control_total')})", "unknown here"),
        ),
    ]


def _collector() -> list[AnyPanel]:
    return [
        lines(
            Text("Events over HTTP", "That Kafka has, by the client's dialect.", "ops"),
            Query(f"sum by (dialect) ({rate('pulse_collector_events_total')})", "{{dialect}}"),
            stacked=True,
        ),
        lines(
            Text("From request to Kafka's word", "Half of the requests, and 99 of 100.", "s"),
            Query(quantile(0.5, "pulse_collector_ack_seconds"), "half"),
            Query(quantile(0.99, "pulse_collector_ack_seconds"), "99 of 100"),
        ),
        lines(
            Text("Refused", "Requests and events that clients were told are not taken.", "ops"),
            Query(
                f"sum by (reason) ({rate('pulse_collector_refused_requests_total')})",
                "request: {{reason}}",
            ),
            Query(
                f"sum by (reason) ({rate('pulse_collector_refused_events_total')})",
                "event: {{reason}}",
            ),
            Query(
                f"sum by (reason) ({rate('pulse_collector_letters_total')})",
                "dead letter: {{reason}}",
            ),
            Query(f"sum({rate('pulse_collector_passed_over_total')})", "says nothing of use"),
        ),
        lines(
            Text(
                "Waiting for Kafka",
                "In memory, and on the disk while Kafka is away.",
                "bytes",
            ),
            Query(f"sum({of('pulse_collector_waiting_bytes')})", "memory"),
            Query(f"sum({of('pulse_collector_spooled_bytes')})", "disk"),
        ),
    ]


def _out() -> list[AnyPanel]:
    return [
        lines(
            Text("Alerts", "That workers wrote, and that the notifier read.", "ops"),
            Query(f"sum({rate('pulse_crossings_total')})", "written"),
            Query(f"sum({rate('pulse_alerts_read_total')})", "read"),
            Query(f"sum({rate('pulse_alerts_unreadable_total')})", "unreadable"),
        ),
        lines(
            Text("Deliveries", "What became of notifications, by outcome.", "ops"),
            Query(f"sum by (outcome) ({rate('pulse_deliveries_total')})", "{{outcome}}"),
            stacked=True,
        ),
        lines(
            Text("Who sends", "1 where a notifier leads; one of them does."),
            Query(f"max by (instance) ({of('pulse_notifier_leads')})", "{{instance}}"),
            stacked=True,
        ),
        lines(
            Text("Requests to the page and the API", "By the status that was answered.", "reqps"),
            Query(f"sum by (status) ({rate('pulse_web_requests_total')})", "{{status}}"),
            stacked=True,
        ),
        lines(
            Text(
                "Refused by web",
                "Requests that may not be, and tokens, passwords and headers that nobody has.",
                "reqps",
            ),
            Query(f"sum by (reason) ({rate('pulse_web_refused_total')})", "{{reason}}"),
            Query(f"sum({rate('pulse_web_wrong_tokens_total')})", "unknown token"),
            Query(f"sum({rate('pulse_web_wrong_passwords_total')})", "wrong password"),
            Query(f"sum({rate('pulse_web_untrusted_headers_total')})", "untrusted header"),
        ),
        lines(
            Text("Signed in", "People who sign in an hour, by how they come."),
            Query(f"sum by (way) ({rate('pulse_web_signed_in_total')}) * 3600", "{{way}}"),
        ),
        lines(
            Text("What people say", "Until Kafka has it: 99 of 100, by what it was.", "s"),
            Query(quantile(0.99, "pulse_web_ack_seconds", by="what"), "{{what}}"),
        ),
        lines(
            Text("History behind", "Days of accounts that are not in the page's history yet."),
            Query(f"max by (instance) ({of('pulse_history_lag_records')})", "{{instance}}"),
        ),
    ]


def _processes() -> list[AnyPanel]:
    who = "{{job}} {{instance}}"
    return [
        lines(
            Text("Up", "1 where Prometheus reaches the process."),
            Query(f"min by (job, instance) ({of('up')})", who),
        ),
        lines(
            Text("Memory", "What the process has of it (resident).", "bytes"),
            Query(f"max by (job, instance) ({of('process_resident_memory_bytes')})", who),
        ),
        lines(
            Text("Processor", "Of one core.", "percentunit"),
            Query(f"sum by (job, instance) ({rate('process_cpu_seconds_total')})", who),
        ),
        lines(
            Text(
                "Open files", "Sockets too, as a share of what the process may have.", "percentunit"
            ),
            Query(
                f"max by (job, instance) ({of('process_open_fds')} / {of('process_max_fds')})", who
            ),
        ),
        lines(
            Text("Running since", "How long each process has been there.", "s"),
            Query(f"time() - max by (job, instance) ({of('process_start_time_seconds')})", who),
        ),
        lines(
            Text(
                "Keys, tokens and users",
                "That hold now: write keys of product apps, tokens, people.",
            ),
            Query(f"max({of('pulse_collector_keys')})", "write keys"),
            Query(f"max({of('pulse_web_tokens')})", "tokens"),
            Query(f"max({of('pulse_web_users')})", "users"),
        ),
    ]
