"""Trend: the last week against the account's own four weeks before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.measures import NO_TREND
from pulse.engagement.windows import KEPT_DAYS, W7, W28

if TYPE_CHECKING:
    from pulse.engagement.account import Account, Activity
    from pulse.engagement.holidays import Holidays

_BACK_DAYS: Final = W7 + W28


def trend(
    account: Account, week: int, day: int, holidays: Holidays | None, rule: Activity
) -> float:
    """Events of the last week over those of a usual one, as of a `day` up to 28 days back.

    `week` are the events (10**-6) over 7 days, as `Measures` have them: the larger of the last 7
    complete days and of the 7 that end today, so that growth shows at once. A usual week is the
    average of the four before those 7 complete days, so each day of the week is there as often. It
    is fixed at the start of the day: what came late today does not count in it. So more use on the
    same day can only raise the trend, and a fall is seen at a day's start.

    Holidays, and days that were not observed, make both spans so much shorter.

    `NO_TREND` where the account was not used 35 to 92 days back, so that its four weeks are not
    whole (one that comes back begins again); where it had nothing in the four weeks, or less than a
    window of 28 days must have; and where a span has holidays only.
    """
    today = account.calendar.day
    first, end = day - _BACK_DAYS, day - W7
    # The ring has 92 days before the day that is "then".
    oldest = day - KEPT_DAYS
    before = account.events.over(first, end, today)
    if before <= 0:
        return NO_TREND
    known = account.events.over(oldest, first + 1, today)
    value, least = 0, rule.windows[1]
    if least is not None:
        value = account.value.over(first, end, today)
    for late in account.late or []:
        if late.noticed >= day:
            if first <= late.day < end:
                before -= late.events
                value -= late.value
            if oldest <= late.day <= first:
                known -= late.events
    if before <= 0 or known <= 0:
        return NO_TREND
    if least is not None and (before < least[0] or value < least[1]):
        return NO_TREND
    days, days_before = W7, W28
    if holidays is not None:
        days -= holidays.between(end, day)
        days_before -= holidays.between(first, end)
        if not days or not days_before:
            return NO_TREND
    return float(week * days_before) / float(before * days)
