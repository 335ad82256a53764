"""How good alerts were that a replay gave, by who left."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from pulse.calibration.lines import Alerts, Period, Quality, Terms, count, quality
from pulse.calibration.scores import NEVER
from pulse.engagement.days import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pulse.calibration.outcomes import Stay


def quality_of(
    alerts: Iterable[tuple[str, int]],
    outcomes: Mapping[str, tuple[Stay, ...]],
    first_ms: int,
    last_ms: int,
    terms: Terms,
    known_until_ms: int | None = None,
) -> Quality:
    """Of alerts (account, instant in ms) over a whole history.

    Accounts without an outcome are left out, and what they did before a stay began. Outcomes are
    known before `known_until_ms`, if unsaid to the end. There is no lift: what alerts at random
    would be is not known here.
    """
    first_day, days = first_ms // DAY_MS, last_ms // DAY_MS + 1 - first_ms // DAY_MS
    until = days if known_until_ms is None else known_until_ms // DAY_MS - first_day
    begins: dict[str, list[int]] = {}
    column_of: dict[str, int] = {}
    churned: list[int] = []
    for account_id, stays in outcomes.items():
        column_of[account_id] = len(churned)
        begins[account_id] = [each.started_ms or 0 for each in stays]
        churned += [
            int(NEVER) if each.churned_ms is None else each.churned_ms // DAY_MS - first_day
            for each in stays
        ]
    found = []
    for account_id, at_ms in alerts:
        # That of the stay in which it was, or after which; before the first it says nothing.
        place = bisect_right(begins.get(account_id, ()), at_ms) - 1
        if place >= 0:
            found.append((column_of[account_id] + place, at_ms // DAY_MS - first_day))
    stay = np.array([each for each, _ in found], np.intp)
    day = np.array([each for _, each in found], np.intp)
    period = Period(0, min(days, until), until)
    counts = count(Alerts(stay, day), np.array(churned, np.int32), period, terms)
    return quality(counts, period, float("nan"))
