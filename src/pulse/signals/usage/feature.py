"""Feature abandoned: a feature that was a good part of the use is not used any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import day_start
from pulse.signals.signal import Finding, Seen, Signal, count, ended

if TYPE_CHECKING:
    from pulse.engagement.account import OpenAlert

REASON: Final = "feature_abandoned"


class FeatureAbandoned(Signal):
    """A feature with at least `share` of the events was not used for `after_days` complete days.

    Holidays do not count among these. Of the events of the last weeks older ones count half; the
    feature must have `min_events`, and the account be used in the last seven days. It ends when
    that feature is used again, or when a quarter of that is left.
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
            not seen.fixed.active_days[0] or features.most(before) < self.min_events
        ):
            return None
        least = max(self.share * features.events(), float(self.min_events))
        if opened is not None:
            return ended(account, features, opened, least / 4)
        gone = [
            each
            for each in features.marks()
            if each.last < before and each.events >= least and seen.is_missed(each, self.after_days)
        ]
        if not gone or seen.stage != "current":
            return None
        gone.sort(key=lambda each: (-each.events, each.name))
        first, total = gone[0], features.events()
        days = today - 1 - first.last
        return Finding(
            day_start(first.last + 1, account.calendar.timezone),
            f"no longer uses {first.name}, once {round(100 * first.events / total)} % of the use: "
            f"not for {count(days, 'day')}",
            {
                "features": [each.name for each in gone],
                "share": round(first.events / total, 3),
                "not_used_days": days,
            },
            about=first.name,
        )
