"""Measures that are made only where a scorecard has them, so that they cost others nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.engagement.measures import NOT_COUNTED
from pulse.engagement.trend import trend

if TYPE_CHECKING:
    from pulse.engagement.account import Account, Activity, Row
    from pulse.engagement.holidays import Holidays
    from pulse.engagement.measures import Measures
    from pulse.engagement.scorecard import Scorecard
    from pulse.engagement.windows import Triple


def measure_more(
    account: Account,
    now: Measures,
    scorecard: Scorecard,
    holidays: Holidays | None,
    rule: Activity,
) -> None:
    """Add to measures as of an instant of today what the scorecard has besides."""
    today = account.calendar.day
    if scorecard.has_trend:
        now.trend = trend(account, now.events[0], today, holidays, rule)
    if scorecard.key_features is not None:
        counted = scorecard.key_features.windows(account.features, today)
        now.key_features = _where_used(counted, now.events)


def row_on(
    account: Account,
    day: int,
    scorecard: Scorecard,
    holidays: Holidays | None,
    rule: Activity,
) -> Row | None:
    """What was measured at the start of a day (`Account.row_on`), with the trend.

    Which key features were used by then is not known any more.
    """
    row = account.row_on(day, rule)
    if row is not None and scorecard.has_trend:
        row.measures.trend = trend(account, row.measures.events[0], day, holidays, rule)
    return row


def _where_used(counted: Triple, events: Triple) -> Triple:
    """A window below its minimum counts as empty; its events say so."""
    if counted == NOT_COUNTED:
        return counted
    a, b, c = counted
    return (a if events[0] else 0, b if events[1] else 0, c if events[2] else 0)
