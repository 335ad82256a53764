"""Where the fleet stands: accounts by zone and lifecycle, their scores, what they pay."""

from __future__ import annotations

from collections import Counter as Tally
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SEGMENTS: Final = 50
"""Segments that have a label of their own; the accounts of later ones are `other`."""

NO_SEGMENT: Final = "none"
OTHER_SEGMENT: Final = "other"

SCORE_BUCKETS: Final = tuple(range(5, 101, 5))


class Standing(NamedTuple):
    """Where one account stands. One that has left (`churned`) is in no zone any more.

    `mrr` is what it pays a month, in the currency of the profiles; 0 where nobody said it.
    """

    zone: str
    lifecycle: str
    segment: str | None
    score: float | None
    mrr: float = 0.0


class _Noted(NamedTuple):
    """The same as it is counted: sums of whole cents are exact, whatever comes and goes."""

    zone: str
    lifecycle: str
    segment: str
    score: float | None
    cents: int


class Fleet(Collector):
    """How many accounts stand where, and the distribution of their scores as of now.

    Kept up to date account by account; a scrape reads totals only, whatever the number of
    accounts.
    """

    def __init__(self) -> None:
        self._standings: dict[int, dict[str, _Noted]] = {}
        self._zones: Tally[tuple[str, str]] = Tally()
        self._lifecycles: Tally[tuple[str, str]] = Tally()
        self._cents: Tally[tuple[str, str]] = Tally()
        self._scores: Tally[int] = Tally()
        self._sum = 0.0
        self._segments: set[str] = set()

    def note(self, partition: int, account_id: str, standing: Standing) -> None:
        """Where an account stands now; called with every status that is written."""
        segment, has_left = self.segment(standing.segment), standing.lifecycle == "churned"
        now = _Noted(
            "churned" if has_left else standing.zone,
            standing.lifecycle,
            segment,
            None if has_left else standing.score,
            round(standing.mrr * 100),
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

    def _add(self, standing: _Noted, number: int) -> None:
        zone, lifecycle, segment, score, cents = standing
        self._zones[zone, segment] += number
        self._lifecycles[lifecycle, segment] += number
        self._cents[zone, segment] += number * cents
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
        mrr = GaugeMetricFamily(
            "pulse_mrr",
            "What the accounts of a zone pay a month, in the currency of the profiles.",
            labels=["zone", "segment"],
        )
        for labels, cents in dict(self._cents).items():
            mrr.add_metric(labels, cents / 100)
        yield mrr
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
