"""Champion gone: who did most of the work is not seen any more, and the account lives on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import day_start
from pulse.engagement.distinct import FORGOTTEN
from pulse.signals.signal import Finding, Seen, Signal, count, ended

if TYPE_CHECKING:
    from pulse.engagement.account import OpenAlert

REASON: Final = "champion_gone"


class ChampionGone(Signal):
    """A user with more than half of the events has not been seen for `after_days` complete days.

    Holidays do not count among these. Of the events of the last weeks older ones count half;
    together they must be `min_events`. Others must have used the product in the last seven days:
    else it is silence. It ends when that user is seen again, or has done less than a quarter of the
    work meanwhile.
    """

    def __init__(self, after_days: int, min_events: int) -> None:
        super().__init__(REASON, daily=True)
        self.after_days = after_days
        self.min_events = min_events

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        account, users = seen.account, seen.account.users
        today = account.calendar.day
        if opened is None:
            if not seen.fixed.active_days[0]:
                return None
            most = users.most(today - self.after_days)
            if not most or most < self.min_events // 2:
                return None
        total = users.events()
        if opened is not None:
            return ended(account, users, opened, total // 4 + 1)
        first = max(users.marks(), key=lambda each: each.events)
        if first.name.startswith(FORGOTTEN):
            return None
        if 2 * first.events <= total or not seen.is_missed(first, self.after_days):
            return None
        if total < self.min_events or seen.stage == "dormant":
            return None
        share = round(100 * first.events / total)
        days = today - 1 - first.last
        return Finding(
            day_start(first.last + 1, account.calendar.timezone),
            f"{first.name}, who did {share} % of the work, has not been seen for "
            f"{count(days, 'day')}",
            {
                "user_id": first.name,
                "share": round(first.events / total, 3),
                "not_seen_days": days,
                "other_users_7d": seen.fixed.active_users[0],
            },
            about=first.name,
        )
