"""Feature abandoned: a feature that was a good part of the use is not used any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import day_start
from pulse.signals.signal import Finding, Seen, Signal

if TYPE_CHECKING:
    from pulse.engagement.account import OpenAlert

REASON: Final = "feature_abandoned"


class FeatureAbandoned(Signal):
    """A feature with at least `share` of the events was not used for `after_days` complete days.

    Of the events of the last weeks older ones count half; the feature must have `min_events`, and
    the account be used in the last seven days.
    """

    def __init__(self, after_days: int, share: float, min_events: int) -> None:
        super().__init__(REASON, daily=True)
        self.after_days = after_days
        self.share = share
        self.min_events = min_events

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        account, features = seen.account, seen.account.features
        today = account.calendar.day
        before = today - self.after_days
        if opened is None and (
            features.most(before) < self.min_events or not seen.fixed.active_days[0]
        ):
            return None
        least = max(self.share * features.events(), float(self.min_events))
        gone = [each for each in features.marks() if each.last < before and each.events >= least]
        if opened is not None:
            if gone:
                return None
            # Its name is not kept with the alert: whether it is used again, the days tell.
            since = account.calendar.day_of(opened.since_ms)
            used = any(each.last >= since and each.events >= least for each in features.marks())
            return "active_again" if used else "settled"
        if not gone or seen.stage != "current":
            return None
        gone.sort(key=lambda each: (-each.events, each.name))
        first, total = gone[0], features.events()
        days = today - 1 - first.last
        return Finding(
            day_start(first.last + 1, account.calendar.timezone),
            f"no longer uses {first.name}, once {round(100 * first.events / total)} % of the use: "
            f"not for {days} days",
            {
                "features": [each.name for each in gone],
                "share": round(first.events / total, 3),
                "not_used_days": days,
            },
        )
