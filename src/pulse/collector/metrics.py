"""The collector's metrics. No key, account or user is ever in a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class OfDialect(NamedTuple):
    """What is counted with every request, of one dialect."""

    events: Counter
    passed_over: Counter
    took: Histogram


class CollectorMetrics:
    """What a collector counts, in a registry of its own."""

    def __init__(
        self,
        waiting_bytes: Callable[[], int],
        keys: Callable[[], int],
        spooled_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        self.registry = registry = CollectorRegistry()
        self._of: dict[str, OfDialect] = {}
        self.events = Counter(
            "pulse_collector_events", "Events and profiles that Kafka has.", ["dialect"],
            registry=registry,
        )  # fmt: skip
        self.passed_over = Counter(
            "pulse_collector_passed_over", "Calls that say nothing of an account's use.",
            ["dialect"], registry=registry,
        )  # fmt: skip
        self.letters = Counter(
            "pulse_collector_letters", "Events kept among the dead letters.",
            ["dialect", "reason"], registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "pulse_collector_refused_events", "Events refused within a request.",
            ["dialect", "reason"], registry=registry,
        )  # fmt: skip
        self.requests_refused = Counter(
            "pulse_collector_refused_requests", "Requests refused as a whole.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self.took = Histogram(
            "pulse_collector_ack_seconds", "From a request that is understood to Kafka's word.",
            ["dialect"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        waiting = Gauge(
            "pulse_collector_waiting_bytes", "What Kafka has not acknowledged.", registry=registry
        )
        waiting.set_function(waiting_bytes)
        spooled = Gauge(
            "pulse_collector_spooled_bytes", "What waits for Kafka on the disk.", registry=registry
        )
        spooled.set_function(spooled_bytes)
        known = Gauge("pulse_collector_keys", "Write keys that hold now.", registry=registry)
        known.set_function(keys)

    def of(self, dialect: str) -> OfDialect:
        """What is counted of a dialect: looking for it with every request costs more."""
        found = self._of.get(dialect)
        if found is None:
            found = self._of[dialect] = OfDialect(
                self.events.labels(dialect),
                self.passed_over.labels(dialect),
                self.took.labels(dialect),
            )
        return found
