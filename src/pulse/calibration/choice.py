"""Which line to take: chosen on the earlier part of the time, looked at on the later part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from pulse.calibration.lines import Counts, Period, alerts_of, base_rate, count, quality
from pulse.errors import PulseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pulse.calibration.lines import Quality, Terms
    from pulse.calibration.scores import DayScores

LEAST_CHURNED: Final = 20
"""With fewer accounts that left, nothing can be learnt from them."""

QUARTILE: Final = 0.25
AS_GOOD: Final = 0.01
"""Recalls that differ by no more than this share are the same."""

_LOWEST, _HIGHEST = 2, 90


class Shape(NamedTuple):
    """What a line has besides its enter score."""

    gap: float
    """From enter to exit."""
    dwell_days: int

    def enters(self) -> list[float]:
        """The lines that are tried: those whose exit and approach band have room below 100.

        Raises `PulseError` where there are none.

        >>> Shape(10, 1).enters()[-1], Shape(40, 1).enters()[-1]
        (89.0, 59.0)
        """
        highest = min(_HIGHEST, int(100 - self.gap) - 1)
        if highest < _LOWEST:
            raise PulseError(
                f"{self.gap:g} points from enter to exit leave no room for a line",
                hint="choose line.enter and line.exit nearer to each other",
            )
        return [float(score) for score in range(_LOWEST, highest + 1)]


@dataclass(frozen=True, slots=True)
class Objective:
    """What a line is chosen by.

    `f1`: the best balance of precision and recall. `capacity`: most accounts found with at most
    `bound` alerts a week. `precision`: most found with at least that precision. `recall`: best
    precision with at least that recall. Of lines that find as good as the same, capacity and
    precision take the highest: it tells soonest. The others take the middle of those that are
    equal: at the edge of them chance decides.
    """

    kind: Literal["f1", "capacity", "precision", "recall"] = "f1"
    bound: float = 0.0

    def in_words(self) -> str:
        """As it stands in a line file.

        >>> Objective("capacity", 20).in_words(), Objective().in_words()
        ('capacity 20 a week', 'f1')
        """
        if self.kind == "f1":
            return "f1"
        return f"{self.kind} {self.bound:g}{' a week' if self.kind == 'capacity' else ''}"

    def choose(
        self,
        precision: NDArray[np.float64],
        recall: NDArray[np.float64],
        alerts_a_week: NDArray[np.float64],
    ) -> NDArray[np.intp]:
        """The place of the best line in the last axis, -1 where none meets the bound."""
        precision, recall = np.nan_to_num(precision), np.nan_to_num(recall)
        if self.kind == "f1":
            with np.errstate(invalid="ignore"):
                value = np.nan_to_num(2 * precision * recall / (precision + recall))
            meets = value > 0
        elif self.kind == "capacity":
            value, meets = recall, (alerts_a_week <= self.bound) & (recall > 0)
        elif self.kind == "precision":
            value, meets = recall, (precision >= self.bound) & (recall > 0)
        else:
            value, meets = precision, recall >= self.bound
        value = np.where(meets, value, -1.0)
        sooner = self.kind in ("capacity", "precision")
        good = value >= value.max(axis=-1, keepdims=True) * (1 - AS_GOOD if sooner else 1.0)
        rank = np.cumsum(good, axis=-1)
        wanted = rank[..., -1:] if sooner else (rank[..., -1:] + 1) // 2
        return np.where(meets.any(axis=-1), (rank >= wanted).argmax(axis=-1), -1)


class Interval(NamedTuple):
    """The middle 95 % of what resampled accounts gave."""

    low: float
    high: float


@dataclass(frozen=True)
class Candidate:
    """One line that was tried: its quality where it was chosen, and on the later part."""

    enter: float
    earlier: Quality
    later: Quality


@dataclass(frozen=True)
class Choice:
    """The line that was chosen, of all that were tried."""

    enter: float
    reason: Literal["objective", "too few churned", "no line meets the objective"]
    churned: tuple[int, int]
    """Accounts that left, in the earlier and the later part."""
    leavings: tuple[int, int]
    """How often they did: who came back may leave again."""
    never_judged: int
    """Of these leavings, those before which no line judged: too young, or too little data."""
    candidates: Sequence[Candidate]
    enter_interval: Interval | None = None
    precision_interval: Interval | None = None
    """Of the chosen line, on the later part."""
    recall_interval: Interval | None = None

    @property
    def is_judged(self) -> bool:
        """Whether it was known of any alert of the earlier part what came of it, by any line."""
        return any(not math.isnan(each.earlier.precision) for each in self.candidates)

    @property
    def chosen(self) -> Candidate:
        """The candidate that was chosen, or that is nearest to it."""
        return min(self.candidates, key=lambda each: abs(each.enter - self.enter))


def split_periods(
    days: int, split: int, warm_up: int, known_until: int | None = None
) -> tuple[Period, Period]:
    """The earlier part, of which only is known what was known then, and the later one, of which is
    known what the outcomes say: those before the day `known_until`, if unsaid the end.
    """
    until = days if known_until is None else known_until
    return Period(warm_up, split, split), Period(split, min(days, until), until)


def choose(
    scores: DayScores,
    shape: Shape,
    objective: Objective,
    *,
    split: int,
    terms: Terms,
    warm_up: int = 0,
    known_until: int | None = None,
    resamples: int = 500,
    seed: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> Choice:
    """Try every line. `progress` is called for each.

    `split`, `warm_up` and `known_until` are days (rows): the line is chosen on those from `warm_up`
    to `split`, and outcomes are known before `known_until`, if unsaid the end of the history.
    """
    earlier, later = split_periods(scores.days, split, warm_up, known_until)
    bases = [base_rate(scores, period, terms) for period in (earlier, later)]
    enters, tried = shape.enters(), list[Candidate]()
    counts: list[tuple[Counts, Counts]] = []
    for enter in enters:
        alerts = alerts_of(scores, enter, enter + shape.gap, shape.dwell_days)
        both = (
            count(alerts, scores.churned, earlier, terms),
            count(alerts, scores.churned, later, terms),
        )
        counts.append(both)
        tried.append(
            Candidate(enter, quality(both[0], earlier, bases[0]), quality(both[1], later, bases[1]))
        )
        progress()
    accounts = scores.accounts
    parts = [each.left > 0 for each in counts[0]]
    churned = len(np.unique(accounts[parts[0]])), len(np.unique(accounts[parts[1]]))
    leavings = int(parts[0].sum()), int(parts[1].sum())
    left = (counts[0][0].left + counts[0][1].left) > 0
    unjudged = int((left & ~np.isfinite(scores.table).any(axis=0)).sum())

    def quartile() -> float:
        return min(max(quartile_of(scores, split), enters[0]), enters[-1])

    if churned[0] < LEAST_CHURNED:
        return Choice(quartile(), "too few churned", churned, leavings, unjudged, tried)
    place = int(
        objective.choose(
            np.array([each.earlier.precision for each in tried]),
            np.array([each.earlier.recall for each in tried]),
            np.array([each.earlier.alerts_a_week for each in tried]),
        )
    )
    if place < 0:
        return Choice(quartile(), "no line meets the objective", churned, leavings, unjudged, tried)
    draws = _drawn(accounts, resamples, seed)
    drawn, precision, recall = _resample(counts, place, objective, earlier, draws)
    return Choice(
        enters[place],
        "objective",
        churned,
        leavings,
        unjudged,
        tried,
        interval_of(np.array(enters)[drawn]),
        interval_of(precision),
        interval_of(recall),
    )


def quartile_of(scores: DayScores, split: int) -> float:
    """The bottom quartile of the accounts' scores in the week before the split, 0 to 100.

    Of those that are judged then and have not left: the others would only lower it. Raises
    `PulseError` where there are none.
    """
    last = np.full(len(scores.ids), np.nan)
    for row in scores.table[max(split - 7, 0) : split]:
        np.copyto(last, row, where=np.isfinite(row))
    last = last[np.isfinite(last) & (scores.churned >= split)]
    if not len(last):
        raise PulseError(
            "no account was judged in the week before the split: there is nothing to lay a line by",
            hint="see line.min_history_days and line.min_active_days, and the times of the events",
        )
    return float(np.quantile(last, QUARTILE))


def _drawn(accounts: NDArray[np.intp], resamples: int, seed: int) -> NDArray[np.float32]:
    """How often each stay (column) is in each draw of accounts with replacement."""
    size = int(accounts.max(initial=-1)) + 1
    draws = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), resamples)
    return draws.astype(np.float32)[:, accounts]


def _resample(
    counts: Sequence[tuple[Counts, Counts]],
    place: int,
    objective: Objective,
    earlier: Period,
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Choose again on drawn accounts, each draw a row of `weights`.

    The place of the line that each draw chose, and the precision and recall of the chosen line on
    the later part. Accounts and not alerts are drawn: those of one account are no independent news.
    """

    def total(of: Callable[[Counts], NDArray[np.float32]], part: int) -> NDArray[np.float64]:
        stacked = np.stack([of(both[part]) for both in counts], axis=1)
        return (weights @ stacked).astype(np.float64)

    with np.errstate(invalid="ignore", divide="ignore"):
        right, wrong = total(lambda c: c.right, 0), total(lambda c: c.wrong, 0)
        found, left = total(lambda c: c.found, 0), total(lambda c: c.left, 0)
        weeks = max(earlier.end - earlier.start, 1) / 7
        alerts = total(lambda c: c.alerts, 0) / weeks
        chosen = objective.choose(right / (right + wrong), found / left, alerts)
        one = counts[place][1]
        later_right, later_wrong = weights @ one.right, weights @ one.wrong
        precision = later_right / (later_right + later_wrong)
        recall = (weights @ one.found) / (weights @ one.left)
    return chosen[chosen >= 0], precision.astype(np.float64), recall.astype(np.float64)


def interval_of(values: NDArray[np.float64]) -> Interval | None:
    """The middle 95 % of numbers, of those that are any."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))
