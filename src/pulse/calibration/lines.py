"""What a line would have found, missed and cost.

An alert is *right* if its account left within the horizon after it, and not before somebody could
do something: not sooner than the notice. It is *wrong* if the account was still there at the end of
the horizon. It is not judged where it came too late, nor where the outcomes end within the horizon:
of those, only the right ones would be known. An account that left is *found* if one of its alerts
was right. One that left and came back has several stays, and each is judged by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pulse.calibration.scores import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pulse.calibration.scores import DayScores


class Alerts(NamedTuple):
    """Alerts, one an entry: the column of the stay, and the row of the day."""

    stay: NDArray[np.intp]
    day: NDArray[np.intp]


class Period(NamedTuple):
    """Days (rows) of a history from `start` on and before `end`.

    What became of accounts is known before `known_until`; who left later counts as still there.
    """

    start: int
    end: int
    known_until: int


class Terms(NamedTuple):
    """When an alert is right, in days from it to the leaving."""

    notice_days: int
    horizon_days: int


def alerts_of(scores: DayScores, enter: float, exit: float, dwell_days: int) -> Alerts:
    """The alerts of a line, in order of day and stay: as the engine's trigger gives them from
    day-start scores. `exit` is above `enter`.

    Each stay begins anew, as an account does for the engine that comes back after it has left.
    """
    stay, day, score, follows = scores.judged
    below, above = score < enter, score >= exit
    # A run: successive days on one side of the line, or between enter and exit.
    same_side = (below[1:] == below[:-1]) & (above[1:] == above[:-1])
    is_first = np.ones(len(score), bool)
    is_first[1:] = ~(same_side & follows[1:])
    first = np.flatnonzero(is_first)
    days = np.diff(first, append=len(score))
    # A run on one side that is longer than the dwell turns the stay on or off, whatever it was
    # before; so an alert is such a run below the line that comes after none or after one above.
    turning = first[(below[first] | above[first]) & (days > dwell_days)]
    on, of = below[turning], stay[turning]
    was_on = np.zeros(len(turning), bool)
    was_on[1:] = on[:-1] & (of[1:] == of[:-1])
    began = turning[on & ~was_on]
    began = began[np.argsort(day[began], kind="stable")]
    return Alerts(stay[began], day[began] + dwell_days)


@dataclass(frozen=True)
class Counts:
    """What alerts came to in one period, by stay (column).

    `alerts`, `right` and `wrong` are of the alerts of the period; `left` and `found` of the
    leavings in it, by whatever alert before.
    """

    alerts: NDArray[np.float32]
    right: NDArray[np.float32]
    wrong: NDArray[np.float32]
    left: NDArray[np.float32]
    found: NDArray[np.float32]
    lead_days: NDArray[np.float32]
    """From the first right alert to the leaving; NaN for who was not found."""


def count(alerts: Alerts, churned: NDArray[np.int32], period: Period, terms: Terms) -> Counts:
    """Compare alerts with what became of the accounts."""
    known = np.where(churned < period.known_until, churned, NEVER)
    stay, day = alerts
    before = known[stay] - day
    is_right = (before > 0) & (before >= terms.notice_days) & (before <= terms.horizon_days)
    is_wrong = before > terms.horizon_days
    inside = (day >= period.start) & (day < period.end)
    judged = inside & (day + terms.horizon_days < period.known_until)
    lead = np.full(len(known), np.nan, np.float32)
    np.fmax.at(lead, stay[is_right], before[is_right].astype(np.float32))
    left = (known >= period.start) & (known < period.end)
    lead[~left] = np.nan

    def by_stay(which: NDArray[np.bool_]) -> NDArray[np.float32]:
        return np.bincount(stay[which], minlength=len(known)).astype(np.float32)

    return Counts(
        by_stay(inside),
        by_stay(judged & is_right),
        by_stay(judged & is_wrong),
        left.astype(np.float32),
        np.isfinite(lead).astype(np.float32),
        lead,
    )


class Quality(NamedTuple):
    """How good a line is in one period. NaN where there is nothing to divide by."""

    precision: float
    """Right alerts of those that are judged."""
    recall: float
    """Leavings found of those that there were."""
    f1: float
    lift: float
    """Precision over the share of all account days that are followed by a leaving."""
    alerts_a_week: float
    lead_days: float
    """Median over the leavings found."""


def quality(counts: Counts, period: Period, base: float) -> Quality:
    """Sum up; `base` is `base_rate` of the same period."""
    right, judged = counts.right.sum(), (counts.right + counts.wrong).sum()
    precision, recall = _share(right, judged), _share(counts.found.sum(), counts.left.sum())
    leads = counts.lead_days[np.isfinite(counts.lead_days)]
    return Quality(
        precision,
        recall,
        f1_of(precision, recall),
        _share(precision, base),
        float(counts.alerts.sum()) * 7 / max(period.end - period.start, 1),
        float(np.median(leads)) if len(leads) else float("nan"),
    )


def f1_of(precision: float, recall: float) -> float:
    """The harmonic mean of both; 0 where one is 0 or there is none."""
    return 2 * precision * recall / (precision + recall) if precision > 0 and recall > 0 else 0.0


def base_rate(scores: DayScores, period: Period, terms: Terms) -> float:
    """The share of the days on which an account was judged that a leaving follows in time: the
    precision of alerts at random.
    """
    known = np.where(scores.churned < period.known_until, scores.churned, NEVER)
    stay, day, *_ = scores.judged
    until = min(period.end, period.known_until - terms.horizon_days)
    before = (known[stay] - day)[(day >= period.start) & (day < until)]
    before = before[before >= terms.notice_days]
    return _share((before <= terms.horizon_days).sum(), len(before))


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")
