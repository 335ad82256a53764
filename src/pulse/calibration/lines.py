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
    """The alerts of a line: as the engine's trigger gives them from day-start scores.

    Each stay begins anew, as an account does for the engine that comes back after it has left.
    """
    table, churned = scores.table, scores.churned
    count = table.shape[1]
    on = np.zeros(count, bool)
    turning = np.full(count, NEVER, np.int32)
    stays: list[NDArray[np.intp]] = []
    days: list[NDArray[np.intp]] = []
    for day, row in enumerate(table):
        # NaN is beyond nothing: what nobody judges stays as it is.
        beyond = np.where(on, row >= exit, row < enter) & (day < churned)
        turning[~beyond] = NEVER
        np.minimum(turning, day, out=turning, where=beyond)
        turned = beyond & (day - turning >= dwell_days)
        if turned.any():
            on ^= turned
            turning[turned] = NEVER
            began = np.flatnonzero(turned & on)
            stays.append(began)
            days.append(np.full(len(began), day))
    if not stays:
        return Alerts(np.zeros(0, np.intp), np.zeros(0, np.intp))
    return Alerts(np.concatenate(stays), np.concatenate(days))


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
    right = judged = 0
    until = min(period.end, period.known_until - terms.horizon_days)
    for day in range(period.start, until):
        before = known[np.isfinite(scores.table[day]) & (known > day)] - day
        before = before[before >= terms.notice_days]
        right += int((before <= terms.horizon_days).sum())
        judged += len(before)
    return _share(right, judged)


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")
