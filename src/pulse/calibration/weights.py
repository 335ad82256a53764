"""Weights from outcomes: a regularised logistic regression on the measures of the scorecard.

What it says is checked by sign: a measure that would make leaving likelier the better it is gets no
weight. Both scorecards are compared on the later part of the time by how well they rank accounts
(area under the ROC curve).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from pulse.calibration.choice import Interval, interval_of
from pulse.calibration.scores import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pulse.calibration.lines import Period, Terms
    from pulse.calibration.scores import DayScores

RESAMPLES: Final = 200
WEIGHTS_SUM: Final = 100.0


@dataclass(frozen=True)
class Labelled:
    """Account days of a period of which the outcome is known."""

    account: NDArray[np.int64]
    day: NDArray[np.int64]
    shares: NDArray[np.float32]
    leaves: NDArray[np.bool_]
    """Whether a leaving follows, after the notice and within the horizon."""


def labelled(scores: DayScores, period: Period, terms: Terms) -> Labelled:
    """The sampled days of a period with what came after them."""
    samples = scores.samples
    known = np.where(scores.churned < period.known_until, scores.churned, NEVER)
    before = known[samples.account] - samples.day
    # As for alerts: where the outcomes end within the horizon, only leavings would be known.
    until = min(period.end, period.known_until - terms.horizon_days)
    wanted = (samples.day >= period.start) & (samples.day < until) & (before >= terms.notice_days)
    leaves = before <= terms.horizon_days
    return Labelled(
        samples.account[wanted], samples.day[wanted], samples.shares[wanted], leaves[wanted]
    )


@dataclass(frozen=True)
class Auc:
    """How well a score ranks: the chance that who leaves has a lower one than who stays."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Proposal:
    """Weights for a scorecard, and whether they are better.

    `turned` are the measures whose sign was against all sense. `now` and `then` say how well the
    present scorecard and the proposed one rank the later part of the time.
    """

    weights: Mapping[str, float]
    turned: tuple[str, ...]
    now: Auc
    then: Auc
    gain: Interval | None
    """Of the difference, over resampled accounts."""


def propose(
    scores: DayScores,
    weights: Mapping[str, float],
    earlier: Period,
    later: Period,
    terms: Terms,
    seed: int = 1,
) -> Proposal | None:
    """Weights for the rules of `weights`; None where nothing can be learnt."""
    known, tested = labelled(scores, earlier, terms), labelled(scores, later, terms)
    if len(set(known.leaves.tolist())) < 2 or len(set(tested.leaves.tolist())) < 2:
        return None
    rules = scores.samples.rules
    model = LogisticRegression(C=1.0, max_iter=1_000).fit(_filled(known.shares), known.leaves)
    slopes = -model.coef_[0]
    usable = np.clip(slopes, 0.0, None)
    if not usable.sum():
        return None
    proposed = usable / usable.sum() * WEIGHTS_SUM
    present = np.array([weights[name] for name in rules], float)
    scored = [_score(tested.shares, each) for each in (present, proposed)]
    chance = np.random.default_rng(seed)
    drawn = np.array(
        [
            [_auc(tested, each, rows) for each in scored]
            for rows in resampled(tested.account, chance)
        ]
    )
    return Proposal(
        {name: round(float(weight), 1) for name, weight in zip(rules, proposed, strict=True)},
        tuple(name for name, slope in zip(rules, slopes, strict=True) if slope < 0),
        Auc(_auc(tested, scored[0]), interval_of(drawn[:, 0])),
        Auc(_auc(tested, scored[1]), interval_of(drawn[:, 1])),
        interval_of(drawn[:, 1] - drawn[:, 0]),
    )


def _filled(shares: NDArray[np.float32]) -> NDArray[np.float64]:
    """Where a measure has no data, its mean: it says nothing either way."""
    filled = shares.astype(np.float64)
    means = np.nan_to_num(np.nanmean(filled, axis=0))
    return np.where(np.isnan(filled), means, filled)


def _score(shares: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `Scorecard`: what has no data gives its weight to the others."""
    has = np.isfinite(shares)
    total = (has * weights).sum(axis=1)
    got: NDArray[np.float64] = np.nansum(shares * weights, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, 100.0 * got / total, 0.0)


def _auc(
    tested: Labelled, score: NDArray[np.float64], rows: NDArray[np.intp] | slice = slice(None)
) -> float:
    leaves = tested.leaves[rows]
    if leaves.all() or not leaves.any():
        return float("nan")
    return float(roc_auc_score(leaves, -score[rows]))


def resampled(account: NDArray[np.int64], chance: np.random.Generator) -> list[NDArray[np.intp]]:
    """Rows of accounts drawn with replacement: days of one account are no independent news."""
    order = np.argsort(account, kind="stable")
    accounts, starts = np.unique(account[order], return_index=True)
    pieces = np.split(order, starts[1:])
    return [
        np.concatenate([pieces[n] for n in chance.integers(0, len(accounts), len(accounts))])
        for _ in range(RESAMPLES)
    ]
