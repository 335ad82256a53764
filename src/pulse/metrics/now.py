"""What is measured when it is asked for: how old ticks are, and what came last of each source."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

MAX_SOURCES: Final = 50
"""Sources that have a label of their own; of later ones nothing is shown."""


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


class Sources(Collector):
    """When an event of each source came last, and which sources are taken to have stopped.

    A worker knows of the events in its own partitions: over several workers, the smallest age.
    """

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._known: dict[str, tuple[float, bool]] = {}

    def note(self, heard_s: Mapping[str, float], stopped: Collection[str]) -> None:
        """What is known now: the Unix seconds of each source's last event, and who stopped."""
        kept = [name for name in self._known if name in heard_s or name in stopped]
        new = sorted({*heard_s, *stopped} - {*kept})
        self._known = {
            name: (heard_s.get(name, 0.0), name in stopped) for name in (kept + new)[:MAX_SOURCES]
        }

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What a scrape reads."""
        ages = GaugeMetricFamily(
            "pulse_source_age_seconds",
            "Since an event of the source came, in the last day.",
            labels=["source"],
        )
        stopped = GaugeMetricFamily(
            "pulse_source_stopped",
            "1 while the source is taken to have stopped.",
            labels=["source"],
        )
        now_s = self._now_s()
        for name, (heard_s, is_stopped) in self._known.items():
            if heard_s:
                ages.add_metric([name], max(now_s - heard_s, 0.0))
            stopped.add_metric([name], float(is_stopped))
        yield from (ages, stopped)
