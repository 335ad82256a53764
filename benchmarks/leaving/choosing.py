"""What is chosen on the earlier part of the time: weights, and lines beside other ways."""

from __future__ import annotations

import dataclasses
from functools import partial
from itertools import pairwise
from math import isnan
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.leaving.ways import AT_ONCE, Sight, Way, judged
from pulse.calibration.choice import AS_GOOD, Shape, quartile_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.leaving.history import Weights
    from pulse.calibration.lines import Period, Quality, Terms

LINES: Final = range(10, 88, 2)


PIECES: Final = 3
"""What holds in all of the time taken together may hold in one part of it only, and then in none
that comes later."""

Record = list["Quality"]
"""How good a way was: in all of the time, then in each of its pieces."""


class Setting(NamedTuple):
    """Weights and a line, and how good they were where they were chosen; `quartile` is the line at
    the bottom quartile of the same score, `ordinary` how good that was.
    """

    weights: Weights
    enter: float
    record: Record
    quartile: float
    ordinary: Record

    @property
    def quality(self) -> Quality:
        """In all of the time."""
        return self.record[0]


def pieces_of(period: Period) -> list[Period]:
    """All of it, and its pieces."""
    ends = [period.start + (period.end - period.start) * n // PIECES for n in range(PIECES + 1)]
    return [period, *(period._replace(start=a, end=b) for a, b in pairwise(ends))]


def tried(
    sight: Sight, settings: Sequence[Weights], shape: Shape, period: Period, terms: Terms
) -> list[Setting]:
    """Every setting with every line."""
    found, periods = [], pieces_of(period)
    for weights in settings:
        table = sight.score(weights)
        quartile = quartile_of(dataclasses.replace(sight.scores, table=table), period.end)
        way = Way("", partial(score_by, weights), quartile, shape)
        ordinary = judged(way, sight, periods, terms, table)
        for enter in map(float, LINES):
            got = judged(way._replace(enter=enter), sight, periods, terms, table)
            found.append(Setting(weights, enter, got, quartile, ordinary))
    return found


def score_by(weights: Weights, sight: Sight) -> NDArray[np.float32]:
    """The score by these weights."""
    return sight.score(weights)


def not_below(one: Quality, other: Quality) -> bool:
    """Whether it is as precise as the other, and finds as many."""
    return one.precision >= other.precision and one.recall >= (1 - AS_GOOD) * other.recall


def soonest(settings: Iterable[Setting]) -> Setting | None:
    """The one that tells soonest; of those that are equal, the most precise."""
    return max(
        settings, key=lambda each: (each.quality.lead_days, each.quality.precision), default=None
    )


def beside(settings: Iterable[Setting], other: Quality) -> Setting | None:
    """The one that tells soonest of those that are not below another way."""
    return soonest(each for each in settings if not_below(each.quality, other))


def keeps_up(one: Record, other: Record) -> bool:
    """Whether it is nowhere below the other: not in all of the time, and in no piece of it."""
    return all(
        (isnan(theirs.precision) or mine.precision >= theirs.precision)
        and (isnan(theirs.recall) or mine.recall >= (1 - AS_GOOD) * theirs.recall)
        and (isnan(theirs.lead_days) or mine.lead_days >= theirs.lead_days)
        for mine, theirs in zip(one, other, strict=True)
    )


def best(settings: Sequence[Setting], thumb: Record) -> tuple[Setting, str]:
    """The one to take, and in words of which: of those below neither the rule of thumb nor the
    bottom quartile of the same score, else of those not below the rule of thumb.
    """
    good = [each for each in settings if keeps_up(each.record, thumb)]
    both = [each for each in good if keeps_up(each.record, each.ordinary)]
    if found := soonest(both):
        return found, "that are nowhere below either rule in precision, recall and days before"
    if found := soonest(good):
        return found, (
            "that are nowhere below the rule of thumb in precision, recall and days before; each "
            "is below the quartile somewhere"
        )
    most = max(settings, key=lambda each: each.quality.f1)
    return most, "with the best F1; each is below the rule of thumb somewhere"


def line_of(
    way: Way, sight: Sight, period: Period, terms: Terms, thumb: Record
) -> tuple[Way, Quality]:
    """Another way's line, by the same rule as pulse's; where none meets it, that of the best F1."""
    table, periods = way.score(sight), pieces_of(period)
    found = [
        (each, judged(each, sight, periods, terms, table))
        for each in (way._replace(enter=enter) for enter in AT_ONCE.enters())
    ]
    good = [each for each in found if keeps_up(each[1], thumb)]
    if good:
        line, record = max(good, key=lambda each: (each[1][0].lead_days, each[1][0].precision))
    else:
        line, record = max(found, key=lambda each: each[1][0].f1)
    return line, record[0]
