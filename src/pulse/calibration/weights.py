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

from pulse.calibration.choice import LEAST_CHURNED, Interval, interval_of
from pulse.calibration.scores import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pulse.calibration.lines import Period, Terms
    from pulse.calibration.scores import DayScores

RESAMPLES: Final = 200
WEIGHTS_SUM: Final = 100.0


@dataclass(frozen=True)
class Labelled:
    """Account days of a period of which the outcome is known."""

    account: NDArray[np.intp]
    """Its number: days of one account are no independent news."""
    stay: NDArray[np.int64]
    """The column of the stay in `DayScores.table`."""
    day: NDArray[np.int64]
    shares: NDArray[np.float32]
    leaves: NDArray[np.bool_]
    """Whether a leaving follows, after the notice and within the horizon."""


def labelled(scores: DayScores, period: Period, terms: Terms) -> Labelled:
    """The sampled days of a period with what came after them."""
    samples = scores.samples
    known = np.where(scores.churned < period.known_until, scores.churned, NEVER)
    before = known[samples.stay] - samples.day
    # As for alerts: where the outcomes end within the horizon, only leavings would be known.
    until = min(period.end, period.known_until - terms.horizon_days)
    wanted = (samples.day >= period.start) & (samples.day < until) & (before >= terms.notice_days)
    wanted &= before > 0
    leaves = before <= terms.horizon_days
    stay = samples.stay[wanted]
    return Labelled(
        scores.accounts[stay], stay, samples.day[wanted], samples.shares[wanted], leaves[wanted]
    )


@dataclass(frozen=True)
class Auc:
    """How well a score ranks: the chance that who leaves has a lower one than who stays."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Proposal:
    """Weights for a scorecard, and whether they are better.

    `turned` are the measures whose sign was against all sense, `without_data` those of which
    nothing is known; they keep their weight. `now` and `then` say how well the present scorecard
    and the proposed one rank the later part of the time.
    """

    weights: Mapping[str, float]
    turned: tuple[str, ...]
    without_data: tuple[str, ...]
    now: Auc
    then: Auc
    gain: Interval | None
    """Of the difference, over resampled accounts."""
    adds: Mapping[str, float]
    """What each measure adds to the others: the AUC on the later part less that without it."""


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
    leavers = len(np.unique(known.account[known.leaves]))
    if leavers < LEAST_CHURNED or any(len(np.unique(each.leaves)) < 2 for each in (known, tested)):
        return None
    rules = scores.samples.rules
    has_data = np.atleast_1d(np.isfinite(known.shares).any(axis=0))
    slopes, turned = _slopes(known, has_data)
    if not slopes.sum():
        return None
    # A measure without data keeps its weight: nothing is known of it.
    kept = {name: weights[name] for n, name in enumerate(rules) if not has_data[n]}
    proposed = slopes / slopes.sum() * (WEIGHTS_SUM - min(sum(kept.values()), WEIGHTS_SUM / 2))
    proposed = np.where(has_data, proposed, [kept.get(name, 0.0) for name in rules])
    present = np.array([weights[name] for name in rules], float)
    scored = [_score(tested.shares, each) for each in (present, proposed)]
    chance = np.random.default_rng(seed)
    drawn = np.array(
        [
            [auc(tested.leaves[rows], each[rows]) for each in scored]
            for rows in resampled(tested.account, chance)
        ]
    )
    return Proposal(
        {name: round(float(weight), 1) for name, weight in zip(rules, proposed, strict=True)},
        tuple(name for n, name in enumerate(rules) if turned[n]),
        tuple(kept),
        Auc(auc(tested.leaves, scored[0]), interval_of(drawn[:, 0])),
        Auc(auc(tested.leaves, scored[1]), interval_of(drawn[:, 1])),
        interval_of(drawn[:, 1] - drawn[:, 0]),
        _adds(tested, rules, present),
    )


def _slopes(
    known: Labelled, usable: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How much each measure keeps accounts, 0 where it is the other way; and which those are.

    Each account weighs the same, however many of its days there are: they are no independent news,
    and the regularisation shall know how many accounts speak.
    """
    usable, turned = usable.copy(), np.zeros(len(usable), bool)
    _, place, days = np.unique(known.account, return_inverse=True, return_counts=True)
    filled, weight = _filled(known.shares), 1.0 / days[place]
    while usable.any():
        model = LogisticRegression(C=1.0, max_iter=1_000)
        model.fit(filled[:, usable], known.leaves, sample_weight=weight)
        slopes = np.zeros(len(usable))
        slopes[usable] = -model.coef_[0]
        if (slopes >= 0).all():
            return slopes, turned
        # Without the one that is most against all sense the others may be right.
        worst = int(slopes.argmin())
        usable[worst], turned[worst] = False, True
    return np.zeros(len(usable)), turned


def _adds(tested: Labelled, rules: Sequence[str], weights: NDArray[np.float64]) -> dict[str, float]:
    whole = auc(tested.leaves, _score(tested.shares, weights))
    return {
        name: whole - auc(tested.leaves, _score(tested.shares, _without(weights, n)))
        for n, name in enumerate(rules)
    }


def _without(weights: NDArray[np.float64], place: int) -> NDArray[np.float64]:
    left = weights.copy()
    left[place] = 0.0
    return left


def _filled(shares: NDArray[np.float32]) -> NDArray[np.float64]:
    """Where a measure has no data, its mean: it says nothing either way."""
    filled = shares.astype(np.float64)
    has = np.isfinite(filled)
    means = np.nansum(filled, axis=0) / np.maximum(has.sum(axis=0), 1)
    return np.where(has, filled, means)


def _score(shares: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `Scorecard`: what has no data gives its weight to the others."""
    has = np.isfinite(shares)
    total = (has * weights).sum(axis=1)
    got: NDArray[np.float64] = np.nansum(shares * weights, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, 100.0 * got / total, 0.0)


def auc(leaves: NDArray[np.bool_], score: NDArray[np.floating]) -> float:
    """The area under the ROC curve: the chance that of two entries, one of which leaves, that one
    has the lower score; equal scores count as half. NaN where all leave or none does.

    As scikit-learn's `roc_auc_score`, which takes most of its time to check what it is given, and
    here it would be called for each of the resamples.

    >>> auc(np.array([True, False, False]), np.array([20.0, 20.0, 50.0]))
    0.75
    """
    scores, place = np.unique(score, return_inverse=True)
    leaving = np.bincount(place[leaves], minlength=len(scores))
    staying = np.bincount(place[~leaves], minlength=len(scores))
    pairs = leaving.sum() * staying.sum()
    higher = staying.sum() - staying.cumsum()
    return float((leaving * (higher + staying / 2)).sum() / pairs) if pairs else float("nan")


def resampled(account: NDArray[np.intp], chance: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Rows of accounts drawn with replacement: days of one account are no independent news."""
    order = np.argsort(account, kind="stable")
    accounts, starts = np.unique(account[order], return_index=True)
    pieces = np.split(order, starts[1:])
    for _ in range(RESAMPLES):
        drawn = chance.integers(0, len(accounts), len(accounts))
        yield np.concatenate([pieces[n] for n in drawn])
