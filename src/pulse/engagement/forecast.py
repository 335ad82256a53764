"""When a score that falls will reach the line: a robust slope, and the days it gives.

The slope is that of Theil (1950) and Sen (1968): the median of the slopes between all pairs of day
starts, which a few odd days do not move. Its interval is Sen's, from the variance of Kendall's S as
if days were independent; those of a rolling window are not, so it is rather too narrow.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from librt.vecs import vec
from mypy_extensions import i64

from pulse.engagement.ranks import median, ranked

WINDOW_DAYS: Final = 28
"""Day starts that are looked at."""
_LEAST_DAYS: Final = 14
"""With fewer of them nothing is projected."""
_LEAST_FALL: Final = 5.0
"""A score that fell by less since the first of them is called steady."""
_Z: Final = 1.645
"""For an interval of 90 %."""


class Crossing(NamedTuple):
    """In how many days from the last day start a score reaches the line.

    `soonest` and `latest` are the ends of the 90 % interval.
    """

    days: float
    soonest: float
    latest: float
    slope: float
    """Points a day, negative."""


def may_cross(days: int, fall: float, above: float, within_days: float) -> bool:
    """Whether it is worth looking closer at a score that fell by `fall` in so many days.

    It must have fallen by 5 points, and reach the line, `above` points below it, in time at twice
    that pace.
    """
    return fall >= _LEAST_FALL and above * days <= 2.0 * fall * within_days


def crossing(scores: list[tuple[int, float]], enter: float, within_days: float) -> Crossing | None:
    """When the score reaches `enter`, if it falls for sure and does so `within_days`; else None.

    `scores` are (day, score at its start), oldest first, the last of them today's.

    >>> falling = [(day, 90.0 - 1.5 * day) for day in range(28)]
    >>> found = crossing(falling, 40.0, within_days=14)
    >>> found.days, found.slope
    (6.333333333333333, -1.5)
    >>> crossing(falling, 10.0, within_days=14) is None      # too far away
    True
    >>> crossing([(day, 60.0 + day % 3) for day in range(28)], 55.0, within_days=14) is None
    True
    """
    size = len(scores)
    if size < _LEAST_DAYS or not _falls(scores):
        return None
    slopes = _slopes(scores)
    slope = median(slopes)
    low, high = _ranks(size)
    steepest, flattest = ranked(slopes, low), ranked(slopes, high)
    last = scores[-1][0]
    level = median(vec[float]([score + slope * (last - day) for day, score in scores]))
    above = level - enter
    if above <= 0.0:
        above = 0.0
    days = above / -slope
    if days > within_days:
        return None
    return Crossing(days, above / -steepest, above / -flattest, slope)


def _ranks(size: int) -> tuple[int, int]:
    """Where Sen's interval ends among the ordered slopes of so many days: at half the pairs, give
    or take z standard deviations of Kendall's S.
    """
    spread = _Z * (size * (size - 1) * (2 * size + 5) / 18.0) ** 0.5
    pairs = size * (size - 1) // 2
    return max(0, int((pairs - spread) / 2.0)), min(pairs - 1, int((pairs + spread) / 2.0))


def _falls(scores: list[tuple[int, float]]) -> bool:
    """Whether the slope is negative for sure, which most are not: all of its interval.

    It is where more pairs of days fall than lie below the interval's upper end, and to count them
    takes a fraction of the time that ordering their slopes does.
    """
    size = len(scores)
    points = vec[float]([score for _, score in scores])
    falling, later, end = i64(0), i64(1), i64(size)
    while later < end:
        score, earlier = points[later], i64(0)
        while earlier < later:
            if points[earlier] > score:
                falling += 1
            earlier += 1
        later += 1
    return int(falling) > _ranks(size)[1]


def _slopes(scores: list[tuple[int, float]]) -> vec[float]:
    """Between all pairs of days, points a day."""
    size = len(scores)
    slopes = vec[float]([0.0] * (size * (size - 1) // 2))
    at = i64(0)
    for later in range(1, size):
        day, score = scores[later]
        for earlier in range(later):
            before_day, before = scores[earlier]
            slopes[at] = (score - before) / (day - before_day)
            at += 1
    return slopes
