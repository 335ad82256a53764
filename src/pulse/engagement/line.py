"""The danger line and the zones.

Two triggers with hysteresis and dwell make the zone. The *danger* trigger goes on when the score
has been below `enter` for the dwell and off when it has been at or above `exit` for the dwell;
the *approach* trigger does the same one step higher: on below `approach`, off at or above
`approach + (exit - enter)`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pulse.engagement.days import NO_INSTANT

Zone = Literal["unknown", "healthy", "approaching", "danger"]
ZONES: tuple[Zone, ...] = ("unknown", "healthy", "approaching", "danger")


@dataclass(frozen=True, slots=True)
class Line:
    """Where danger begins, in scores (0 to 100), for one segment."""

    enter: float
    exit: float
    approach: float
    dwell_ms: int
    min_history_ms: int
    """An account known for less is in no zone: too young."""
    min_active_days: int
    """An account that was active on fewer days is in no zone: too little data."""
    forecast_days: int = 0
    """An account whose scores fall so that they reach `enter` within so many days approaches."""
    quantile: float | None = None
    """The share of the fleet's scores that `enter` is to leave below it; None where it is fixed."""
    version: str = ""
    """Which line of the fleet it is; empty where it is as configured."""

    @property
    def approach_exit(self) -> float:
        """Score at which an account stops approaching: as far above as `exit` is of `enter`."""
        return self.approach + (self.exit - self.enter)

    @property
    def highest(self) -> float:
        """The highest that `enter` can be where the other scores keep their distances from it."""
        return 100.0 - (self.approach_exit - self.enter)

    def at(self, enter: float, version: str) -> Line:
        """The line with another `enter`; exit and approach keep their distances from it.

        >>> Line(40, 50, 55, 0, 0, 0).at(31.2, "fleet-2024-10-24").exit
        41.2
        """
        moved = enter - self.enter
        return replace(
            self,
            enter=enter,
            exit=round(self.exit + moved, 6),
            approach=round(self.approach + moved, 6),
            version=version,
        )


class Trigger:
    """An on/off state that follows a score with hysteresis and dwell.

    >>> t = Trigger()
    >>> t.follow(39.0, 40, 50, 1000, at_ms=0), t.on        # below, but not for long enough
    (False, False)
    >>> t.follow(39.0, 40, 50, 1000, at_ms=1000), t.on
    (True, True)
    >>> t.follow(45.0, 40, 50, 1000, at_ms=2000), t.on     # between enter and exit: stays
    (False, True)
    """

    __slots__ = ("on", "since_ms", "turning_ms")

    def __init__(self) -> None:
        self.on = False
        self.turning_ms = NO_INSTANT
        """Since when the score has been beyond what would turn the trigger."""
        self.since_ms = NO_INSTANT
        """When the score went where the present state comes from (before the dwell)."""

    def reset(self) -> None:
        """Forget everything."""
        self.on, self.turning_ms, self.since_ms = False, NO_INSTANT, NO_INSTANT

    def follow(
        self, score: float, on_below: float, off_at: float, dwell_ms: int, at_ms: int
    ) -> bool:
        """Take the score at an instant; whether the trigger turned."""
        beyond = score >= off_at if self.on else score < on_below
        if not beyond:
            self.turning_ms = NO_INSTANT
            return False
        if self.turning_ms == NO_INSTANT:
            self.turning_ms = at_ms
        if at_ms < self.turning_ms + dwell_ms:
            return False
        self.on = not self.on
        self.since_ms, self.turning_ms = self.turning_ms, NO_INSTANT
        return True

    def shift(self, score: float, on_below: float, off_at: float, at_ms: int) -> None:
        """Take other scores of the line at an instant; where they are beyond, turn at once.

        Unless the score is on its way already, and its dwell goes on.

        >>> t = Trigger()
        >>> t.shift(39.0, 40, 50, at_ms=0); t.on
        True
        """
        if self.turning_ms == NO_INSTANT and (score >= off_at if self.on else score < on_below):
            self.on, self.since_ms = not self.on, at_ms


def zone_of(danger: Trigger, approach: Trigger) -> Zone:
    """The zone that two triggers make."""
    if danger.on:
        return "danger"
    return "approaching" if approach.on else "healthy"
