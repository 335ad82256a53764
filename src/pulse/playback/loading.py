"""A load into topics on which workers run: its name, what of it is there, what it may hold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pulse.engine import control
from pulse.engine.admission import LATE_MS
from pulse.engine.columns import LOAD_HEADER
from pulse.engine.loading import PATIENCE_MS
from pulse.errors import PulseError
from pulse.model.time import format_ms
from pulse.playback.clock import current_tick_ms, load_marks

if TYPE_CHECKING:
    from pulse.config import Kafka

EVERY_LINES: Final = 20_000
EVERY_S: Final = 60.0
"""So often it is said in every partition that a load goes on, and how far it is."""

_MARGIN_MS: Final = 300_000
"""For so long an event may be under way until a worker compares it with the clock."""


class Load:
    """A load that is under way. `lines` of its files are sent, or were not to be."""

    def __init__(self, name: str, lines: int, clock_ms: int) -> None:
        self.name = name
        self.headers = [(LOAD_HEADER, name.encode())]
        self.there = lines
        """What Kafka had of it when it began to go on."""
        self.lines = 0
        self._oldest_ms = clock_ms - LATE_MS + _MARGIN_MS
        self._begun_s = self._said_s = time.monotonic()
        self._said_lines = lines

    @classmethod
    def begin(cls, kafka: Kafka, now_ms: int) -> Load:
        """A new load. Raises `PulseError` where nobody ticks, so that there is no live system."""
        return cls(f"load-{format_ms(now_ms)}", 0, _clock_ms(kafka))

    @classmethod
    def resume(cls, kafka: Kafka, now_ms: int) -> Load:
        """The load that was interrupted last. Raises `PulseError` where there is none any more."""
        clock_ms, topic = _clock_ms(kafka), kafka.topics.events
        found = [load_marks(kafka, number) for number in range(kafka.partitions)]
        last = found[0][-1] if found[0] else None
        if last is None:
            raise PulseError(f"there is no load in {topic}", hint="begin one without --resume")
        # In the first partition stands last that it has ended.
        if last.ended:
            raise PulseError(f"the load {last.load} in {topic} has ended")
        marks = [[each for each in marks if each.load == last.load] for marks in found]
        lines = min(each[-1].lines if each else 0 for each in marks)
        if now_ms - min(each[-1].at_ms for each in marks if each) >= PATIENCE_MS - _MARGIN_MS:
            raise PulseError(
                f"the load {last.load} was interrupted more than a day ago, and so has ended; "
                f"the first {lines:,} lines of its files are there",
                hint="load the lines after them as a load of their own",
            )
        return cls(last.load, lines, clock_ms)

    def is_there(self) -> bool:
        """Take the next line of the files; whether Kafka has it already."""
        self.lines += 1
        return self.lines <= self.there

    def is_too_old(self, at_ms: int | None) -> bool:
        """Whether an event would be refused as too late, as the clock goes on meanwhile."""
        passed_ms = int(1000 * (time.monotonic() - self._begun_s))
        return at_ms is not None and at_ms < self._oldest_ms + passed_ms

    def mark(self) -> control.ControlRecord:
        """What says in every partition that it goes on."""
        self._said_s, self._said_lines = time.monotonic(), max(self.lines, self.there)
        return control.load(self.name, self._said_lines)

    def is_due(self) -> bool:
        """Whether that is to be said again."""
        if self.lines - self._said_lines >= EVERY_LINES:
            return True
        return time.monotonic() - self._said_s >= EVERY_S

    def end(self) -> control.ControlRecord:
        """What says that it has ended."""
        return control.loaded(self.name, self.lines)


def _clock_ms(kafka: Kafka) -> int:
    clock_ms = current_tick_ms(kafka)
    if clock_ms is None:
        raise PulseError(
            f"nobody ticks in {kafka.topics.events}, so there is no live system to load into",
            hint="--history plays the past into new topics; else start a worker first",
        )
    return clock_ms
