"""How many events a second a source may send."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from pulse.collector.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

BURST_S = 10
"""A source may send at once what it may send in so long."""


class Rates:
    """A bucket for each source, which fills at `rate` events a second.

    A request is taken while its source's bucket is not empty, and empties it, also below nothing:
    so that a large batch is taken at all, and is paid for before the next.

    >>> clock = iter([0.0, 0.0, 1.0, 9.0]).__next__
    >>> rates = Rates(10, clock)
    >>> rates.take("web", 150)
    >>> rates.take("web", 1)
    Traceback (most recent call last):
    pulse.refusals.Refusal: more than 10 events a second of web come in
    >>> rates.take("app", 1)
    >>> rates.take("web", 1)
    """

    def __init__(self, rate: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._now_s = now_s
        self._buckets: dict[str, tuple[float, float]] = {}
        """Source → what was in its bucket, and when."""

    def take(self, source: str, events: int) -> None:
        """Raises `Refusal` (429) where the source has sent too much."""
        now_s, full = self._now_s(), self._rate * BURST_S
        left, at_s = self._buckets.get(source, (full, now_s))
        left = min(left + (now_s - at_s) * self._rate, full)
        if left > 0:
            self._buckets[source] = left - events, now_s
            return
        raise Refusal(
            429,
            "too_fast",
            f"more than {self._rate:g} events a second of {source} come in",
            retry_after_s=math.floor(-left / self._rate) + 1,
        )
