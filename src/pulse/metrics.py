"""The worker's metrics, and `serve`, which shows a registry to Prometheus.

Names begin with `pulse_`, units are base units, and no account or user is ever in a label: what
customers name (segments) is bounded. Each process object has a registry of its own, so that
several can live in one Python process, each on its own port.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from pulse.errors import PulseError
from pulse.health import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from pulse.health import Health

MAX_SEGMENTS: Final = 50
"""Segments that have a label of their own; the accounts of later ones are `other`."""

NO_SEGMENT: Final = "none"
OTHER_SEGMENT: Final = "other"

SCORE_BUCKETS: Final = tuple(range(5, 101, 5))
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

        self.partitions_assigned = gauge("pulse_partitions_assigned", "Partitions this worker has.")
        self.lag_records = gauge(
            "pulse_lag_records", "End offset less the offset that is applied.", ["partition"]
        )
        self.read_model_up = gauge("pulse_read_model_up", "1 if Redis took the last write.")
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

        self.fleet = Fleet()
        registry.register(self.fleet)
        self.clocks = Clocks()
        registry.register(self.clocks)

    def count(self, counts: Mapping[str, int]) -> None:
        """Add what the engine counted (`Effects.counts`)."""
        for key, number in counts.items():
            # A test holds the keys to the engine's. In production a count without a metric is
            # the smaller evil: what escapes here would stop a partition.
            if (metric := self._by_count.get(key)) is not None:
                metric.inc(number)

    def moved(self, segment: str, before: str | None, after: str, accounts: int) -> None:
        """Count accounts that went from one stage of their life to another."""
        known = self.fleet.segment(segment or None)
        self.moves.labels(before or "none", after, known).inc(accounts)

    def revoke(self, partition: int) -> None:
        """Forget a partition that another worker has from now on."""
        self.fleet.forget(partition)
        self.clocks.forget(partition)
        self.lag_records.remove(str(partition))


class Standing(NamedTuple):
    """Where one account stands. One that has left (`churned`) is in no zone any more."""

    zone: str
    lifecycle: str
    segment: str | None
    score: float | None


class Fleet(Collector):
    """How many accounts stand where, and the distribution of their scores as of now.

    Kept up to date account by account; a scrape reads totals only, whatever the number of
    accounts.
    """

    def __init__(self) -> None:
        self._standings: dict[int, dict[str, tuple[str, str, str, float | None]]] = {}
        self._zones: Tally[tuple[str, str]] = Tally()
        self._lifecycles: Tally[tuple[str, str]] = Tally()
        self._scores: Tally[int] = Tally()
        self._sum = 0.0
        self._segments: set[str] = set()

    def note(self, partition: int, account_id: str, standing: Standing) -> None:
        """Where an account stands now; called with every status that is written."""
        segment, has_left = self.segment(standing.segment), standing.lifecycle == "churned"
        now = (
            "churned" if has_left else standing.zone,
            standing.lifecycle,
            segment,
            None if has_left else standing.score,
        )
        accounts = self._standings.setdefault(partition, {})
        before = accounts.get(account_id)
        if before == now:
            return
        accounts[account_id] = now
        if before is not None:
            self._add(before, -1)
        self._add(now, 1)

    def remove(self, partition: int, account_id: str) -> None:
        """An account that is gone."""
        before = self._standings.get(partition, {}).pop(account_id, None)
        if before is not None:
            self._add(before, -1)

    def forget(self, partition: int) -> None:
        """All accounts of a partition."""
        for standing in self._standings.pop(partition, {}).values():
            self._add(standing, -1)

    def _add(self, standing: tuple[str, str, str, float | None], number: int) -> None:
        zone, lifecycle, segment, score = standing
        self._zones[zone, segment] += number
        self._lifecycles[lifecycle, segment] += number
        if score is not None:
            bucket = next((top for top in SCORE_BUCKETS if score <= top), SCORE_BUCKETS[-1])
            self._scores[bucket] += number
            self._sum += number * score

    def segment(self, name: str | None) -> str:
        """The label of a segment."""
        if name is None:
            return NO_SEGMENT
        if name not in self._segments:
            if len(self._segments) >= MAX_SEGMENTS:
                return OTHER_SEGMENT
            self._segments.add(name)
        return name

    def collect(self) -> Iterator[GaugeMetricFamily | GaugeHistogramMetricFamily]:
        """What a scrape reads; called by the server's thread, hence the copies."""
        zones = GaugeMetricFamily(
            "pulse_accounts",
            "Accounts by zone; those that have left are `churned`.",
            labels=["zone", "segment"],
        )
        for labels, number in dict(self._zones).items():
            zones.add_metric(labels, number)
        yield zones
        stages = GaugeMetricFamily(
            "pulse_accounts_by_lifecycle",
            "Accounts by lifecycle.",
            labels=["lifecycle", "segment"],
        )
        for labels, number in dict(self._lifecycles).items():
            stages.add_metric(labels, number)
        yield stages
        scores, total = dict(self._scores), 0
        buckets: list[tuple[str, float]] = []
        for top in SCORE_BUCKETS:
            total += scores.get(top, 0)
            buckets.append((str(float(top)), total))
        buckets.append(("+Inf", total))
        yield GaugeHistogramMetricFamily(
            "pulse_score",
            "Scores as they are now, of the accounts that have not left.",
            buckets=buckets,
            gsum_value=self._sum if total else 0.0,
        )


class Clocks(Collector):
    """How old the largest tick of each partition is, measured when it is asked for."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._ticks: dict[int, float] = {}

    def tick(self, partition: int, at_s: float) -> None:
        """The largest tick of a partition, in Unix seconds.

        Where who plays the events writes the ticks (`clock: events`), pass the time at which the
        tick came: event time is as old as the history.
        """
        self._ticks[partition] = at_s

    def forget(self, partition: int) -> None:
        """A partition that another worker has from now on."""
        self._ticks.pop(partition, None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What a scrape reads."""
        ages = GaugeMetricFamily(
            "pulse_tick_age_seconds", "Age of the partition's largest tick.", labels=["partition"]
        )
        now_s = self._now_s()
        for partition, at_s in dict(self._ticks).items():
            ages.add_metric([str(partition)], max(now_s - at_s, 0.0))
        yield ages


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """A `/metrics` that is being served."""

    host: str
    port: int
    _server: WSGIServer
    _thread: Thread

    @property
    def url(self) -> str:
        """What Prometheus scrapes."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/metrics"

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(
    host: str,
    port: int,
    registry: CollectorRegistry,
    *,
    setting: str = "worker.metrics_port",
    health: Health | None = None,
) -> MetricsServer:
    """Serve a registry on `host:port` (0: any free port) in a thread of its own.

    With `health` also `/healthz` and `/readyz`.

    Raises `PulseError` where that cannot be, naming the `setting` that says otherwise.
    """
    # They double the page, and nothing reads them.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the client has none
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise PulseError(
            f"cannot serve metrics on {host}:{port}: {(error.strerror or str(error)).lower()}",
            hint=f"set {setting} to a free port",
        ) from None
    if health is not None:
        server.set_app(beside(server.get_app(), health))  # type: ignore[arg-type]  # None before
    return MetricsServer(host, server.server_port, server, thread)


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
