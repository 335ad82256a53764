"""Ways to tell who leaves: pulse's score, the rules that people use, P(alive) of BG/NBD."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from pulse.calibration.choice import Shape, interval_of
from pulse.calibration.lines import Period, Quality, Terms, alerts_of, count, quality
from pulse.calibration.scores import SAMPLE_DAYS, DayScores, Samples
from pulse.calibration.weights import labelled, resampled
from pulse.engagement.days import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.leaving.history import Seen, Weights

SILENT_DAYS: Final = 21
"""The rule of thumb: no login in three weeks."""
AT_ONCE: Final = Shape(1e-3, 0)
"""An alert on the day on which it is so, the next one when it was not so in between."""


class Habits(NamedTuple):
    """Of each day (row) and stay (column) of a table: what the rules and BG/NBD look at."""

    recency: NDArray[np.float32]
    """Days since the last event; NaN before the first."""
    repeats: NDArray[np.float32]
    """Days with an event, the first left out."""
    age: NDArray[np.float32]
    """Days since the first event."""


class Sight(NamedTuple):
    """A history up to some day, with what became of its accounts."""

    scores: DayScores
    shares: NDArray[np.float32]
    """Every measure's share of its full marks: by rule, day (row) and stay (column)."""
    habits: Habits
    """Known on the days that the line judges, so that all are held against the same."""

    def score(self, weights: Weights) -> NDArray[np.float32]:
        """The scores by other weights; every measure of these data always has data."""
        parts = np.array([weights.get(rule, 0.0) for rule in self.scores.samples.rules], np.float32)
        found: NDArray[np.float32] = np.einsum("rda,r->da", self.shares, parts * 100 / parts.sum())
        return found


def before(scores: DayScores, days: int, left_from: int) -> DayScores:
    """The first days of a history, without stays that were over on the day `left_from`."""
    columns = np.flatnonzero(scores.churned >= left_from)
    places = np.full(len(scores.ids), -1)
    places[columns] = range(len(columns))
    samples = scores.samples
    mine = (samples.day < days) & (places[samples.stay] >= 0)
    return DayScores(
        [scores.ids[n] for n in columns],
        [scores.segments[n] for n in columns],
        scores.first_day,
        scores.table[:days, columns],
        scores.churned[columns],
        Samples(samples.rules, places[samples.stay[mine]], samples.day[mine], samples.shares[mine]),
    )


def sight_of(seen: Seen, scores: DayScores) -> Sight:
    """Made of scores of which every day has its measures."""
    samples = scores.samples
    shares = np.full((len(samples.rules), *scores.table.shape), np.nan, np.float32)
    shares[:, samples.day, samples.stay] = samples.shares.T
    return Sight(scores, shares, _habits(seen, scores))


def _habits(seen: Seen, scores: DayScores) -> Habits:
    """As of the start of each day."""
    accounts, days = scores.accounts, scores.days
    columns = dict(zip(scores.ids, accounts.tolist(), strict=True))
    happened = np.zeros((days, len(columns)), bool)
    for account, day in zip(seen.account, seen.at_ms // DAY_MS - scores.first_day, strict=True):
        column = columns.get(account)
        # What was before the first day start is of the first day's past.
        if column is not None and day < days:
            happened[max(day, 0), column] = True
    last = np.full(len(columns), np.nan, np.float32)
    first, active = last.copy(), np.zeros(len(columns), np.float32)
    found = Habits(*(np.full((days, len(accounts)), np.nan, np.float32) for _ in range(3)))
    for day in range(days):
        judged = np.isfinite(scores.table[day])
        for rows, now in zip(found, (day - last, active - 1, day - first), strict=True):
            rows[day] = np.where(judged, now[accounts], np.nan)
        today = happened[day]
        last[today] = day
        first[today & np.isnan(first)] = day
        active[today] += 1
    return found


def p_alive(of: Habits, parameters: Mapping[str, float]) -> NDArray[np.float32]:
    """The chance that somebody is still a customer, by BG/NBD (Fader, Hardie and Lee 2005)."""
    r, alpha, a, b = (parameters[name] for name in ("r", "alpha", "a", "b"))
    seen_for = of.age - of.recency  # t_x: from the first event to the last
    x = of.repeats.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        odds = a / (b + np.maximum(x, 1) - 1) * ((alpha + of.age) / (alpha + seen_for)) ** (r + x)
        alive = np.where(x > 0, 1 / (1 + odds), 1.0)
    return np.where(np.isfinite(of.recency), alive, np.nan).astype(np.float32)


def fitted(of: Habits, day: int) -> dict[str, float]:
    """BG/NBD's parameters, from what was known at the start of a day of who had not left by then
    or had: of each account's last day that is known.
    """
    from lifetimes import BetaGeoFitter

    known = np.isfinite(of.age[: day + 1])
    some = known.any(axis=0)
    row = day - np.argmax(known[::-1], axis=0)
    column = np.flatnonzero(some)
    # Since then nothing happened, but time went on.
    passed = (day - row)[some]
    x, age = of.repeats[row[some], column], of.age[row[some], column] + passed
    recency = of.recency[row[some], column] + passed
    older = age > 0
    fitter = BetaGeoFitter(penalizer_coef=0.0)
    fitter.fit(x[older], np.where(x > 0, age - recency, 0.0)[older], age[older])
    return {name: float(value) for name, value in fitter.params_.items()}


class Way(NamedTuple):
    """Something that scores accounts, low where they leave, and its line."""

    name: str
    score: Callable[[Sight], NDArray[np.float32]]
    enter: float
    shape: Shape


def judged(
    way: Way,
    sight: Sight,
    periods: Sequence[Period],
    terms: Terms,
    table: NDArray[np.float32] | None = None,
) -> list[Quality]:
    """How good a way is in each period; `table` are its scores where they are at hand."""
    scores = sight.scores
    mine = dataclasses.replace(scores, table=way.score(sight) if table is None else table)
    alerts = alerts_of(mine, way.enter, way.enter + way.shape.gap, way.shape.dwell_days)
    return [
        quality(count(alerts, scores.churned, period, terms), period, float("nan"))
        for period in periods
    ]


def auc(way: Way, sight: Sight, period: Period, terms: Terms) -> str:
    """How well it ranks: on a day a week of each stay that pulse judges, as long as there is the
    notice; with an interval by resampled accounts.
    """
    days = labelled(sight.scores, period, terms)
    one = (days.day + days.stay) % SAMPLE_DAYS == 0
    value = way.score(sight)[days.day[one], days.stay[one]]
    leaves, chance = days.leaves[one], np.random.default_rng(1)
    drawn = [
        roc_auc_score(leaves[rows], -value[rows]) for rows in resampled(days.account[one], chance)
    ]
    found = interval_of(np.array(drawn))
    assert found is not None
    return f"{roc_auc_score(leaves, -value):.3f} ({found.low:.3f} to {found.high:.3f})"
