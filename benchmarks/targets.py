"""What was promised, and whether a run reached it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.results import Results


def number(value: float) -> str:
    """Three digits that count, or all before the point.

    >>> number(0.01234), number(96_348.2)
    ('0.0123', '96,348')
    """
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


@dataclass(frozen=True, slots=True)
class Target:
    """A number with the least that must be reached, and what is aimed at."""

    title: str
    floor: float
    stretch: float
    unit: str
    is_more_better: bool = False

    def worded(self, value: float) -> str:
        """The number with its unit."""
        return f"{number(value)} {self.unit}".strip()

    def verdict(self, value: float) -> str:
        """Which of the two the value reaches."""
        for word, bound in (("stretch", self.stretch), ("floor", self.floor)):
            if value >= bound if self.is_more_better else value <= bound:
                return word
        return "**no**"


@dataclass(frozen=True, slots=True)
class Reached:
    """A target and what was measured."""

    target: Target
    value: float

    @property
    def verdict(self) -> str:
        """Which bound is reached."""
        return self.target.verdict(self.value)


_RATIOS = (
    ("pulse", "hand-durable", "one event a message, of the durable hand loop", 0.5, 1.0),
    ("pulse", "bytewax", "… of Bytewax", 1.5, 3.0),
    ("pulse", "faust", "… of plain Faust", 25.0, 50.0),
    ("pulse-batch", "dict", "batches, of decode and dict state without Kafka", 0.4, 1.0),
    ("engine", "engine-plain", "the engine, of the engine without signals", 1 / 1.5, 1.0),
)

_COLLECTED = (
    (1, "the collector, of an empty server, one event a request", 0.4, 0.7),
    (100, "… 100 events a request", 0.25, 0.5),
)


def reached(results: Results) -> Iterator[Reached]:
    """Every target that the run has a number for."""
    if results.speed is not None:
        for name, to, title, floor, stretch in _RATIOS:
            ratio = results.speed.ratio(name, to)
            if ratio is not None:
                yield Reached(Target(title, floor, stretch, "times", is_more_better=True), ratio)
    if results.collector is not None:
        for batch, title, floor, stretch in _COLLECTED:
            share = results.collector.share(batch)
            if share is not None:
                yield Reached(Target(title, floor, stretch, "times", is_more_better=True), share)
    yield from _of_notifier(results)
    if (web := results.web) is not None:
        title = f"Today's first page, {web.accounts:,} accounts and {web.days} days"
        yield Reached(Target(title, 0.3, 0.1, "s"), web.first.p50_s)
        yield Reached(Target("… the slowest of the pages", 0.3, 0.15, "s"), web.slowest.p50_s)
    scale = results.scale
    if scale is None:
        return
    for title, floor, stretch, unit, value in (
        ("memory an account, 10 events a day", 2048, 600, "bytes", scale.account_bytes),
        ("changelog bytes an input byte, the job", 2, 0.5, "", scale.changelog_ratio),
        ("changelog bytes an input byte, all in turn", 2, 0.5, "", scale.in_turn_changelog_ratio),
        ("tick with nothing due", 1, 0.2, "ms", scale.idle_tick_ms),
        ("tick with 1,000 due", 100, 10, "ms", scale.busy_tick_ms),
        ("`kill -9` to caught up", 30, 5, "s", scale.recovery_s),
        ("due → webhook, p99 at half load", 2, 0.5, "s", scale.webhook_p99_s),
        ("cost an event at the most accounts, of that at 1,000", 2, 1.3, "times", scale.growth),
    ):
        if value is not None:
            yield Reached(Target(title, floor, stretch, unit), value)


def _of_notifier(results: Results) -> Iterator[Reached]:
    if results.notifier is None:
        return
    latency = results.notifier.latency
    title = f"alert on the topic → webhook, p99 at {latency.a_second:.0f} a second"
    yield Reached(Target(title, 0.5, 0.1, "s"), latency.p99_s)
    for burst in results.notifier.bursts:
        title = f"{burst.alerts:,} alerts at once, {burst.way}: memory beyond what is kept"
        yield Reached(Target(title, 64, 32, "MB"), burst.beyond_mb)
        yield Reached(Target("… what is kept of an alert", 4096, 2048, "bytes"), burst.kept_bytes)
