"""Whether a worker gets anywhere: it reads again, or ends, so that it is started again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pulse.errors import PulseError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping


class Halts:
    """Says which positions have stood still for longer than `after_s`, though something waits.

    >>> clock = iter([0.0, 2.0, 4.0, 5.0]).__next__
    >>> halts = Halts(3.0, clock)
    >>> halts.look({0: 17, 1: 5}), halts.look({0: 17, 1: 6}), halts.look({0: 17, 1: 6})
    ([], [], [0])
    >>> halts.look({0: 17})
    []
    """

    def __init__(self, after_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._after_s = after_s
        self._now_s = now_s
        self._standing: dict[int, tuple[int, float]] = {}

    def look(self, waiting: Mapping[int, int]) -> list[int]:
        """`waiting` holds the position of each partition that has something to read. One that is
        given back counts from now again.
        """
        now_s = self._now_s()
        halted = []
        standing = {}
        for number, position in waiting.items():
            before, since_s = self._standing.get(number, (-1, now_s))
            if before != position:
                since_s = now_s
            elif now_s - since_s > self._after_s:
                halted.append(number)
                since_s = now_s
            standing[number] = position, since_s
        self._standing = standing
        return halted


class StallWatch:
    """Sees that what is waited for comes, within `timeout_s`.

    >>> clock = iter([0.0, 9.0, 11.0, 24.0]).__next__
    >>> watch = StallWatch(10.0, clock)
    >>> watch.look("3 records wait", progress=1)
    >>> watch.look("3 records wait", progress=2)
    >>> watch.look("3 records wait", progress=2)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    pulse.errors.PulseError: nothing moved for 13 s: 3 records wait: ...
    """

    def __init__(self, timeout_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s = timeout_s
        self._now_s = now_s
        self._progress: Hashable = None
        self._moved_at_s = now_s()

    def look(self, waits_for: str | None, progress: Hashable) -> None:
        """Look, twice a second or so. `waits_for` is None where nothing is waited for.

        Raises PulseError where `progress` has been the same for too long.
        """
        now_s = self._now_s()
        if waits_for is None or progress != self._progress:
            self._progress, self._moved_at_s = progress, now_s
        elif now_s - self._moved_at_s > self._timeout_s:
            raise PulseError(
                f"nothing moved for {now_s - self._moved_at_s:.0f} s: {waits_for}",
                hint="start the worker again; nothing is lost. worker.stall_timeout_s says how "
                "long it waits",
            )
