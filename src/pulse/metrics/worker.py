"""Everything a worker counts."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pulse.metrics.fleet import Fleet
from pulse.metrics.now import Clocks, Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_COUNTED: Final[Mapping[str, tuple[str, str]]] = {
    "events": ("pulse_events", "Lines read: usage events, profiles and bad ones."),
    "profiles": ("pulse_profiles", "Account profiles merged."),
    "duplicates": ("pulse_duplicates", "Events that had been counted before."),
    "ignored": ("pulse_ignored", "Events that an ignore rule kept out."),
    "facts": ("pulse_facts", "Events that say something of an account besides use."),
    "weightless": ("pulse_weightless", "Events of weight 0: they do not count as use."),
    "misplaced": ("pulse_misplaced", "Events handed on to the partition of their account."),
    "skipped": ("pulse_skipped", "Events that the state already held after a restart."),
    "ticks": ("pulse_ticks", "Ticks applied."),
    "ticks_refused": ("pulse_ticks_refused", "Ticks that were unreadable or ahead of the broker."),
    "ticks_passed_over": (
        "pulse_ticks_passed_over",
        "Ticks of the clock that runs, while a history was played.",
    ),
    "lines": ("pulse_lines", "Lines of the fleet that were taken, in each partition."),
    "sources": ("pulse_source_changes", "Times that a source stopped or ran again, by partition."),
    "forgotten": ("pulse_forgotten_events", "Events of accounts and users that were erased."),
    "renamed": ("pulse_renamed_events", "Events handed on to what their account is called now."),
    "arrivals": ("pulse_arrivals", "Accounts taken in under another id, whole or in pieces."),
    "unknown_control": ("pulse_unknown_control", "Control records of a kind not known here."),
}
_STATUSES: Final = ("firing", "resolved")
_LATE: Final = ("minutes", "hours", "days")


class WorkerMetrics:
    """Everything a worker counts. Made once a worker; `registry` is what `serve` shows."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        counter, gauge, seconds = _makers(registry)
        late = counter("pulse_late_events", "Events after their minute was closed.", ["age"])
        self._by_count: dict[str, Counter] = {
            key: counter(name, text) for key, (name, text) in _COUNTED.items()
        } | {f"late_{age}": late.labels(age) for age in _LATE}

        self.batches = counter("pulse_batches", "Fetches of one partition that were applied.")
        self.records = counter("pulse_records", "Kafka records that were applied.")
        self.dead_letters = counter(
            "pulse_dead_letters", "Lines that could not be counted.", ["reason"]
        )
        self.crossings = counter(
            "pulse_crossings", "Alerts that began or ended.", ["reason", "status"]
        )
        self.moves = counter(
            "pulse_lifecycle_moves",
            "Accounts that went from one stage of their life to another.",
            ["before", "after", "segment"],
        )
        self.state_bytes = counter("pulse_state_bytes", "Bytes of state written to the changelog.")

        self.partitions = gauge("pulse_partitions", "Partitions of the events topic.")
        self.partitions_assigned = gauge("pulse_partitions_assigned", "Partitions this worker has.")
        self.lag_records = gauge(
            "pulse_lag_records", "End offset less the offset that is applied.", ["partition"]
        )
        self.read_model_up = gauge(
            "pulse_read_model_up", "1 if Redis took the last write; NaN before any."
        )
        self.read_model_up.set(math.nan)
        self.reread_records = counter(
            "pulse_reread_records",
            "Records read again after a restart: applied before, and not yet written.",
        )
        self.pages_behind = counter(
            "pulse_pages_behind", "Pages read back that held less than their manifest said."
        )
        self.recovery_seconds = gauge(
            "pulse_recovery_seconds", "How long it took to read the state back last time."
        )

        self.apply_seconds = seconds("pulse_apply_seconds", "To apply one fetch.")
        self.flush_seconds = seconds(
            "pulse_flush_seconds", "To write alerts, pages and manifests, acknowledged."
        )
        self.commit_seconds = seconds("pulse_commit_seconds", "To commit the input offsets.")
        age = gauge(
            "pulse_commit_age_seconds",
            "Since all that was due was written and committed; before that, since the start.",
        )
        age.set_function(lambda: time.monotonic() - self._committed_s)
        self._committed_s = time.monotonic()

        self.fleet = Fleet()
        registry.register(self.fleet)
        self.clocks = Clocks()
        registry.register(self.clocks)
        self.sources = Sources()
        registry.register(self.sources)

    def expect(self, reasons: Iterable[str]) -> None:
        """Show the alerts that may begin and end for these reasons, 0 of each.

        What Prometheus first sees at 1 did not increase for it.
        """
        for reason in reasons:
            for status in _STATUSES:
                self.crossings.labels(reason, status)

    def count(self, counts: Mapping[str, int]) -> None:
        """Add what the engine counted (`Effects.counts`)."""
        for key, number in counts.items():
            # A test holds the keys to the engine's. In production a count without a metric is
            # the smaller evil: what escapes here would stop a partition.
            if (metric := self._by_count.get(key)) is not None:
                metric.inc(number)

    def committed(self) -> None:
        """All that was due is written and committed now."""
        self._committed_s = time.monotonic()

    def moved(self, segment: str, before: str | None, after: str, accounts: int) -> None:
        """Count accounts that went from one stage of their life to another."""
        known = self.fleet.segment(segment or None)
        self.moves.labels(before or "none", after, known).inc(accounts)

    def revoke(self, partition: int) -> None:
        """Forget a partition that another worker has from now on."""
        self.fleet.forget(partition)
        self.clocks.forget(partition)
        self.lag_records.remove(str(partition))


def _makers(
    registry: CollectorRegistry,
) -> tuple[Callable[..., Counter], Callable[..., Gauge], Callable[..., Histogram]]:
    def counter(name: str, text: str, labels: list[str] | None = None) -> Counter:
        return Counter(name, text, labels or (), registry=registry)

    def gauge(name: str, text: str, labels: list[str] | None = None) -> Gauge:
        return Gauge(name, text, labels or (), registry=registry)

    def seconds(name: str, text: str) -> Histogram:
        return Histogram(name, text, registry=registry, buckets=_SECONDS)

    return counter, gauge, seconds
