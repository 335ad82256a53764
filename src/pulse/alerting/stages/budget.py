"""How many alerts an owner is told of in a week. The others that go on are told in a digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pulse.alerting.stages.hours import next_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pulse.alerting.brief import Brief

WEEK_MS: Final = 7 * 86_400_000

_DAY_MS: Final = 86_400_000
_NEAR_DAYS: Final = 90.0
"""A renewal that far away counts half of one that is today."""
_UNKNOWN_DAYS: Final = 365.0


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `weekly` alerts of an owner in any seven days; None: as many as there are.

    What is over is told at the `digest_minute` of the day, on the weekdays (0: Monday; every day,
    where none is said), in the receiver's time zone.
    """

    weekly: int | None = None
    digest_minute: int = 9 * 60
    digest_weekdays: tuple[int, ...] = ()

    def digest_at(self, at_ms: int, timezone: str) -> int:
        """When the next digest is due after an instant."""
        return next_time(at_ms, self.digest_minute, self.digest_weekdays, timezone)

    def sift(
        self, briefs: Iterable[Brief], spent: Mapping[str, int], now_ms: int
    ) -> tuple[list[Brief], list[Brief]]:
        """Of one owner's alerts those that may be told now, the worst first, and those over it.

        `spent`: which alerts were told, and when. One of these costs nothing more.
        """
        ordered = sorted(briefs, key=lambda each: rank(each, now_ms))
        if self.weekly is None:
            return ordered, []
        left = self.weekly - sum(1 for at_ms in spent.values() if at_ms > now_ms - WEEK_MS)
        told: list[Brief] = []
        over: list[Brief] = []
        for each in ordered:
            is_new = spent.get(each.id, -WEEK_MS) <= now_ms - WEEK_MS
            if is_new and left <= 0:
                over.append(each)
            else:
                left -= is_new
                told.append(each)
        return told, over


def rank(brief: Brief, now_ms: int) -> tuple[float, float, str]:
    """The worst first: by MRR x risk x nearness of the renewal; without MRR by the other two."""
    return *at_stake(brief.mrr, brief.risk, brief.renewal_ms, now_ms), brief.id


def at_stake(mrr: float, risk: float, renewal_ms: int | None, now_ms: int) -> tuple[float, float]:
    """What sorts the most at stake first: MRR x risk x nearness, then the last two, negative.

    >>> at_stake(1_000.0, 0.6, 0, 0), at_stake(1_000.0, 0.6, 90 * 86_400_000, 0)
    ((-600.0, -0.6), (-300.0, -0.3))
    """
    weight = risk * nearness(renewal_ms, now_ms)
    return -mrr * weight, -weight


def nearness(renewal_ms: int | None, now_ms: int) -> float:
    """1 where the renewal is today, a half in 90 days; one that is unknown or past counts as a year
    away.

    >>> nearness(0, 0), nearness(90 * 86_400_000, 0), round(nearness(None, 0), 2)
    (1.0, 0.5, 0.2)
    """
    days = _UNKNOWN_DAYS
    if renewal_ms is not None and renewal_ms >= now_ms - _DAY_MS:
        days = max(renewal_ms - now_ms, 0) / _DAY_MS
    return _NEAR_DAYS / (_NEAR_DAYS + days)
