"""How good alerts were that a replay gave, by who left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pulse.calibration.lines import Alerts, Period, Quality, Terms, count, quality
from pulse.calibration.scores import NEVER
from pulse.engagement.days import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pulse.calibration.outcomes import Outcome


def quality_of(
    alerts: Iterable[tuple[str, int]],
    outcomes: Mapping[str, Outcome],
    first_ms: int,
    last_ms: int,
    terms: Terms,
) -> Quality:
    """Of alerts (account, instant in ms) over a whole history; accounts without an outcome are left
    out. There is no lift: what alerts at random would be is not known here.
    """
    first_day = first_ms // DAY_MS
    columns = {account_id: n for n, account_id in enumerate(outcomes)}
    churned = np.full(len(columns), NEVER, np.int32)
    for column, outcome in enumerate(outcomes.values()):
        if outcome.churned_ms is not None:
            churned[column] = outcome.churned_ms // DAY_MS - first_day
    known = [
        (columns[account_id], at_ms // DAY_MS - first_day)
        for account_id, at_ms in alerts
        if account_id in columns
    ]
    account = np.array([each for each, _ in known], np.intp)
    day = np.array([each for _, each in known], np.intp)
    days = last_ms // DAY_MS + 1 - first_day
    period = Period(0, days, days)
    found = count(Alerts(account, day), churned, period, terms)
    return quality(found, period, float("nan"))
