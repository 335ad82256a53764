"""Usage drop: a week far below what the account's own weeks usually are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from librt.vecs import vec

from pulse.engagement.days import day_start
from pulse.engagement.measures import MICRO, decimal
from pulse.engagement.ranks import median
from pulse.signals.signal import Finding, Seen, Signal

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert
    from pulse.engagement.holidays import Holidays

REASON: Final = "usage_drop"

_WEEKS: Final = 8
_WEEK: Final = 7
_HISTORY_DAYS: Final = _WEEK * (_WEEKS + 1)
_BACK: Final = 0.8
"""At this share of a usual week the drop has ended."""
_TO_SIGMA: Final = 1.4826
"""The median absolute deviation times this estimates a standard deviation (Rousseeuw & Croux,
1993)."""


class UsageDrop(Signal):
    """The last seven complete days against the eight weeks before, each with the same weekdays.

    It begins where the last week is at least `share` below the median of those, and more than
    `deviations` robust standard deviations below it, so that an account that always goes up and
    down raises nothing. Nor does the noise of counting, the square root: with few events a week,
    half of them are soon missing. The median must be `min_events` at least (in 10**-6).

    It has ended well where a week is nearly what was usual before it began; it is settled where its
    lower weeks have become what is usual.
    """

    def __init__(self, share: float, deviations: float, min_events: int) -> None:
        super().__init__(REASON, daily=True)
        self.keeps = 1.0 - share
        self.deviations = deviations
        self.min_events = min_events

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        fixed = seen.fixed.events
        last = fixed[0]
        # The median is at most twice the mean, so this leaves out only what cannot be a drop.
        if opened is None and (
            self.keeps * 2 * (fixed[2] - last) < last * _WEEKS
            or fixed[2] - last < self.min_events * (_WEEKS // 2)
        ):
            return None
        account = seen.account
        if opened is None and (seen.stage != "current" or account.baseline_days() < _HISTORY_DAYS):
            return None
        today = account.calendar.day
        ends = range(today - _WEEK, today - _HISTORY_DAYS, -_WEEK)
        weeks: list[float] = [float(account.events.over(end - _WEEK, end, today)) for end in ends]
        if seen.holidays is not None:
            last += _missed(account, seen.holidays, today - _WEEK)
            for n, end in enumerate(ends):
                weeks[n] += _missed(account, seen.holidays, end - _WEEK)
        usual = median(vec[float](weeks))
        if opened is not None:
            if seen.is_mostly_free(_WEEK):
                return None
            since = account.calendar.day_of(opened.since_ms)
            before = [week for week, end in zip(weeks, ends, strict=True) if end <= since]
            if before and last >= _BACK * median(vec[float](before)):
                return "recovered"
            is_usual = last >= _BACK * usual or usual < self.min_events / 2
            return "settled" if is_usual or not before else None
        spread = max(
            _TO_SIGMA * median(vec[float]([abs(week - usual) for week in weeks])),
            math.sqrt(usual * MICRO),
        )
        if usual < self.min_events or last > min(
            self.keeps * usual, usual - self.deviations * spread
        ):
            return None
        percent = round(100 * (1 - last / usual))
        return Finding(
            day_start(today - _WEEK, account.calendar.timezone),
            f"was used {percent} % less than usual: {last / MICRO:g} in 7 days, "
            f"{usual / MICRO:g} in a usual week",
            {
                "events_7d": decimal(last),
                "usual_7d": usual / MICRO,
                "spread_7d": round(spread / MICRO, 2),
                "weeks_before": [decimal(int(week)) for week in weeks],
            },
        )


def _missed(account: Account, holidays: Holidays, first: int) -> int:
    """What the week that begins on `first` lacks for its holidays: on each as much as the account
    usually does on that day of the week.
    """
    today, missed = account.calendar.day, 0
    for day in range(first, first + _WEEK):
        if holidays.has(day):
            same: list[float] = [
                float(account.events.on(each, today))
                for each in range(today - _HISTORY_DAYS, today)
                if each % _WEEK == day % _WEEK and not holidays.has(each)
            ]
            if same:
                missed += max(0, int(median(vec[float](same))) - account.events.on(day, today))
    return missed
