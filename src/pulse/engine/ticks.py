"""The clock of played history: one function for replay, emit and demo."""

from __future__ import annotations

TICK_STEP_MS = 3_600_000
"""Ticks of played history lie on whole hours. What is due is stamped with the instant at which it
was due, so a wider step changes no result, only how many ticks the log holds."""


class HistoryClock:
    """Makes ticks from the times of the events that are played.

    A tick goes in front of the first event of a later hour. An event more than an hour beyond
    `not_after_ms` (the player's own now) moves no clock: one wrong year would else make everything
    after it late.

    >>> clock = HistoryClock(not_after_ms=1_000_000_000)
    >>> clock.before(3_600_001), clock.before(3_600_002), clock.before(10_900_000)
    (3600000, None, 10800000)
    >>> clock.last(11_000_000), clock.last(11_000_000)
    (11000000, None)
    """

    def __init__(self, not_after_ms: int) -> None:
        self._not_after_ms = not_after_ms
        self._tick_ms = -1
        self.furthest_ms: int | None = None
        """The latest time of an event so far."""

    def before(self, at_ms: int) -> int | None:
        """The tick to write before an event at `at_ms`, None if none is needed."""
        if at_ms > self._not_after_ms + TICK_STEP_MS:
            return None
        if self.furthest_ms is None or at_ms > self.furthest_ms:
            self.furthest_ms = at_ms
        return self._next(at_ms - at_ms % TICK_STEP_MS)

    def last(self, at_ms: int) -> int | None:
        """The tick that ends the play at `at_ms`."""
        return self._next(at_ms)

    def _next(self, tick_ms: int) -> int | None:
        if tick_ms <= self._tick_ms:
            return None
        self._tick_ms = tick_ms
        return tick_ms
