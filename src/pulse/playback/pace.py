"""When what is played is sent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pulse.playback.emit import PlaySettings
    from pulse.playback.script import Cue

LIVE_MS: Final = 12 * 3_600_000
"""What is played live and older than that is passed over. Half of the time for which a worker
knows what it has counted: what is played again after a pause counts once."""


class Pace:
    """The pace that the settings of a play ask for; it begins with the first question.

    `now_ms` is the wall clock's, when the play begins.
    """

    def __init__(self, settings: PlaySettings, now_ms: int) -> None:
        self._settings = settings
        self._live_from_ms = now_ms - LIVE_MS
        self._started_s = time.monotonic()

    def is_past(self, cue: Cue) -> bool:
        """Whether what is played live was too long before."""
        return self._settings.live and cue.at_ms is not None and cue.at_ms < self._live_from_ms

    def due_s(self, cue: Cue, first_ms: int | None, events: int) -> float:
        """When it is time for a cue, by the monotonic clock.

        `first_ms` is the first event's time, `events` how many were sent.
        """
        rate, speed = self._settings.rate, self._settings.speed
        due_s = self._started_s
        if rate is not None and cue.line is not None:
            due_s += events / rate
        if speed is not None and cue.at_ms is not None and first_ms is not None:
            due_s = max(due_s, self._started_s + (cue.at_ms - first_ms) / 1000 / speed)
        if self._settings.live and cue.at_ms is not None:
            due_s = max(due_s, time.monotonic() + cue.at_ms / 1000 - time.time())
        return due_s
