"""Ready to ask: an account that has been doing well for weeks, worth asking for a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import day_start
from pulse.signals.signal import Finding, Seen, Signal, count
from pulse.signals.success.seats import OUTGROWN

if TYPE_CHECKING:
    from pulse.engagement.account import OpenAlert

REASON: Final = "ready_to_ask"
_APART: Final = 10.0


class ReadyToAsk(Signal):
    """The score was `score` at least at each of the last `days` day starts, and nothing is wrong.

    To outgrow one's seats is nothing wrong.
    Accounts with fewer than `min_users` users in 28 days are left alone: who would be asked? It
    ends where the score falls 10 points lower.
    """

    def __init__(self, score: float, days: int, min_users: int) -> None:
        super().__init__(REASON, daily=True)
        self.score = score
        self.days = days
        self.min_users = min_users

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        score, account = seen.score, seen.account
        if opened is not None:
            return "no_longer" if score is not None and score < self.score - _APART else None
        if score is None or score < self.score or seen.fixed.active_users[1] < self.min_users:
            return None
        if account.zone != "healthy" or any(reason != OUTGROWN for reason in account.alerts):
            return None
        today, least = account.calendar.day, score
        for day in range(today - self.days + 1, today + 1):
            noted = account.notes.score_on(day, today)
            if noted is None or noted < self.score:
                return None
            least = min(least, noted)
        return Finding(
            day_start(today - self.days + 1, account.calendar.timezone),
            f"has been doing well for {count(self.days, 'day')}: score {score:.1f}, "
            f"never below {least:.1f}",
            {
                "score": round(score, 2),
                "least_score": least,
                "days": self.days,
                "active_users_28d": seen.fixed.active_users[1],
            },
        )
